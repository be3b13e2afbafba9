"""Answers what the API asks about single pictures: who wears what in this one, and what speaks for a label?

A thread of the `classify` role, with networks of its own: those of the worker are busy with cameras, and no picture of a
stranger shall stop them. They are opened for the first question, take one at a time on one thread, and go when nobody has
asked for a while. What a picture shows is neither kept nor logged.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import cv2
import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from infra.analysis import Analyzer
from infra.settings import Settings
from storage.asking import ANALYZE, EXPLAIN, Asking, Request
from storage.bus import BusError
from storage.close_ups import around, decode_jpeg
from storage.errors import InputError, MaskwatchError
from storage.looking import AnalyzeAsked, ExplainAsked, Fault, LookAnswer
from storage.messages import Box
from storage.report import shown, to_json
from storage.snapshots import encode_jpeg

KINDS: Final = (ANALYZE, EXPLAIN)

MOST_PIXELS: Final = 25_000_000
"""Of a picture that somebody sends, where the settings allow more: such a one takes about ten seconds and 0.7 GB."""

IDLE_S: Final = 300.0
"""The networks go when nobody has asked for so long."""

BLOCK_MS: Final = 500
PRESENT_AGAIN_S: Final = 2.0
RETRY_S: Final = 1.0
ENDING_S: Final = 1.0
NICE: Final = 10
"""Cameras come first."""

MOST_ANSWER_BYTES: Final = 20 * 1024 * 1024
SMALLER_PX: Final = 4096
"""Longest side of an annotated picture that would be larger than that."""

ANNOTATED_QUALITY: Final = 92
EXPLAINED_QUALITY: Final = 90

log = structlog.get_logger(__name__)


class LookingUp:
    """Answers one question after the other; for one thread.

    >>> looking_up = LookingUp(load_settings())  # doctest: +SKIP
    >>> answer = looking_up.answer(request)  # doctest: +SKIP
    """

    def __init__(self, settings: Settings) -> None:
        """Begin; no network is opened yet.

        Args:
            settings: of the system.
        """
        most = min(settings.max_picture_pixels, MOST_PIXELS)
        self._settings = settings.model_copy(update={"threads": 1, "max_picture_pixels": most})
        self._analyzer: Analyzer | None = None
        self._used_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the networks are there."""
        return self._analyzer is not None

    def answer(self, request: Request) -> LookAnswer:
        """Answer, whatever it is about and however broken."""
        try:
            if request.kind == ANALYZE:
                return LookAnswer(self._analysed(msgspec.msgpack.decode(request.body, type=AnalyzeAsked)))
            return LookAnswer(self._explained(msgspec.msgpack.decode(request.body, type=ExplainAsked)))
        except InputError as error:
            return LookAnswer(None, Fault.PICTURE, str(error))
        except MaskwatchError as error:
            log.warning("a question about a picture can't be answered", kind=request.kind, reason=str(error))
            return LookAnswer(None, Fault.SETUP, str(error))
        except Exception as error:  # noqa: BLE001 whatever a library raises over a stranger's picture must not end the worker
            # Its message may tell of the picture.
            log.warning("a picture could not be looked at", kind=request.kind, error=type(error).__name__)
            return LookAnswer(None, Fault.PICTURE, "the picture can't be looked at: it is damaged, or of a rare kind")
        finally:
            self._used_s = time.monotonic()

    def rest(self) -> None:
        """Let the networks go if nobody has asked for `IDLE_S`."""
        if self._analyzer is not None and time.monotonic() - self._used_s >= IDLE_S:
            self.close()

    def close(self) -> None:
        """Let the networks go."""
        if self._analyzer is not None:
            self._analyzer.close()
            self._analyzer = None

    def _opened(self) -> Analyzer:
        self._analyzer = self._analyzer or _or_setup(lambda: Analyzer(self._settings))
        return self._analyzer

    def _analysed(self, asked: AnalyzeAsked) -> bytes:
        from infra.annotate import marked
        from ingest.pictures import read_picture_bytes

        name = shown(asked.name)
        rgb = read_picture_bytes(asked.picture, name, max_pixels=self._settings.max_picture_pixels)
        report = self._opened().report(rgb, name)
        return _annotated(marked(rgb, report.faces)) if asked.annotate else to_json(report).encode()

    def _explained(self, asked: ExplainAsked) -> bytes:
        from classify.classifier import model_file
        from classify.crops import crop_faces
        from training.explanation import heat_maps
        from training.labels import LABELS

        if asked.label not in LABELS:
            raise InputError(f"there is no label {asked.label!r}")
        rgb = decode_jpeg(asked.picture)
        analyzer = self._opened()
        classifier = analyzer.classifier
        box = asked.box or _largest(analyzer, rgb)
        crops = crop_faces(rgb, np.array([box], np.float32), size=classifier.image_size, margin=classifier.margin)
        labels = np.array([LABELS.index(asked.label)], np.int64)
        file = model_file(self._settings.model)
        heats = heat_maps(classifier, crops, labels, file=file)
        if heats is None:
            raise MaskwatchError(f"the model {classifier.name} gives no activation maps, so it can't be explained")
        return encode_jpeg(_with_heat(rgb, box, heats[0], classifier.margin), EXPLAINED_QUALITY)


