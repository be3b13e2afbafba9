"""Leaving a camera alone until it is back: a connection to its port now and then, and of one that hung a word of RTSP.

That costs the camera next to nothing, so one that was away for hours is noticed within seconds of its return.
"""

import random
import socket
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from ingest.origin import PORTS
from ingest.patience import KNOCK_S, KNOCKED, Patience
from storage.pulse import Pulse
from storage.status import StateReason

LIMIT_S: Final = 1.0
"""For connecting, and for an answer."""

Resolve = Callable[[str, int], str]
"""The address to connect to, given host and port; raises where there is none or it is not allowed."""


class Door:
    """Where a camera in the network is to be knocked at."""

    def __init__(self, url: str, resolve: Resolve) -> None:
        """Take an address.

        Args:
            url: rtsp, rtsps, http or https; user and password are not used.
            resolve: bounded in time.

        Raises:
            ValueError: there is nothing to knock at.
        """
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("only cameras in the network have a door")
        self._host, self._port = parts.hostname, parts.port or PORTS[parts.scheme]
        self._resolve = resolve
        shown = f"[{self._host}]" if ":" in self._host else self._host
        # OPTIONS needs no login, so that it can't be a wrong one.
        ask = f"OPTIONS rtsp://{shown}:{self._port}/ RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: maskwatch\r\n\r\n"
        self._word = ask.encode() if parts.scheme == "rtsp" else b""

    def answers(self, *, talk: bool) -> bool:
        """Whether somebody is there.

        Args:
            talk: who takes the connection must also answer, where the protocol has a word for it: a camera that hangs
                takes connections, too.
        """
        try:
            address = self._resolve(self._host, self._port)
            until_s = time.monotonic() + LIMIT_S
            with socket.create_connection((address, self._port), timeout=LIMIT_S) as connection:
                if not (talk and self._word):
                    return True
                connection.sendall(self._word)
                connection.settimeout(max(0.05, until_s - time.monotonic()))
                return bool(connection.recv(16))
        # Whatever keeps us from knocking, nobody has answered.
        except Exception:  # noqa: BLE001
            return False


def rest(
    pulse: Pulse,
    patience: Patience,
    door: Door | None,
    reason: StateReason | None,
    *,
    shown: bool,
    tried_s: float = 0.0,
) -> None:
    """Wait for as long as patience has it, or until somebody answers where nobody did.

    Args:
        pulse: asks to stop.
        patience: with this camera.
        door: where to knock; None: nowhere.
        reason: why it failed.
        shown: whether there was a picture before.
        tried_s: how long the attempt took.
    """
    chance = random.SystemRandom()
    wait_s = patience.after(reason, shown=shown, jitter=chance.random(), tried_s=tried_s)
    if door is None or reason not in KNOCKED or wait_s <= KNOCK_S:
        pulse.wait(wait_s)
        return
    until_s = time.monotonic() + wait_s
    while not pulse.stopping and (left_s := until_s - time.monotonic()) > 0:
        if patience.heard(door.answers(talk=reason is StateReason.TIMEOUT)):
            return
        pulse.wait(min(left_s, KNOCK_S * chance.uniform(0.8, 1.2)))
