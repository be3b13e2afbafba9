"""What a person asks of `maskwatch bench`, and what does not go together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.bench.api_plan import ApiPlan
from infra.bench.plan import HOSTS_MINUTES, FootageWanted, Plan
from storage.errors import UsageError

KNOWN: Final = ("kernels", "pipeline", "classifier", "cameras", "system", "api", "footage", "hosts")

OF_FOOTAGE: Final = {"footage", "hosts"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person asked for."""

    name: str
    seconds: float | None
    footage: Path | None
    keras: Path | None
    cameras: int | None
    activity: float | None
    minutes: float | None
    plot: Path | None
    tracks: int | None
    events: int | None
    viewers: int | None
    sqlite: bool

    def check(self) -> None:
        """Refuse what does not go together."""
        name = self.name
        if name not in KNOWN:
            raise UsageError(f"no benchmark is called {name!r}: choose one of {', '.join(KNOWN)}")
        if self.keras is not None and name != "classifier":
            raise UsageError(f"--keras is for `bench classifier`, not for {name}")
        if name == "classifier" and not (self.seconds is None and self.footage is None):
            raise UsageError("bench classifier measures no footage: leave --seconds and --footage out")
        if name == "system" and not (self.seconds is None and self.footage is None):
            raise UsageError("bench system plays the demo's cameras: leave --seconds and --footage out")
        self._check_cameras()
        self._check_footage()
        self._check_api()
        if self.seconds is not None and self.footage is not None:
            raise UsageError(
                "--seconds is for footage that is made; --footage FILE has its own length: give one of them"
            )

    def _check_cameras(self) -> None:
        name = self.name
        if name == "cameras" and self.footage is not None:
            raise UsageError("bench cameras makes its own footage: leave --footage out")
        if name != "cameras" and (self.cameras, self.plot) != (None, None):
            raise UsageError(f"--cameras and --plot are for `bench cameras`, not for {name}")
        if name != "cameras" and name not in OF_FOOTAGE and self.activity is not None:
            raise UsageError(f"--activity is for `bench cameras`, `bench footage` and `bench hosts`, not for {name}")

    def _check_footage(self) -> None:
        name = self.name
        if name not in OF_FOOTAGE and self.minutes is not None:
            raise UsageError(f"--minutes is for `bench footage` and `bench hosts`, not for {name}")
        if name in OF_FOOTAGE and not (self.seconds is None and self.footage is None):
            raise UsageError(f"bench {name} makes its own footage: give --minutes, not --seconds or --footage")

    def _check_api(self) -> None:
        name = self.name
        if name != "api" and ((self.tracks, self.events) != (None, None) or self.sqlite):
            raise UsageError(f"--tracks, --events and --sqlite are for `bench api`, not for {name}")
        if name not in {"api", "cameras"} and self.viewers is not None:
            raise UsageError(f"--viewers is for `bench api` and `bench cameras`, not for {name}")
        if name == "api" and self.footage is not None:
            raise UsageError("bench api measures no footage: leave --footage out")

    def api_plan(self) -> ApiPlan:
        """Of passages in the database."""
        usual = ApiPlan()
        return ApiPlan(
            usual.tracks if self.tracks is None else self.tracks,
            self.events,
            self.sqlite,
            self.viewers or 0,
            usual.seconds if self.seconds is None else self.seconds,
        )

    def wanted(self) -> FootageWanted:
        """Of recorded footage."""
        usual = FootageWanted() if self.name == "footage" else FootageWanted(minutes=HOSTS_MINUTES)
        return FootageWanted(
            usual.minutes if self.minutes is None else self.minutes,
            usual.activity if self.activity is None else self.activity,
        )

    def plan(self) -> Plan:
        """Of cameras."""
        usual = Plan()
        return Plan(
            usual.cameras if self.cameras is None else self.cameras,
            usual.seconds if self.seconds is None else self.seconds,
            usual.activity if self.activity is None else self.activity,
            self.plot,
            self.viewers or 0,
        )