@contextmanager
def looking_up(asking: Asking, settings: Settings) -> Iterator[None]:
    """Answer such questions in a thread while the block runs.

    Args:
        asking: to be asked by.
        settings: of the system.
    """
    ending = threading.Event()
    thread = threading.Thread(target=_run, args=(asking, LookingUp(settings), ending), name="looking-up", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(ENDING_S)
        with suppress(BusError):
            asking.absent(KINDS)


def _run(asking: Asking, looking: LookingUp, ending: threading.Event) -> None:
    # On Linux it is a thread's own; elsewhere it would be the whole worker's.
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    present_s = 0.0
    while not ending.is_set():
        try:
            if time.monotonic() >= present_s:
                asking.present(KINDS)
                present_s = time.monotonic() + PRESENT_AGAIN_S
            request = asking.next_request(KINDS, BLOCK_MS)
            if request is None:
                looking.rest()
                continue
            with _present_meanwhile(asking):
                answer = looking.answer(request)
            asking.answer(request, msgspec.msgpack.encode(answer))
        except BusError as error:
            log.warning("no questions about pictures are taken", error=str(error))
            ending.wait(RETRY_S)
        except Exception as error:  # noqa: BLE001 whatever happens, later questions are answered
            log.warning("no questions about pictures are taken", error=type(error).__name__)
            ending.wait(RETRY_S)
    looking.close()


@contextmanager
def _present_meanwhile(asking: Asking) -> Iterator[None]:
    """Who looks at a large picture for long is still there."""
    done = threading.Event()

    def say() -> None:
        while not done.wait(PRESENT_AGAIN_S):
            with suppress(BusError):
                asking.present(KINDS)

    thread = threading.Thread(target=say, name="looking-up-present", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _or_setup(opened: Callable[[], Analyzer]) -> Analyzer:
    """What is wrong with our own files is no fault of a picture."""
    try:
        return opened()
    except InputError as error:
        raise MaskwatchError(str(error)) from error


def _largest(analyzer: Analyzer, rgb: NDArray[np.uint8]) -> Box:
    faces = analyzer.faces_in_picture(rgb)
    if not faces:
        raise InputError("no face was found in the picture, so there is nothing to explain")
    return max(faces, key=lambda face: face.box[2] * face.box[3]).box


def _annotated(rgb: NDArray[np.uint8]) -> bytes:
    jpeg = encode_jpeg(rgb, ANNOTATED_QUALITY)
    if len(jpeg) <= MOST_ANSWER_BYTES:
        return jpeg
    scale = SMALLER_PX / max(rgb.shape[:2])
    smaller = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return encode_jpeg(np.asarray(smaller, np.uint8), ANNOTATED_QUALITY)


def _with_heat(rgb: NDArray[np.uint8], box: Box, heat: NDArray[np.float32], margin: float) -> NDArray[np.uint8]:
    """The close-up of a face with heat over what the classifier saw of it."""
    from training.gradcam import coloured, enlarged

    window = around(rgb.shape[0], rgb.shape[1], box)
    shown_part = window.of(rgb)
    x, y, width, height = box
    side = (1.0 + 2.0 * margin) * max(width, height)
    left = round((x + width / 2.0 - side / 2.0 - window.left) * window.scale)
    top = round((y + height / 2.0 - side / 2.0 - window.top) * window.scale)
    grown = enlarged(heat, max(1, round(side * window.scale)), max(1, round(side * window.scale)))
    canvas = np.zeros(shown_part.shape[:2], np.float32)
    inside = canvas[max(0, top) : max(0, top + len(grown)), max(0, left) : max(0, left + len(grown))]
    rows, columns = inside.shape
    inside[:] = grown[max(0, -top) : max(0, -top) + rows, max(0, -left) : max(0, -left) + columns]
    return coloured(shown_part, canvas)
