"""Metrics for Prometheus: what bus and database know, whatever of them is away, in bounded time."""

import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from api.openapi import text as document_text
from api.routes.metrics import DATABASE_LIMIT_S, MOST_ASKING
from storage.bus import Bus
from storage.database.engine import writing
from storage.database.records import NewCamera
from storage.database.upkeep import NAMES, UpkeepLog, UpkeepRecord
from storage.messages import NS_PER_S, End
from storage.status import CameraState, CameraStatus, StateReason
from tests.api_server import Api, api_fixture, migrated_fixture, problem, still_fixture, wait_for  # noqa: F401

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))

Found = dict[tuple[str, ...], float]
"""Values by the metric's name and its labels', in the order of their names."""


def scraped(api: Api) -> Found:
    """What Prometheus makes of the answer."""
    answer = api.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def busy(api: Api) -> tuple[str, str]:
    """Two cameras, of which one is away; all workers, and one that joined from elsewhere."""
    building, now_ns = api.building(), time.time_ns()
    door, gate = api.camera(building, "Door"), api.camera(building, "Gate")
    api.passage(door)
    drops = {"late": 3, "shed": 4}
    api.says(door, CameraStatus(CameraState.LIVE, None, now_ns, 25.0, 5.0, now_ns, "rtcp", None, drops, (), 2))
    api.says(gate, CameraStatus(CameraState.BACKING_OFF, StateReason.REFUSED, now_ns, 0.0, 0.0, None, "arrival"))
    api.beat("detect-0", store="ab12", device="litert on cpu")
    api.beat("aggregate-0", "the disk is full")
    api.beat("detect-far-71-beef-0")
    api.context.bus.send([End(door, 1, 5), End(gate, 1, 5)])
    return door, gate


def test_every_camera_says_how_it_fares(api: Api) -> None:
    door, gate = busy(api)
    found = scraped(api)
    states = {labels[1:]: value for labels, value in found.items() if labels[0] == "maskwatch_camera_state"}
    assert len(states) == 2 * len(CameraState)
    assert [labels for labels, value in states.items() if value] == [(door, "live"), (gate, "backing_off")]
    assert found["maskwatch_camera_fps_in", door] == 25
    assert found["maskwatch_camera_fps_analyzed", door] == 5
    assert found["maskwatch_camera_reconnects_total", door] == 2
    # All there ever were, which the database counts; and those of this ingest process.
    assert (found["maskwatch_camera_dropped_total", door], found["maskwatch_camera_dropped_total", gate]) == (2, 0)
    assert (found["maskwatch_camera_drops", door, "late"], found["maskwatch_camera_drops", door, "shed"]) == (3, 4)


def test_workers_queues_and_the_whole(api: Api) -> None:
    busy(api)
    found = scraped(api)
    up = {labels[1]: value for labels, value in found.items() if labels[0] == "maskwatch_worker_up"}
    assert up == {"aggregate-0": 1, "detect-0": 1, "detect-far-71-beef-0": 1}
    assert found["maskwatch_worker_done_total", "detect-0"] == 1
    assert found["maskwatch_worker_info", "litert on cpu", "ab12", "detect-0"] == 1
    assert (found["maskwatch_queue_length", "frames"], found["maskwatch_queue_length", "faces"]) == (0, 0)
    assert found["maskwatch_results_length", "0"] == 2
    assert found["maskwatch_ready",] == 1
    assert found["maskwatch_build_info", api.get("/version")["version"]] == 1


def test_a_worker_that_is_missing_is_down_and_the_system_not_ready(api: Api) -> None:
    api.beat("detect-0")
    found = scraped(api)
    assert (found["maskwatch_worker_up", "detect-0"], found["maskwatch_worker_up", "aggregate-0"]) == (1, 0)
    assert found["maskwatch_ready",] == 0


def test_nothing_but_identifiers_tells_of_cameras_and_removed_ones_are_gone(api: Api) -> None:
    door, gate = busy(api)
    assert "Door" not in api.client.get("/metrics").text
    assert "10.0.0.5" not in api.client.get("/metrics").text
    api.context.sites.archive_camera(gate)
    cameras = {labels[1] for labels in scraped(api) if labels[0].startswith("maskwatch_camera_")}
    assert cameras == {door}


def test_a_camera_that_nobody_speaks_of_has_a_state_all_the_same(api: Api) -> None:
    camera = api.camera(api.building(), enabled=False)
    assert scraped(api)["maskwatch_camera_state", camera, "disabled"] == 1


def test_without_the_bus_what_the_database_knows_is_told(api: Api) -> None:
    door, _ = busy(api)
    object.__setattr__(api.context, "bus", Bus("unix:///nowhere/redis.sock"))
    found = scraped(api)
    assert (found["maskwatch_ready",], found["maskwatch_camera_dropped_total", door]) == (0, 2)
    assert not [labels for labels in found if labels[0] in {"maskwatch_worker_up", "maskwatch_camera_state"}]


def test_without_the_database_what_the_bus_knows_is_told_of_the_cameras_known_before(api: Api) -> None:
    door, _ = busy(api)
    scraped(api)
    with writing(api.context.engine) as connection:
        connection.execute(text("ALTER TABLE camera RENAME TO elsewhere"))
    found = scraped(api)
    assert (found["maskwatch_ready",], found["maskwatch_camera_state", door, "live"]) == (0, 1)
    assert found["maskwatch_worker_up", "detect-0"] == 1
    assert ("maskwatch_camera_dropped_total", door) not in found


