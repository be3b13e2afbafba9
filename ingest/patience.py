"""How long a camera that failed is left alone: longer each time, never in step with others, and no longer than it is away."""

from typing import Final

from storage.status import StateReason

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
LONGEST_THERE_S: Final = 4.0
"""A camera that is there but shows nothing is tried again this soon: its picture is to be seen within 5 s of its return."""

LEAST_SHARE: Final = 0.75
"""A wait is between this share of what is due and all of it: cameras of one switch come back together."""

KNOCK_S: Final = 2.0
"""Waits beyond this are spent knocking this often at ports at which nobody answers."""

KNOCKED: Final = frozenset({StateReason.REFUSED, StateReason.NO_ROUTE, StateReason.TIMEOUT})
"""What knocking can tell the end of. Never of a wrong password: cameras lock the account after a few of those."""

PASSING: Final = frozenset({StateReason.REFUSED, StateReason.TIMEOUT, StateReason.NO_KEYFRAMES})
"""What is wrong with a camera that was set up properly."""

MOST_DOUBLINGS: Final = 10


class Patience:
    """Of one camera.

    >>> patience = Patience()
    >>> [patience.after(StateReason.NOT_FOUND, shown=False, jitter=1.0) for _ in range(8)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    >>> patience.after(StateReason.REFUSED, shown=True, jitter=0.0)
    0.75
    """

    def __init__(self, first_s: float = FIRST_S) -> None:
        """Begin without failures.

        Args:
            first_s: the first wait; it doubles with every failure.
        """
        self._first_s = first_s
        self._failures = 0
        self._silent = False

    def after(self, reason: StateReason | None, *, shown: bool, jitter: float) -> float:
        """The wait in seconds after a failure.

        Args:
            reason: of the failure.
            shown: whether there was a picture before it.
            jitter: in [0, 1], drawn by chance.
        """
        if shown:
            self._failures, self._silent = 0, False
        there = reason in PASSING and not self._silent
        longest_s = LONGEST_THERE_S if there else LONGEST_S
        due_s = self._first_s * 2.0 ** min(self._failures, MOST_DOUBLINGS)
        if reason is StateReason.WRONG_PASSWORD:
            due_s = LONGEST_S
        self._failures += 1
        return min(longest_s, due_s) * (LEAST_SHARE + (1.0 - LEAST_SHARE) * jitter)

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
            self._failures = 0
        return back
