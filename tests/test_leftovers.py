"""A Redis that outlives a system: what the last run left in it does not hold up the next one."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.places import Places
from infra.settings import Settings, load_settings
from infra.system.ground import Ground
from storage.bus import Bus
from storage.framefile import read_head
from storage.messages import Found, FrameRef, Look, Result, Sample
from storage.pulse import Heartbeat
from storage.remote_frames import REMOTE
from storage.shift import GONE


def sample(seq: int, store: str, *, live: bool = False) -> Sample:
    return Sample("c1", 1, seq, seq, Look.FULL, 24, FrameRef(seq + 1, 0, 4, 4, store, live), bytes(20), 8, 20)


def found(seq: int, store: str) -> Found:
    arrays = np.ones((1, 4), np.float32), np.ones(1, np.float32), np.ones((1, 6, 2), np.float32)
    return Found.of(sample(seq, store), *arrays)


def beat(bus: Bus, worker: str, store: str) -> None:
    bus.beat(Heartbeat(worker, os.getpid(), time.time(), 0, None, store))


def left(bus: Bus) -> list[int]:
    return sorted(sample.seq for _, _, sample in bus.leftovers()._all())


@pytest.fixture
def settings(redis: str, tmp_path: Path) -> Iterator[Settings]:
    # Shared memory needs short paths.
    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        yield load_settings(redis_url=redis, data_dir=tmp_path / "data", shm_dir=folder, frames_mib=16)


def test_samples_whose_pictures_are_gone_are_set_aside_when_the_ground_is_laid_and_no_others(
    bus: Bus, raw: Any, settings: Settings
) -> None:
    said: list[str] = []
    places = Places.of(settings)
    first = Ground(settings, places, "one", said.append)
    first.lay()
    mine = read_head(places.frames).identity
    # It was killed a moment ago: its heartbeats are still there.
    beat(bus, "ingest-0", mine)
    beat(bus, "ingest-elsewhere-0", "elsewhere")
    dead = bus.frames_queue("detect-0")
    for seq, store in enumerate([mine, "elsewhere", "lost", REMOTE, ""]):
        bus.send_sample(sample(seq, store, live=store == mine))
    [task] = dead.take(1, 0)
    dead.deaths(task)
    dead.done([], found=[found(5, mine), found(6, "elsewhere")])
    first.clear()
    assert said == []
    second = Ground(settings, places, "two", said.append)
    second._before = mine  # as the file said, had it been killed
    try:
        second.lay()
    finally:
        second.clear()
    assert left(bus) == [1, 3, 4, 6]
    results = [message for _, message in bus.read(0, "0-0", count=99, block_ms=0)]
    assert [(each.seq, each.failed) for each in results if isinstance(each, Result)] == [
        (0, GONE),
        (2, GONE),
        (5, GONE),
    ]
    assert said == ["3 samples of an earlier run are set aside: the shared memory with their pictures is gone"]
    assert raw.hlen("maskwatch:hand:frames") == 0
    assert dead.take(9, 0)[0].body == sample(1, "elsewhere")


def test_a_killed_run_s_store_is_known_by_its_file(settings: Settings) -> None:
    places = Places.of(settings)
    killed = Ground(settings, places, "one", print)
    killed.lay()
    try:
        assert Ground(settings, places, "two", print)._before == read_head(places.frames).identity != ""
    finally:
        killed.clear()
    assert killed._before != ""
    assert Ground(settings, places, "three", print)._before == ""
