"""How long a camera that failed is left alone: longer each time, never in step with others, and no longer than it is away."""

from typing import Final

from storage.status import StateReason

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
LONGEST_THERE_S: Final = 4.0
"""A camera that is there but shows nothing is tried again this soon: its picture is to be seen within 5 s of its return."""

THERE_S: Final = 600.0
"""One that shows nothing for so long is no longer expected from one moment to the next."""

SPREAD: Final = 0.25
"""A wait is longer than what is due by up to this share, or shorter where that is the longest: cameras of one switch go
away together, and are not to be tried together."""

KNOCK_S: Final = 2.0
"""Waits beyond this are spent knocking this often at ports at which nobody answers."""

KNOCKED: Final = frozenset({StateReason.REFUSED, StateReason.NO_ROUTE, StateReason.TIMEOUT})
"""What knocking can tell the end of. Never of a wrong password: cameras lock the account after a few of those."""

PASSING: Final = frozenset(
    {
        StateReason.REFUSED,
        StateReason.TIMEOUT,
        StateReason.NO_KEYFRAMES,
        StateReason.NOT_FOUND,
        StateReason.UNSUPPORTED_CODEC,
    }
)
"""What is wrong with a camera that was set up properly: one that starts up may answer anything."""

MOST_DOUBLINGS: Final = 10


class Patience:
    """Of one camera.

    >>> patience = Patience()
    >>> [patience.after(StateReason.NO_ROUTE, shown=False, jitter=1.0) for _ in range(8)]
    [1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    >>> patience.after(StateReason.REFUSED, shown=True, jitter=0.0)
    1.0
    """

    def __init__(self, first_s: float = FIRST_S) -> None:
        """Begin without failures.

        Args:
            first_s: the first wait; it doubles with every failure.
        """
        self._first_s = first_s
        self._failures = 0
        self._silent = False
        self._there_s = 0.0

    def after(self, reason: StateReason | None, *, shown: bool, jitter: float, tried_s: float = 0.0) -> float:
        """The wait in seconds after a failure: from the first wait to `LONGEST_S`.

        Args:
            reason: of the failure.
            shown: whether there was a picture before it.
            jitter: in [0, 1], drawn by chance.
            tried_s: how long the attempt took.
        """
        if shown:
            self._failures, self._silent, self._there_s = 0, False, 0.0
        else:
            self._there_s += tried_s
        there = reason in PASSING and not self._silent and self._there_s < THERE_S
        longest_s = LONGEST_THERE_S if there else LONGEST_S
        due_s = self._first_s * 2.0 ** min(self._failures, MOST_DOUBLINGS)
        if reason is StateReason.WRONG_PASSWORD:
            due_s = LONGEST_S
        self._failures += 1
        least_s, most_s = min(due_s, longest_s * (1.0 - SPREAD)), min(longest_s, due_s * (1.0 + SPREAD))
        wait_s = least_s + (most_s - least_s) * jitter
        self._there_s += wait_s
        return wait_s

    def heard(self, answered: bool) -> bool:
        """Take in what came of a knock.

        Args:
            answered: whether somebody is there.

        Returns:
            Whether the camera is back: nobody was there before. Then it is to be tried at once, and soon again if it fails.
        """
        back = answered and self._silent
        self._silent = not answered
        if back:
            self._failures, self._there_s = 0, 0.0
        return back
