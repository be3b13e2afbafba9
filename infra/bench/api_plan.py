"""What `bench api` is to measure."""

from dataclasses import dataclass
from typing import Final

from infra.bench.plan import MOST_VIEWERS
from storage.errors import UsageError

FEWEST_TRACKS, MOST_TRACKS = 1_000, 100_000_000
TRACKS_PER_EVENT: Final = 20


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """What is to be measured.

    Attributes:
        tracks: in the database.
        events: likewise; None: one for every 20 tracks.
        sqlite: SQLite instead of PostgreSQL.
        viewers: so many people look at the overview; 0: nobody does.
        seconds: for how long they look.
    """

    tracks: int = 10_000_000
    events: int | None = None
    sqlite: bool = False
    viewers: int = 0
    seconds: float = 30.0

    @property
    def breaches(self) -> int:
        """How many events there are."""
        return self.tracks // TRACKS_PER_EVENT if self.events is None else self.events

    def check(self) -> None:
        """Refuse what can't be measured.

        Raises:
            UsageError: a number is out of range.
        """
        if not FEWEST_TRACKS <= self.tracks <= MOST_TRACKS:
            raise UsageError(f"--tracks {self.tracks}: this benchmark takes {FEWEST_TRACKS} to {MOST_TRACKS}")
        if not 1 <= self.breaches <= self.tracks // 4:
            raise UsageError(f"--events {self.breaches}: at least 1, and at most a quarter of the tracks")
        if not 0 <= self.viewers <= MOST_VIEWERS:
            raise UsageError(f"--viewers {self.viewers}: this benchmark takes 0 to {MOST_VIEWERS}")
        if not 1 <= self.seconds <= 3600:
            raise UsageError(f"--seconds {self.seconds:g}: viewers look for 1 to 3600 s")
