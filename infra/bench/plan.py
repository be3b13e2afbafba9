"""What `bench cameras`, `bench footage` and `bench hosts` are to measure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.errors import UsageError

SHORTEST_S, LONGEST_S = 20.0, 86_400.0
MOST_CAMERAS: Final = 64
MOST_VIEWERS: Final = 500
"""Each has a connection, and the API takes 512."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Attributes:
        cameras: how many.
        seconds: for how long, once warm.
        activity: share of the time in which people are in the picture of a camera.
        viewers: so many people have the overview open meanwhile.
        plot: a file for the curves of memory, open files and queues; None draws none.
    """

    cameras: int = 4
    seconds: float = 60.0
    activity: float = 0.1
    plot: Path | None = None
    viewers: int = 0

    def check(self) -> None:
        """Refuse what can't be measured.

        Raises:
            UsageError: a number is out of range.
        """
        if not 1 <= self.cameras <= MOST_CAMERAS:
            raise UsageError(f"--cameras {self.cameras}: this benchmark takes 1 to {MOST_CAMERAS}")
        if not SHORTEST_S <= self.seconds <= LONGEST_S:
            raise UsageError(f"--seconds {self.seconds:g}: this benchmark takes {SHORTEST_S:g} to {LONGEST_S:g} s")
        if not 0 <= self.viewers <= MOST_VIEWERS:
            raise UsageError(f"--viewers {self.viewers}: this benchmark takes 0 to {MOST_VIEWERS}")


SHORTEST_MIN, LONGEST_MIN = 0.5, 240.0
HOSTS_MINUTES: Final = 5.0
"""`bench hosts` takes as much footage twice, the first time on one core."""


@dataclass(frozen=True, slots=True)
class FootageWanted:
    """What is to be measured of recorded footage.

    Attributes:
        minutes: of footage, about.
        activity: share of the time in which people are in the picture.
    """

    minutes: float = 20.0
    activity: float = 0.3

    def check(self) -> None:
        """Refuse what can't be measured.

        Raises:
            UsageError: a number is out of range.
        """
        if not SHORTEST_MIN <= self.minutes <= LONGEST_MIN:
            raise UsageError(f"--minutes {self.minutes:g}: this benchmark takes {SHORTEST_MIN:g} to {LONGEST_MIN:g}")
