"""Each kernel alone: CPU milliseconds a call, beside the library underneath called bare."""

from collections import deque
from collections.abc import Callable
from itertools import islice, takewhile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify import quality
from classify.classifier import load_model
from classify.crops import crop_faces
from detect.blazeface import BlazeFace
from detect.looking import Looker
from detect.models import detector_model
from detect.tiles import plan_tiles
from infra.bench.bare import bare_frames, bare_network
from infra.bench.report import Measurement, cost, figure
from infra.bench.stopwatch import median_ms, median_ms_beside
from infra.settings import Settings
from ingest.footage import Footage, Frame
from ingest.motion import Motion
from storage.messages import NS_PER_S
from storage.snapshots import encode_snapshot

SECONDS: Final = 10.0
"""Length of the footage, by default."""

DECODED_FRAMES: Final = 250
"""Frames decoded in a pass, at most: footage of one's own may last hours."""

PASSES: Final = 5
SAMPLED_NS: Final = 10 * NS_PER_S

PICTURES: Final = 16
"""Samples kept decoded; more would only take memory."""

BATCH: Final = 16
CALLS: Final = 200
"""About so many calls of everything that takes milliseconds."""

Progress = Callable[[float, float | None], None]


def run_kernels(path: Path, settings: Settings, progress: Progress) -> list[Measurement]:
    """Measure all kernels on footage.

    Raises:
        InputError: footage or model can't be used.
        SetupError: a model file is missing.
    """
    progress(0, 4)
    rows = _decoding(path, settings.fps)
    frames = _samples(path, settings.fps)
    for done, part in enumerate((_seeing, _looking, _classifying), 1):
        progress(done, 4)
        rows += part(frames, settings)
    return rows


def _decoding(path: Path, fps: float) -> list[Measurement]:
    def ours(_item: object) -> int:
        with Footage(path, threads=1) as footage:
            return sum(1 for _ in islice(footage.frames(fps), DECODED_FRAMES))

    def bare(_item: object) -> int:
        return sum(1 for _ in islice(bare_frames(path), DECODED_FRAMES))

    frames = ours(None)
    value, limit = median_ms_beside(ours, bare, range(PASSES))
    return [cost("decode_ms", value / frames, "ms", limit / frames)]


def _seeing(frames: list[Frame], _settings: Settings) -> list[Measurement]:
    motion = Motion()
    # Time goes on from round to round: motion judged on a sample older than the last would be another question.
    times = iter(range(10**15, 10**18, 2 * 10**8))
    rounds = -(-CALLS // len(frames))
    return [
        figure("motion_ms", median_ms(lambda frame: motion.judge(frame.luma(), next(times)), frames, rounds=rounds), "ms"),
        figure("convert_ms", median_ms(Frame.rgb, frames, rounds=rounds), "ms"),
    ]  # fmt: skip


def _looking(frames: list[Frame], settings: Settings) -> list[Measurement]:
    model = detector_model(settings.detector)
    model_path = settings.detector_model or settings.models_dir / model.file_name
    pictures = [frame.rgb() for frame in frames]
    height, width = pictures[0].shape[:2]
    tiles = plan_tiles(
        width, height, settings.min_face_px, input_px=model.input_px, smallest_face_px=model.smallest_face_px
    )
    with BlazeFace(model, model_path) as detector:
        squares = [
            np.ascontiguousarray(picture[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width])
            for picture in pictures
            for tile in tiles
        ][: 2 * CALLS]
        network = bare_network(model_path, (1, model.input_px, model.input_px, 3))
        value, limit = median_ms_beside(detector.detect, network, squares)
        looker = Looker([detector], min_face_px=settings.min_face_px)
        full = median_ms(looker.look, pictures)
    return [
        cost("detect_ms", value, "ms", limit),
        figure("full_look_ms", full, "ms"),
        figure("full_look_tiles", len(tiles), "looks"),
    ]


def _classifying(frames: list[Frame], settings: Settings) -> list[Measurement]:
    classifier = load_model(settings.model)
    picture = frames[-1].rgb()
    boxes = _boxes(picture)
    keypoints = np.full((BATCH, 6, 2), np.nan, np.float32)
    sides = boxes[:, 2].astype(np.float64)
    crops = crop_faces(picture, boxes, size=classifier.image_size, margin=classifier.margin)
    network = bare_network(settings.model, (BATCH, classifier.image_size, classifier.image_size, 3))
    value, limit = median_ms_beside(lambda _: classifier.classify(crops), network, range(CALLS // 4))
    crop = median_ms(
        lambda _: crop_faces(picture, boxes, size=classifier.image_size, margin=classifier.margin), range(CALLS)
    )
    measure = median_ms(lambda _: quality.measure(crops, sides, keypoints), range(CALLS))
    person = tuple(boxes[0].astype(int).tolist())
    return [
        figure("crop_ms", crop / BATCH, "ms"),
        figure("quality_ms", measure / BATCH, "ms"),
        cost("classify_ms", value / BATCH, "ms", limit / BATCH),
        figure("snapshot_ms", median_ms(lambda _: encode_snapshot(picture, person), range(CALLS // 4)), "ms"),
    ]


def _samples(path: Path, fps: float) -> list[Frame]:
    """The last samples of the first seconds: by then there are people in the demo's footage."""
    with Footage(path, threads=1) as footage:
        start = takewhile(lambda frame: frame.at_ns < SAMPLED_NS, footage.frames(fps))
        return list(deque((frame for frame in start if frame.sampled), maxlen=PICTURES))


def _boxes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Face boxes for a batch, from small to large, spread over the picture.

    Neither cropping nor the network depends on what the pixels show, only on sizes.
    """
    height, width = picture.shape[:2]
    share = np.linspace(0.0, 1.0, BATCH)
    sides = np.maximum(4.0, height * (0.03 + 0.11 * share))
    boxes = np.stack([share * (width - sides), share * (height - sides), sides, sides], axis=1)
    return boxes.astype(np.float32)
