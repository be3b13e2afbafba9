"""What is remembered of a camera between two transactions, and what can be kept of a memory that is not readable any more."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from classify.fold import FoldState
from classify.ordering import CameraState
from classify.portraits import Portrait
from classify.spotting import Spot
from classify.suitability import Seeing
from storage.messages import FrameRef, Result
from storage.paths import Seen

SPARE_NUMBERS: Final = 1000
"""Tracks that are no passages have numbers, too, of which the database does not know."""

S = TypeVar("S", bound=msgspec.Struct)


class Path(msgspec.Struct):
    """The latest sightings of a track, and how many parts of it are stored already."""

    parts: int = 0
    seen: list[Seen] = msgspec.field(default_factory=list)


class Memory(msgspec.Struct):
    """All that is remembered of a camera between two transactions.

    Attributes:
        camera: its messages and who is in view.
        paths: of the tracks in view, by number.
        set_aside: the latest samples that could not be analysed: capture time and reason.
        released: holdings to be released after the transaction that this is part of; whoever finds them may do so again.
        begun_anew: how often who was in view had to be forgotten, since the memory of it could not be used.
        seeing: what faces looked like lately.
        faces: moments of which the face of somebody in breach is kept, by track.
        spots: tracks in view that people may be asked to check, with their best face so far, by number.
    """

    camera: CameraState = msgspec.field(default_factory=CameraState)
    paths: dict[int, Path] = msgspec.field(default_factory=dict)
    set_aside: list[tuple[int, str]] = msgspec.field(default_factory=list)
    released: list[FrameRef] = msgspec.field(default_factory=list)
    begun_anew: int = 0
    seeing: Seeing = msgspec.field(default_factory=Seeing)
    faces: dict[int, list[Portrait]] = msgspec.field(default_factory=dict)
    spots: dict[int, Spot] = msgspec.field(default_factory=dict)


def read_memory(packed: bytes) -> tuple[Memory, str | None]:
    """A memory as it was packed; of one that an earlier version of the program packed otherwise, what can be kept.

    Where the part that says who is in view is not readable, only the number of the last track is kept of it (0 where
    that is not, either): everything else goes on. A part that this version does not know is left out.

    Returns:
        The memory, and why it is not the whole (None where it is).
    """
    try:
        return msgspec.msgpack.decode(packed, type=Memory), None
    except msgspec.MsgspecError as error:
        reason = str(error)
    try:
        parts = msgspec.msgpack.decode(packed)
    except msgspec.MsgspecError:
        return Memory(), reason
    if not isinstance(parts, dict):
        return Memory(), reason
    camera_parts = parts.get("camera")
    camera_parts = camera_parts if isinstance(camera_parts, dict) else {}
    memory, camera = _kept(Memory(), parts), _kept(CameraState(), camera_parts)
    fold = camera_parts.get("fold")
    camera.fold = FoldState(last_number=_number(fold.get("last_number")) if isinstance(fold, dict) else 0)
    memory.camera = camera
    memory.released = [*memory.released, *_frames(camera_parts, camera)]
    return memory, reason


def _kept(fresh: S, parts: Mapping[str, Any]) -> S:
    """A fresh struct with all those of its fields that can be read."""
    for field in msgspec.structs.fields(fresh):
        if field.encode_name in parts:
            try:
                setattr(fresh, field.name, msgspec.convert(parts[field.encode_name], field.type, strict=False))
            except msgspec.MsgspecError:
                continue
    return fresh


def _frames(parts: Mapping[str, Any], camera: CameraState) -> list[FrameRef]:
    """Holdings of results that waited, where these could not be kept: nobody else would release them."""
    waiting, later = parts.get("waiting"), parts.get("later")
    lost = list(waiting.values()) if isinstance(waiting, dict) and not camera.waiting else []
    lost += later if isinstance(later, list) and not camera.later else []
    frames = []
    for each in lost:
        try:
            result = msgspec.convert(each, Result, strict=False)
        except msgspec.MsgspecError:
            continue
        if result.frame is not None:
            frames.append(result.frame)
    return frames


def _number(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
