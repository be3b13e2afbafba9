"""What Prometheus is told: what is known of the system, as text. No clock, no connection."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from storage.database.upkeep import UpkeepStanding
from storage.pulse import Heartbeat, heard_at
from storage.status import CameraState, CameraStatus

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""Every version of Prometheus reads this one."""


@dataclass(frozen=True, slots=True)
class Known:
    """What could be found out.

    Attributes:
        expected: names of the workers without which the system is not ready.
        lost: samples lost of each camera in use, by its identifier; None while the database is away.
        beats: the last word of every living worker, by name; None while the bus is away.
        queues: entries of each queue, by its name.
        results: entries of each partition.
        cameras: how they fare, by identifier.
        upkeep: how periodic work stands, by name; empty while the database is away.
    """

    expected: Collection[str]
    lost: Mapping[str, int] | None
    beats: Mapping[str, Heartbeat] | None
    queues: Mapping[str, int]
    results: Sequence[int]
    cameras: Mapping[str, CameraStatus]
    upkeep: Mapping[str, UpkeepStanding]

    @property
    def ready(self) -> bool:
        """Whether database, bus and every expected worker are there."""
        beats = self.beats
        return self.lost is not None and beats is not None and all(heard_at(name, beats) for name in self.expected)


class _Families(Collector):
    def __init__(self, known: Known) -> None:
        self._known = known

    def collect(self) -> Iterator[Metric]:
        yield _gauge("ready", "Whether database, bus and every worker are there.", (), [((), self._known.ready)])
        yield _gauge("build_info", "What runs here.", ("version",), [((version("maskwatch"),), 1)])
        yield from _of_cameras(self._known)
        yield from _of_workers(self._known)
        queues = [((name,), length) for name, length in self._known.queues.items()]
        yield _gauge("queue_length", "Entries of a queue, those in hand included.", ("stream",), queues)
        results = [((str(number),), length) for number, length in enumerate(self._known.results)]
        yield _gauge("results_length", "Results that wait for a partition's aggregator.", ("partition",), results)
        yield from _of_upkeep(self._known)


def text(known: Known) -> bytes:
    """All of it, in the text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Families(known))
    return generate_latest(registry)


_Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the value."""


def _gauge(name: str, said: str, labels: Sequence[str], samples: _Samples) -> Metric:
    family = GaugeMetricFamily(f"maskwatch_{name}", said, labels=labels)
    for values, value in samples:
        family.add_metric(values, float(value))
    return family


def _counter(name: str, said: str, labels: Sequence[str], samples: _Samples) -> Metric:
    family = CounterMetricFamily(f"maskwatch_{name}", said, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _of_cameras(known: Known) -> Iterator[Metric]:
    # Every state has its line, so that one that is left goes to 0 at once.
    states = [
        ((name, state.value), state is status.state) for name, status in known.cameras.items() for state in CameraState
    ]
    yield _gauge("camera_state", "1 for the state a camera is in.", ("camera", "state"), states)
    every = known.cameras.items()
    fps_in = [((name,), status.fps_in) for name, status in every]
    yield _gauge("camera_fps_in", "Frames a second that arrive.", ("camera",), fps_in)
    fps_analyzed = [((name,), status.fps_analyzed) for name, status in every]
    yield _gauge("camera_fps_analyzed", "Samples a second that are looked at.", ("camera",), fps_analyzed)
    lost = [((name,), count) for name, count in (known.lost or {}).items()]
    yield _counter("camera_dropped", "Samples that were not looked at, ever.", ("camera",), lost)
    drops = [((name, place), count) for name, status in every for place, count in sorted(status.drops.items())]
    said = "Samples dropped since the camera's ingest process began, by where."
    yield _gauge("camera_drops", said, ("camera", "place"), drops)
    reconnects = [((name,), status.reconnects) for name, status in every]
    said = "Connections made anew since the camera's ingest process began."
    yield _counter("camera_reconnects", said, ("camera",), reconnects)


def _of_workers(known: Known) -> Iterator[Metric]:
    beats = known.beats
    up = [] if beats is None else [((name,), heard_at(name, beats) is not None) for name in {*known.expected, *beats}]
    yield _gauge("worker_up", "Whether a worker gives a sign of life.", ("worker",), sorted(up))
    living = sorted((beats or {}).items())
    done = [((name,), beat.done) for name, beat in living]
    yield _counter("worker_done", "Samples, batches or messages done since a worker's start.", ("worker",), done)
    infos = [((name, beat.device or "", beat.store), 1) for name, beat in living]
    said = "What a worker's network runs on, and which frame store in shared memory it sees."
    yield _gauge("worker_info", said, ("worker", "device", "store"), infos)


def _of_upkeep(known: Known) -> Iterator[Metric]:
    works = known.upkeep.items()
    ages_s = [((name,), math.inf if one.age_s is None else one.age_s) for name, one in works]
    said = "Seconds since periodic work that ended well was begun; +Inf where it never did."
    yield _gauge("upkeep_age_seconds", said, ("work",), ages_s)
    failed = [((name,), one.failed) for name, one in works]
    yield _gauge("upkeep_failed", "Whether periodic work did not end well the last time.", ("work",), failed)
