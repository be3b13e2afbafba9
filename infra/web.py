"""Serves the API, and beats from within its event loop: a loop that hangs is seen."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import uvicorn
from sqlalchemy import Engine

from api.app import ApiContext, close_streams, create_app
from api.context import FootagePlaces
from api.login_setup import LoginSetup
from infra.places import Places
from infra.settings import Settings, load_settings
from infra.sites import system_sites
from storage.bus import Bus, BusError
from storage.database.reports import Reports
from storage.pulse import BEAT_S, Pulse

CLOSING_S: Final = 1
"""Answers that are under way may take so long when it is asked to stop."""

STARTING_S: Final = 0.02

MOST_CONNECTIONS: Final = 512
"""Beyond, a request gets 503 without being looked at; the application says so a little earlier, with a reason."""


def api_context(
    engine: Engine, bus: Bus, places: Places, expected: tuple[str, ...], settings: Settings | None = None
) -> ApiContext:
    """What the API stands on.

    Args:
        engine: of a migrated database.
        bus: for states and heartbeats.
        places: of the system.
        expected: names of the workers without which the system is not ready.
        settings: of the system; those of the environment where not given.
    """
    settings = settings or load_settings()
    return ApiContext(
        engine=engine,
        sites=system_sites(engine, settings),
        reports=Reports(engine),
        bus=bus,
        snapshots=places.snapshots,
        footage=FootagePlaces(places.uploads, places.annotated, places.media, settings.upload_mib * 1024**2),
        workers=expected,
        login=LoginSetup(settings.login, settings.public_url),
    )


def serve_api(context: ApiContext, listening: socket.socket, pulse: Pulse) -> None:
    """Answer until asked to stop.

    Args:
        context: what the API stands on.
        listening: where callers come in; closed in the end.
        pulse: asks to stop.
    """
    # Asked to stop before it has started, uvicorn leaves the socket open.
    with listening:
        app = create_app(context)
        config = uvicorn.Config(
            app,
            # Logging is set up for the whole process; addresses in requests are nobody's business.
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=CLOSING_S,
        )
        asyncio.run(_serve(uvicorn.Server(config), listening, pulse, partial(close_streams, app)))


async def _serve(server: uvicorn.Server, listening: socket.socket, pulse: Pulse, close: Callable[[], None]) -> None:
    beating = asyncio.create_task(_beat(server, pulse, close))
    try:
        await server.serve(sockets=[listening])
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def _beat(server: uvicorn.Server, pulse: Pulse, close: Callable[[], None]) -> None:
    while True:
        if pulse.stopping or server.should_exit:
            close()
            server.should_exit = True
        if server.started:
            # Without Redis it still answers what the database knows.
            with suppress(BusError):
                await asyncio.to_thread(pulse.beat, done=server.server_state.total_requests)
        await asyncio.sleep(BEAT_S if server.started else STARTING_S)
