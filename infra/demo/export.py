"""Sample files for the README and for trying things out: photos, face crops, a two-class folder, clips with truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from infra.demo.clips import write_clip
from infra.demo.corridor import CorridorRenderer, Frame
from infra.demo.masks import LABEL_OF
from infra.demo.scene import DemoClip
from infra.demo.script import demo_clips
from infra.demo.sight import sightings
from infra.demo.truth import truth_path
from storage.files import write_bytes
from storage.words import MASK_LABELS, Label

Progress = Callable[[float], None]
PHOTOS, CROPS_A_LABEL, TRAINING_A_CLASS, TRAINING_PX = 6, 8, 100, 128
_SEED = 7
_SECOND_CAST = 100
"""The training folder also shows people who are not in the demo's clips."""


@dataclass(frozen=True)
class _Face:
    """One clear face: its clip's number, time, box in pixels, label."""

    clip: int
    walker: str
    t: float
    box: tuple[float, float, float, float]
    label: Label


def export_samples(folder: Path, progress: Progress | None = None, *, with_clips: bool = True) -> list[Path]:
    """Write sample files under `folder` and return their paths in order; the same files every time.

    photos/ (6 JPEG, 1920x1080, several people each); crops/<label>/ (8 face crops for each of the three labels);
    training/with_mask and training/without_mask (100 crops of 128x128 each); clips/ (the demo's two clips and their
    truth). progress: called with the finished part, 0..1. Takes one to two minutes, most of it for the clips, which
    `with_clips=False` leaves out. Raises StorageError where a file can't be written, SetupError without scikit-image.
    """
    tell = progress or _silent
    clips = demo_clips(_SEED)
    stages = [CorridorRenderer(clip) for clip in clips]
    tell(0.05)
    written = _photos(folder / "photos", clips, stages)
    faces = _clear_faces(clips, 0)
    written += _crops(folder / "crops", faces, stages)
    tell(0.1)
    more = demo_clips(_SECOND_CAST)
    stages += [CorridorRenderer(clip) for clip in more]
    written += _training(folder / "training", faces + _clear_faces(more, len(clips)), stages)
    tell(0.25)
    for k, clip in enumerate(clips if with_clips else ()):
        path = folder / "clips" / f"{clip.camera}.mp4"
        write_clip(clip, path, partial(_tell_part, tell, 0.25 + 0.75 * k / len(clips), 0.75 / len(clips)))
        written += [path, truth_path(path)]
    tell(1.0)
    return written


def _silent(_part: float) -> None:
    """Nobody listens."""


def _tell_part(tell: Progress, start: float, share: float, part: float) -> None:
    tell(start + share * part)


def _clear_faces(clips: tuple[DemoClip, ...], first: int) -> list[_Face]:
    """All faces at 0.2 s steps that are whole, uncovered, and not in the middle of a change."""
    found = []
    for number, clip in enumerate(clips, first):
        for walker in clip.walkers:
            for sighting in sightings(clip, walker):
                at = walker.position(sighting.t)
                if at and at.hands_up == 0 and sighting.inside > 0.99 and sighting.covered < 0.02:
                    label = LABEL_OF[walker.wearing_at(sighting.t)]
                    found.append(_Face(number, walker.id, sighting.t, sighting.box, label))
    return found


def _photos(folder: Path, clips: tuple[DemoClip, ...], stages: list[CorridorRenderer]) -> list[Path]:
    """The moments with most people in view, from each clip the same number, at least 3 s apart."""
    written = []
    for clip, stage in zip(clips, stages, strict=False):
        crowd: dict[float, int] = {}
        for walker in clip.walkers:
            for sighting in sightings(clip, walker):
                crowd[sighting.t] = crowd.get(sighting.t, 0) + sighting.seen
        chosen: list[float] = []
        for t in sorted(crowd, key=lambda t: (-crowd[t], t)):
            if len(chosen) < PHOTOS // len(clips) and all(abs(t - other) >= 3.0 for other in chosen):
                chosen.append(t)
        for k, t in enumerate(sorted(chosen)):
            written.append(_save(folder / f"{clip.camera}-{k + 1}.jpg", stage.frame(t)))
    return written


def _crops(folder: Path, faces: list[_Face], stages: list[CorridorRenderer]) -> list[Path]:
    """For each label faces from small to large, in turn from different people."""
    written = []
    for label in MASK_LABELS:
        own = sorted((face for face in faces if face.label == label), key=lambda face: face.box[2])
        for k in range(CROPS_A_LABEL):
            face = own[round((0.05 + 0.95 * k / (CROPS_A_LABEL - 1)) * (len(own) - 1))]
            picture = stages[face.clip].frame(face.t)
            written.append(_save(folder / label / f"{label}-{k + 1}.jpg", _cut(picture, face.box, 0.2, (0.0, 0.0))))
    return written


def _training(folder: Path, faces: list[_Face], stages: list[CorridorRenderer]) -> list[Path]:
    """Square crops of one size, spread over all people and sizes, each cut a little differently."""
    rng = np.random.default_rng(_SEED)
    written = []
    for label in (Label.WITH_MASK, Label.WITHOUT_MASK):
        own = [face for face in faces if face.label == label]
        picks = np.linspace(0, len(own) - 1, TRAINING_A_CLASS).round().astype(int)
        for k, pick in enumerate(picks):
            face = own[int(pick)]
            shift = (float(rng.uniform(-0.08, 0.08)), float(rng.uniform(-0.08, 0.08)))
            crop = _cut(stages[face.clip].frame(face.t), face.box, float(rng.uniform(0.08, 0.3)), shift)
            square = cv2.resize(crop, (TRAINING_PX, TRAINING_PX), interpolation=cv2.INTER_AREA)
            written.append(_save(folder / label / f"{label}-{k + 1:03d}.jpg", np.asarray(square, np.uint8)))
    return written


def _cut(picture: Frame, box: tuple[float, float, float, float], margin: float, shift: tuple[float, float]) -> Frame:
    """A square around a face: the box's longer side plus `margin` of it on each side, moved by `shift` parts of it."""
    x, y, width, height = box
    side = max(width, height)
    half = side * (0.5 + margin)
    across, down = x + width / 2 + shift[0] * side, y + height / 2 + shift[1] * side
    left, top = max(0, round(across - half)), max(0, round(down - half))
    return picture[top : round(down + half), left : round(across + half)]


def _save(path: Path, picture: Frame) -> Path:
    """Write a JPEG of quality 92 atomically."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    write_bytes(path, data.tobytes())
    return path
