"""The exact truth of a demo clip, and its file, as `INTERFACE.md` gives it ("Truth files").

The file has one key more than the interface asks for: a track's `stretches`, who wore what from when to when.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec

from infra.demo.masks import LABEL_OF
from infra.demo.scene import DemoClip, Walker
from infra.demo.sight import sightings
from storage.errors import InputError
from storage.files import write_bytes
from storage.words import Label

BOX_STEP_S = 0.2


class TruthTrack(msgspec.Struct, frozen=True):
    """One person's passage: `boxes` are (time_s, x, y, width, height), pixels of the tight face box within the picture.

    `label` is the one worn for the longest time while the face was seen; `stretches` are (from_s, to_s, label).
    """

    id: str
    label: Label
    boxes: tuple[tuple[float, int, int, int, int], ...]
    stretches: tuple[tuple[float, float, Label], ...] = ()


class Truth(msgspec.Struct, frozen=True):
    """All passages of one clip."""

    camera: str
    duration_s: float
    tracks: tuple[TruthTrack, ...]


def truth_of(clip: DemoClip) -> Truth:
    """The truth of a clip, from its description alone; persons whose face is never seen are not in it."""
    tracks = (_track(clip, walker) for walker in clip.walkers)
    return Truth(clip.camera, round(clip.frames / clip.fps, 3), tuple(track for track in tracks if track.boxes))


def truth_path(clip_path: Path) -> Path:
    """Where the truth of a clip lies: `a.mp4` has `a.truth.json` beside it."""
    return clip_path.with_suffix(".truth.json")


def save_truth(truth: Truth, path: Path) -> None:
    """Write a truth file atomically. Raises StorageError where it can't be written."""
    write_bytes(path, msgspec.json.encode(truth) + b"\n")


def load_truth(path: Path) -> Truth:
    """Read a truth file. Raises InputError where it is missing or isn't one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except OSError as error:
        raise InputError(f"cannot read the truth file {path}: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a truth file: {error}; make it again with the demo's clips") from error


def _track(clip: DemoClip, walker: Walker) -> TruthTrack:
    boxes = []
    for sighting in sightings(clip, walker, BOX_STEP_S):
        if sighting.seen:
            x, y, width, height = sighting.box
            left, top = max(0, round(x)), max(0, round(y))
            right, bottom = min(clip.lens.width, round(x + width)), min(clip.lens.height, round(y + height))
            boxes.append((round(sighting.t, 3), left, top, right - left, bottom - top))
    stretches = _stretches(walker, boxes[0][0], boxes[-1][0]) if boxes else ()
    worn = dict.fromkeys((label for _, _, label in stretches), 0.0)
    for start, end, label in stretches:
        worn[label] += end - start
    longest = max(worn, key=lambda label: worn[label], default=LABEL_OF[walker.stages[0].wearing])
    return TruthTrack(walker.id, longest, tuple(boxes), stretches)


def _stretches(walker: Walker, first_s: float, last_s: float) -> tuple[tuple[float, float, Label], ...]:
    """What was worn between the first and the last sighting; neighbours with one label are one stretch."""
    starts = [stage.from_s for stage in walker.stages] + [walker.until_s]
    found: list[tuple[float, float, Label]] = []
    for stage, (begin, finish) in zip(walker.stages, pairwise(starts), strict=True):
        start, end = round(max(begin, first_s), 3), round(min(finish, last_s), 3)
        label = LABEL_OF[stage.wearing]
        if end <= start:
            continue
        goes_on = bool(found) and found[-1][2] == label
        found.append((found.pop()[0] if goes_on else start, end, label))
    return tuple(found)
