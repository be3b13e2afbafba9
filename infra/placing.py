"""Watches one camera for some time, in this process, and counts what its faces look like; nothing is stored."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier
from classify.faces import Finds, classify_faces
from classify.fold import FoldState, Rules, finish, fold
from classify.suitability import Seeing, see
from detect.faces import Faces
from detect.looking import Looker
from infra.live.feed import Arrived, Connection, Feed
from infra.live.target import Target
from ingest.motion import Motion
from storage.database.records import Thresholds
from storage.face_tally import Tally
from storage.messages import NS_PER_S, Begin, Changes, Look, Result
from storage.needed_size import covered, drawn
from storage.regions import Regions
from storage.status import CameraState
from storage.suitability import Suitability, judged

TURN_S: Final = 0.2
FIRST_PICTURE_S: Final = 10.0
"""A camera that has shown nothing by then can't be reached."""

SETTLED_S: Final = 1.5
"""At first everything counts as moving, for a second."""

LIGHT_SHARE: Final = 0.8
"""Where more of the picture changes at once it is the light; who comes that near comes and goes with less."""

LEAST_COVERED_S: Final = 30.0
"""In less time somebody may not have moved at all: then all of the still is pixelated."""

NO_THRESHOLDS: Final = Thresholds()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a camera's pictures are looked at by.

    Attributes:
        fps: looks a second, at most.
        min_face_px: smallest face that is judged.
        regions: parts of the picture to watch or to ignore.
        thresholds: as the camera has them.
    """

    fps: float
    min_face_px: int
    regions: Regions = ()
    thresholds: Thresholds = NO_THRESHOLDS


class Placing:
    """One camera, watched for a while.

    >>> placing = Placing(target, looker, classifier, Terms(fps=5, min_face_px=24))  # doctest: +SKIP
    >>> placing.watch(600, lambda seconds, tally: None, lambda: False)
    >>> placing.found().verdict
    """

    def __init__(self, target: Target, looker: Looker, classifier: FaceClassifier, terms: Terms) -> None:
        """Prepare.

        Args:
            target: the camera.
            looker: finds faces.
            classifier: classifies them.
            terms: what to look by.
        """
        self._done = Tally()
        self.seconds = 0.0
        """For how long there was something to see."""
        self._feed = Feed(target, terms.fps)
        self._looker, self._classifier, self._terms = looker, classifier, terms
        self._motion, self._fold, self._seeing = Motion(terms.regions), FoldState(), Seeing()
        sample_ns = round(NS_PER_S / terms.fps)
        least, start = terms.thresholds.confidence, terms.thresholds.detection
        self._begin = Begin(
            "watched", 0, 0, live=True, dwell_ns=NS_PER_S, min_face_px=terms.min_face_px, sample_ns=sample_ns,
            confidence=least, detection=start,
        )  # fmt: skip
        self._rules = Rules.of(self._begin)
        self._seq = 0
        self._began_s: float | None = None
        self._picture: NDArray[np.uint8] | None = None
        self._people: NDArray[np.bool_] | None = None

    def watch(
        self, duration_s: float, report: Callable[[float], None], stopping: Callable[[], bool]
    ) -> Connection | None:
        """Watch.

        Args:
            duration_s: for how long, from the first picture on.
            report: told now and then for how long it has been watched.
            stopping: ends it early.

        Returns:
            Why it can't be reached; None where it could.

        Raises:
            MaskwatchError: it will never show anything.
        """
        feed, number = self._feed, 0
        feed.start()
        started_s, due_s = time.monotonic(), 0.0
        try:
            while not stopping():
                now_s = time.monotonic()
                if self._began_s is None and (away := self._away(now_s - started_s)) is not None:
                    return away
                if self._began_s is not None and now_s - self._began_s >= duration_s:
                    break
                arrived = feed.newest(number, TURN_S)
                if arrived is None:
                    if feed.ended:
                        break
                    continue
                number = arrived.number
                self._look(arrived)
                report(self.seconds)
                due_s = max(due_s + 1.0 / self._terms.fps, time.monotonic())
                while not stopping() and (left_s := due_s - time.monotonic()) > 0:
                    time.sleep(min(TURN_S, left_s))
            connection = feed.connection()
        finally:
            feed.stop()
            feed.join(TURN_S)
        if feed.error is not None:
            raise feed.error
        self._count(None, finish(self._fold, self._rules))
        return connection if self._began_s is None and not stopping() else None

    @property
    def tally(self) -> Tally:
        """What was seen so far."""
        whole = Tally()
        whole.add(self._done)
        whole.add(self._seeing.tally)
        return whole

    def found(self) -> Suitability:
        """How well the camera sees faces."""
        return judged(self.tally, self._terms.min_face_px)

    def still(self) -> bytes | None:
        """The view as JPEG, with the size that faces must have, and nobody to be recognised; None where there is none."""
        if self._picture is None:
            return None
        people = self._people if self.seconds >= LEAST_COVERED_S else None
        found = self.found()
        rgb = covered(self._picture, people)
        return drawn(rgb, self.tally, found.needed_px, found.comfortable_px, rgb.shape[1])

    def _away(self, waited_s: float) -> Connection | None:
        """How a camera fares that has shown nothing yet and will not soon; None while there is hope."""
        connection = self._feed.connection()
        failed = connection.state is CameraState.BACKING_OFF and connection.reason is not None
        return connection if failed or waited_s > FIRST_PICTURE_S else None

    def _look(self, arrived: Arrived) -> None:
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = now_s
        self.seconds = now_s - self._began_s
        # By arrival: only the order and the pace matter here.
        at_ns = time.monotonic_ns()
        luma = arrived.frame.luma()
        look, active = self._motion.judge(luma, at_ns)
        height, width = luma.shape
        result = Result("watched", 0, self._seq, at_ns, width, height, look)
        if look is not Look.NONE or self._picture is None:
            rgb = arrived.frame.rgb()
            least_px, regions = self._terms.min_face_px, self._terms.regions
            found = self._looker.look_at_sample(rgb, look, active, self._seq, min_face_px=least_px, regions=regions)
            finds = Finds(rgb, found.boxes, found.scores, found.keypoints, least_px)
            result = Result(
                "watched", 0, self._seq, at_ns, width, height, look, classify_faces(self._classifier, [finds])[0]
            )
            self._picture = rgb
            self._cover(active, found, width, height)
        self._seq += 1
        self._count(result, fold(self._fold, result, self._rules))

    def _cover(self, active: NDArray[np.bool_], found: Faces, width: int, height: int) -> None:
        """Remember where people may be: where anything moved, and around every find, sure or not."""
        rows, columns = active.shape
        if self._people is None or self._people.shape != active.shape:
            self._people = np.zeros_like(active)
        if self.seconds >= SETTLED_S and active.mean() < LIGHT_SHARE:
            self._people |= active
        for x, y, face_width, face_height in found.boxes.tolist():
            top, bottom = (y - face_height) / height * rows, (y + 2 * face_height) / height * rows
            left, right = (x - face_width) / width * columns, (x + 2 * face_width) / width * columns
            self._people[max(0, int(top)) : max(0, int(bottom) + 1), max(0, int(left)) : max(0, int(right) + 1)] = True

    def _count(self, result: Result | None, changes: Changes) -> None:
        done = see(self._seeing, result, changes, self._begin)
        if done is not None:
            self._done.add(done[1])
