"""A fair share of every batch for each camera: deficit round robin over what is waiting.

After M. Shreedhar and G. Varghese, "Efficient fair queuing using deficit round-robin" (1995): in turn each camera is
credited with the same number of faces, and its oldest sample goes when its credit covers it. So a camera with 30 faces a
frame gets as many faces through as any other, and all that is left over.
"""

import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from storage.frame_access import Frames
from storage.messages import Found, Lost, Message

HOLD: Final = 64
"""Samples at hand, at most: among them the next ones are chosen. Others see no more of them."""

MOST_FACES: Final = 32
"""In a batch, where one sample alone has no more."""

PATIENCE_S: Final = 0.5
"""What has not been at hand for so long is not given up yet: after a pause there is more to do, and soon done."""

CALM_S: Final = 10.0
"""Where nothing was shed for so long, shedding is over."""

log = structlog.get_logger(__name__)


class Waiting(NamedTuple):
    """A sample that waits.

    Attributes:
        camera: whose.
        faces: how many, at least 1.
    """

    camera: str
    faces: int


def fair_batch(waiting: Sequence[Waiting], credit: Mapping[str, int], most: int) -> tuple[list[int], dict[str, int]]:
    """Which samples go into the next batch.

    Args:
        waiting: oldest first.
        credit: of cameras in faces, as the last call gave it.
        most: faces; only a sample that has more goes beyond it, alone.

    Returns:
        The places of at least one sample, and the credit for the next call: of a camera that has nothing waiting none is
        kept.
    """
    queues: dict[str, deque[int]] = defaultdict(deque)
    for place, each in enumerate(waiting):
        queues[each.camera].append(place)
    left = {camera: credit.get(camera, 0) for camera in queues}
    share = max(1, most // max(1, len(queues)))
    chosen: list[int] = []
    total = 0
    while any(queues.values()):
        # Who was owed most is asked first, so that a full batch never passes over the same camera twice.
        for camera in sorted(queues, key=lambda camera: -left[camera]):
            queue = queues[camera]
            left[camera] += share if queue else 0
            while queue and waiting[queue[0]].faces <= left[camera]:
                if chosen and total + waiting[queue[0]].faces > most:
                    return chosen, {name: left[name] for name, rest in queues.items() if rest}
                left[camera] -= waiting[queue[0]].faces
                total += waiting[queue[0]].faces
                chosen.append(queue.popleft())
    return chosen, {}


def overdue(waiting: Sequence[tuple[str, bool]], keep: int) -> list[int]:
    """The oldest samples of live cameras of which more than `keep` wait, by place.

    Args:
        waiting: camera and whether it is live, oldest first.
        keep: samples of a camera that may wait.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, (camera, live) in enumerate(waiting):
        if live:
            places[camera].append(place)
    return sorted(place for each in places.values() for place in each[: max(0, len(each) - keep)])


class FairPlan:
    """The `storage.bench.Plan` of `classify`."""

    def __init__(self, frames: Frames, *, backlog: int, most: int = MOST_FACES, gather_s: float = 0.0) -> None:
        """Make one.

        Args:
            frames: what is given up is released there.
            backlog: samples of a live camera that may wait.
            most: faces in a batch.
            gather_s: for how long a batch that is not full is worth waiting for.
        """
        self.hold = HOLD
        self._frames, self._backlog, self._most, self._gather_s = frames, backlog, most, gather_s
        self._credit: dict[str, int] = {}
        self._since_s: dict[tuple[str, int, int], float] = {}
        self._shed, self._shed_s = 0, 0.0

    def choose(self, waiting: Sequence[Found]) -> list[int]:
        chosen, self._credit = fair_batch([_waiting(found) for found in waiting], self._credit, self._most)
        return chosen

    def wait_s(self, waiting: Sequence[Found]) -> float:
        return self._gather_s if sum(_waiting(found).faces for found in waiting) < self._most else 0.0

    def overdue(self, waiting: Sequence[Found]) -> list[int]:
        now_s = time.monotonic()
        if self._shed and now_s - self._shed_s > CALM_S:
            log.warning("all faces are classified again", shed=self._shed)
            self._shed = 0
        self._since_s = {key: self._since_s.get(key, now_s) for key in map(_key, waiting)}
        places = overdue([(found.sample.camera, found.sample.frame.live) for found in waiting], self._backlog)
        return [place for place in places if now_s - self._since_s[_key(waiting[place])] > PATIENCE_S]

    def lose(self, tasks: Sequence[Found]) -> tuple[Message, ...]:
        samples = [found.sample for found in tasks]
        if not self._shed:
            cameras = sorted({each.camera for each in samples})
            log.warning("more faces than can be classified: samples are shed", cameras=cameras)
        self._shed, self._shed_s = self._shed + len(samples), time.monotonic()
        return tuple(Lost(each.camera, each.epoch, each.seq, each.seq, each.at_ns) for each in samples)

    def release(self, tasks: Sequence[Found]) -> None:
        self._frames.release(found.sample.frame for found in tasks)


def _key(found: Found) -> tuple[str, int, int]:
    return found.sample.camera, found.sample.epoch, found.sample.seq


def _waiting(found: Found) -> Waiting:
    # A score is a float32.
    return Waiting(found.sample.camera, max(1, len(found.scores) // 4))
