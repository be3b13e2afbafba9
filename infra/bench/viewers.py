"""People with the console open, who ask for the overview every two seconds, and now and then for something else.

`python -m infra.bench.viewers URL NUMBER SECONDS` is so many of them in a process of its own; it prints how long each
answer took, in seconds, as a JSON list.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import httpx
import numpy as np

from infra.bench.report import Measurement, figure
from storage.errors import SetupError

EVERY_S: Final = 2.0
"""So often a console that is open asks."""

PAGE: Final = 50
LIMIT_S: Final = 30.0

Question = tuple[str, dict[str, str]]
"""A path below the API, and its parameters."""


async def asked(client: httpx.AsyncClient, path: str, parameters: dict[str, str]) -> float:
    """Ask, and say how long the answer took, in seconds.

    Raises:
        SetupError: the answer is not 200.
    """
    started_s = time.perf_counter()
    answer = await client.get(path, params=parameters)
    taken_s = time.perf_counter() - started_s
    if answer.status_code != httpx.codes.OK:
        raise SetupError(f"GET {path} answers {answer.status_code}: {answer.text[:200]}")
    return taken_s


async def look_on(
    client: httpx.AsyncClient, viewers: int, seconds: float, places: Sequence[Question] = ()
) -> list[float]:
    """Let people look.

    Args:
        client: of the API, with a connection for each.
        viewers: how many.
        seconds: for how long.
        places: what they look at besides, each a place of their own.

    Returns:
        How long each answer took, in seconds.

    Raises:
        SetupError: an answer is not 200.
    """
    until_s = time.monotonic() + seconds
    each = await asyncio.gather(*(_viewer(client, number, until_s, places) for number in range(viewers)))
    return [taken for one in each for taken in one]


async def _viewer(client: httpx.AsyncClient, number: int, until_s: float, places: Sequence[Question]) -> list[float]:
    # They did not all begin at once.
    await asyncio.sleep(EVERY_S * (number % 20) / 20)
    others: list[Question] = [
        ("/events", {"verdict": "pending", "limit": str(PAGE)}),
        places[number % len(places)] if places else ("/statistics/compliance", {}),
        ("/cameras", {"limit": "100"}),
    ]
    times: list[float] = []
    turn = number
    while time.monotonic() < until_s:
        next_s = time.monotonic() + EVERY_S
        times.append(await asked(client, "/overview", {}))
        if turn % 5 == 0:
            times.append(await asked(client, *others[turn // 5 % len(others)]))
        turn += 1
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))
    return times


def figures(times: Sequence[float], seconds: float) -> list[Measurement]:
    """What they waited for."""
    return [
        figure("viewers_p95_ms", 1e3 * float(np.percentile(times, 95)), "ms"),
        figure("viewers_median_ms", 1e3 * float(np.median(times)), "ms"),
        figure("viewers_requests_per_s", len(times) / seconds, "1/s"),
    ]


class Viewers:
    """So many of them, in a process of its own, beside what is measured; nobody where there are none."""

    def __init__(self, url: str, viewers: int, seconds: float) -> None:
        """Begin to look.

        Args:
            url: of the server.
            viewers: how many.
            seconds: for how long.
        """
        self._seconds = seconds
        command = [sys.executable, "-P", "-m", "infra.bench.viewers", url, str(viewers), str(seconds)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE) if viewers else None  # noqa: S603 ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            with self._process:
                self._process.kill()

    def times(self) -> list[float]:
        """How long each answer took, in seconds, once they have looked enough.

        Raises:
            SetupError: they could not look on to the end.
        """
        if self._process is None:
            return []
        try:
            told, _ = self._process.communicate(timeout=self._seconds + LIMIT_S)
        except subprocess.TimeoutExpired:
            raise SetupError("the viewers wait for an answer of the API that does not come") from None
        if self._process.returncode != 0:
            raise SetupError("the viewers were not answered: see above")
        return [float(one) for one in json.loads(told)]


async def _main(url: str, viewers: int, seconds: float) -> list[float]:
    limits = httpx.Limits(max_connections=viewers, max_keepalive_connections=viewers)
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=LIMIT_S, limits=limits) as client:
        return await look_on(client, viewers, seconds)


if __name__ == "__main__":
    try:
        found = asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    except (SetupError, httpx.HTTPError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(found))
