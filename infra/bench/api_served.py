"""The same questions over HTTP, and many people with the overview open: the real server, in a process of its own."""

import asyncio
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import numpy as np

from api.times import iso
from infra.bench.api_data import Amount, places
from infra.bench.api_plan import ApiPlan
from infra.bench.api_questions import MIXES, PAGE, Asking, p95_ms
from infra.bench.report import Measurement, figure
from infra.bench.viewers import asked, figures, look_on
from infra.settings import Settings
from infra.supervisor import System
from infra.system.workers import Role, worker_commands
from storage.bus import Bus
from storage.errors import SetupError
from storage.status import CameraState, CameraStatus, StateReason

ROUNDS: Final = 100
LIMIT_S: Final = 30.0
TURN_S: Final = 0.25
DOWN: Final = 3


def run_served(plan: ApiPlan, settings: Settings, folder: Path, amount: Amount) -> list[Measurement]:
    """Start the API on the filled database, and ask it.

    Raises:
        SetupError: it does not come up.
    """
    own = settings.model_copy(update={"data_dir": folder / "served", "redis_url": None})
    with System(own, worker_commands(own, [Role.API]), port=0, say=lambda _: None) as system:
        with closing(Bus(system.redis_url, prefix=own.redis_prefix)) as bus:
            _say_states(bus)
        return asyncio.run(_served(system, plan, amount))


async def _served(system: System, plan: ApiPlan, amount: Amount) -> list[Measurement]:
    asking = Asking(amount, np.random.default_rng(amount.seed + 2))
    limits = httpx.Limits(max_connections=plan.viewers + 2, max_keepalive_connections=plan.viewers + 2)
    async with httpx.AsyncClient(base_url=f"{system.url}/api/v1", timeout=LIMIT_S, limits=limits) as client:
        watching = asyncio.create_task(_watched(system))
        try:
            await _up(client)
            months = [_month(asking) for _ in range(ROUNDS)]
            pages = [_page(asking, mix, turn) for turn in range(ROUNDS // len(MIXES)) for mix in MIXES]
            rows = [
                figure("statistics_http_p95_ms", p95_ms([await asked(client, *one) for one in months]), "ms"),
                figure("events_http_p95_ms", p95_ms([await asked(client, *one) for one in pages]), "ms"),
            ]
            if plan.viewers:
                own = [("/statistics/compliance", {"building": place.building_id}) for place in places()]
                rows += figures(await look_on(client, plan.viewers, plan.seconds, own), plan.seconds)
            return rows
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _watched(system: System) -> None:
    while True:
        system.check()
        await asyncio.sleep(TURN_S)


async def _up(client: httpx.AsyncClient) -> None:
    until_s = time.monotonic() + LIMIT_S
    while True:
        with suppress(httpx.TransportError):
            if (await client.get("/health/live")).status_code == httpx.codes.OK:
                return
        if time.monotonic() > until_s:
            raise SetupError(f"the API did not come up within {LIMIT_S:.0f} s")
        await asyncio.sleep(0.05)


def _month(asking: Asking) -> tuple[str, dict[str, str]]:
    question = asking.month(building=False)
    assert question.from_ns is not None  # noqa: S101 drawn so
    assert question.to_ns is not None  # noqa: S101 likewise
    wanted = {"bucket": "day", "group_by": "building", "timezone": str(question.timezone)}
    return "/statistics/compliance", {**wanted, "from": iso(question.from_ns), "to": iso(question.to_ns)}


def _page(asking: Asking, mix: str, turn: int) -> tuple[str, dict[str, str]]:
    # Places in a list are known to those who have read it up to there.
    wanted, _ = asking.events(mix, turn)
    given: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(wanted).items() if isinstance(value, str)
    }
    if wanted.from_ns is not None and wanted.to_ns is not None:
        given |= {"from": iso(wanted.from_ns), "to": iso(wanted.to_ns)}
    return "/events", {**given, "limit": str(PAGE)}


def _say_states(bus: Bus) -> None:
    """Most cameras are live, as ingest would say."""
    now_ns = time.time_ns()
    for number, place in enumerate(places()):
        down = number < DOWN
        bus.put_status(
            place.camera_id,
            CameraStatus(
                CameraState.BACKING_OFF if down else CameraState.LIVE,
                StateReason.TIMEOUT if down else None,
                now_ns,
                0.0 if down else 25.0,
                0.0 if down else 5.0,
                now_ns,
                "rtcp",
                "the camera does not answer: see whether it is switched on" if down else None,
            ),
        )
