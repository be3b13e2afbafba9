"""Workers that join from anywhere: a name that no other has, and a place that nobody has taken."""

import os
import re
import secrets
import socket
import time

from infra.system.workers import Role
from storage.bus import Bus
from storage.errors import ConflictError
from storage.pulse import BEAT_LIFE_S, BEAT_S, Pulse, stands_for


def check_place(role: Role, name: str, bus: Bus, pulse: Pulse) -> None:
    """See that nobody does already what only one can do: work under this name, or watch the same cameras.

    The heartbeat of one that was killed is waited out.

    Raises:
        ConflictError: somebody does.
    """
    first: dict[str, float] = {}
    until_s = time.monotonic() + BEAT_LIFE_S + BEAT_S
    while time.monotonic() < until_s and not pulse.stopping:
        beats = bus.heartbeats()
        taken = [other for other in beats if other == name or (role is Role.INGEST and stands_for(other, name))]
        for other in taken:
            if first.setdefault(other, beats[other].at) != beats[other].at:
                what = "works under this name" if other == name else f"watches these cameras as {other!r}"
                raise ConflictError(
                    f"{name!r} can't start: another process {what}; stop that one, or choose another --name"
                    + (" or --number (MASKWATCH_INGESTS)" if role is Role.INGEST else "")
                )
        if not taken:
            return
        pulse.wait(BEAT_S)


def own_name(role: Role, number: int) -> str:
    """A name that no other process has, on any host: what a worker takes in hand is kept under it."""
    return f"{own_prefix(role)}{os.getpid()}-{secrets.token_hex(2)}-{number}"


def own_prefix(role: Role) -> str:
    """What the names of all workers of a role on this host begin with, where they were not named otherwise."""
    host = re.sub(r"[^A-Za-z0-9_]+", "_", socket.gethostname())[:24] or "host"
    return f"{role}-{host}-"