def test_a_database_that_hangs_is_waited_for_only_so_long(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(api)
    free = threading.Event()
    asked: list[None] = []
    monkeypatch.setattr(api.context.sites, "cameras", _hanging(api.context.sites.cameras, free, asked))
    try:
        began_s = time.monotonic()
        # However many ask meanwhile, the answer is the same, and nothing more waits for the database.
        with ThreadPoolExecutor(MOST_ASKING) as pool:
            answers = list(pool.map(lambda _: api.client.get("/metrics"), range(MOST_ASKING)))
        # One after the other they would wait four times.
        assert time.monotonic() - began_s < (2 if PROOF else 3.5) * DATABASE_LIMIT_S
        assert {answer.status_code for answer in answers} == {200}
        assert all("maskwatch_ready 0.0" in answer.text for answer in answers)
        assert len(asked) == 1
    finally:
        free.set()
    wait_for(lambda: scraped(api)["maskwatch_ready",] == 1)


def test_who_asks_too_often_at_once_leaves_threads_for_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than all of them need to come.
    monkeypatch.setattr("api.routes.metrics.DATABASE_LIMIT_S", 25.0)
    free = threading.Event()
    asked: list[None] = []
    monkeypatch.setattr(api.context.sites, "cameras", _hanging(api.context.sites.cameras, free, asked))
    with ThreadPoolExecutor(3 * MOST_ASKING) as pool:
        answers = [pool.submit(api.client.get, "/metrics") for _ in range(3 * MOST_ASKING)]
        wait_for(lambda: sum(answer.done() for answer in answers) >= 2 * MOST_ASKING)
        assert api.client.get("/api/v1/version").status_code == 200
        free.set()
    statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [200] * MOST_ASKING + [503] * 2 * MOST_ASKING


def test_how_periodic_work_stands(api: Api) -> None:
    log, now_ns = UpkeepLog(api.context.engine), time.time_ns()
    hour_ns = 3600 * NS_PER_S

    def ended(name: str, at_ns: int, error: str | None = None) -> None:
        log.begin(name, at_ns)
        log.end(UpkeepRecord(name, at_ns, 1.0, {}, error))

    ended("retention", now_ns - 5 * hour_ns)
    ended("retention", now_ns - hour_ns, "the disk is full")
    ended("rollup-repair", now_ns - 2 * hour_ns)
    # One is at it, another was killed.
    log.begin("rollup-repair", now_ns)
    log.begin("orphan-pictures", now_ns - hour_ns)
    found = scraped(api)
    ages_s = {labels[1]: value for labels, value in found.items() if labels[0] == "maskwatch_upkeep_age_seconds"}
    failed = {labels[1]: value for labels, value in found.items() if labels[0] == "maskwatch_upkeep_failed"}
    assert set(ages_s) == set(failed) == set(NAMES)
    assert ages_s.pop("retention") == pytest.approx(5 * 3600, abs=30)
    assert ages_s.pop("rollup-repair") == pytest.approx(2 * 3600, abs=30)
    assert set(ages_s.values()) == {math.inf}
    assert {name for name, value in failed.items() if value} == {"retention", "orphan-pictures"}
    ended("retention", now_ns)
    assert scraped(api)["maskwatch_upkeep_failed", "retention"] == 0


def test_it_is_the_text_that_every_prometheus_reads(still: Api) -> None:
    answer = still.client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.endswith("\n")
    families = list(text_string_to_metric_families(answer.text))
    # Nothing of the process or its language, and nothing twice.
    assert all(family.name.startswith("maskwatch_") for family in families)
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation for family in families)


def test_it_is_guarded_like_everything_else_and_no_part_of_the_contract(still: Api) -> None:
    problem(still.client.get("/metrics", headers={"Host": "evil.example"}), 421, "host-not-allowed")
    problem(still.client.post("/metrics"), 405, "method-not-allowed")
    assert still.client.head("/metrics").status_code == 200
    assert '"/metrics"' not in document_text()


def test_a_large_house_is_told_of_in_time(api: Api) -> None:
    building = api.building()
    at_ns = time.time_ns() // NS_PER_S * NS_PER_S
    doors = [NewCamera(f"Door {number}", building, "rtsp://10.0.0.5/1") for number in range(100)]
    for number, camera in enumerate([api.context.sites.add_camera(door) for door in doors]):
        api.says(
            camera.id, CameraStatus(CameraState.LIVE, None, at_ns, 25.0, 5.0, at_ns, "rtcp", None, {"late": number})
        )
    began_s = time.monotonic()
    found = scraped(api)
    assert time.monotonic() - began_s < (2.0 if PROOF else 10.0)
    assert sum(labels[0] == "maskwatch_camera_fps_in" for labels in found) == 100


def _hanging(real: Callable[[], Any], free: threading.Event, asked: list[None]) -> Callable[[], Any]:
    """A database that answers when it is let go."""

    def hanging() -> Any:
        asked.append(None)
        assert free.wait(30)
        return real()

    return hanging
