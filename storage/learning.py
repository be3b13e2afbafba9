"""Pictures that people have judged, as `maskwatch train` reads them: a ZIP file with a folder for each label.

Beside the folders, `reviews.jsonl` says of each picture where the face is, and `manifest.csv` who said so, and when.
"""

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from storage.camera_cells import harmless
from storage.close_ups import CLOSE_UP_QUALITY, decode_jpeg
from storage.database.judged_pictures import JudgedEvent
from storage.errors import InputError
from storage.messages import NS_PER_S, Box
from storage.reviewing import Reason, Verdict
from storage.sharpness import BLURRED_BELOW, sharpness
from storage.snapshots import PERSON_MARGIN, encode_jpeg
from storage.words import NOT_A_FACE, Label
from storage.zip_stream import entry, streamed

LEAST_PX: Final = 24
"""Longer side of the smallest face to learn from."""

PICTURE_NAME: Final = re.compile(r"[0-9a-f]{64}\.jpg")
COLUMNS: Final = ("picture", "label", "machine_label", "labelled_by", "labelled_at", "camera", "event", "seen_at")


class Example(msgspec.Struct, frozen=True):
    """A picture to learn from.

    Attributes:
        name: of the file, with its folder.
        jpeg: the person's face and a little around it.
        box: the face in it.
        label: by people; `machine_label` by the system.
        seen_ns: when it was taken.
    """

    name: str
    jpeg: bytes
    box: Box
    label: str
    machine_label: str
    seen_ns: int


def label_of(event: JudgedEvent) -> str | None:
    """What people say the pictures of an event show; None: nothing that can be learned."""
    if event.verdict == Verdict.CONFIRMED:
        return event.type
    if event.reason == Reason.NOT_A_PERSON:
        return NOT_A_FACE
    return None if event.label == Label.UNKNOWN else event.label


def examples(event: JudgedEvent, snapshots: Path) -> list[Example]:
    """What can be learned from an event: pictures that are large and sharp enough.

    Of the faces those count that the system took for what the event is about: people have judged these.

    Args:
        event: that people have judged.
        snapshots: folder of the pictures.
    """
    label = label_of(event)
    if label is None:
        return []
    found: list[Example] = []
    cut = _from_snapshot(event, snapshots)
    if cut is not None:
        seen_ns = event.started_ns if event.taken_ns is None else event.taken_ns
        found.append(Example(f"{label}/{event.id}.jpg", *cut, label, event.machine_type, seen_ns))
    for at_ns, machine_label, jpeg in event.faces:
        if machine_label == event.machine_type and at_ns != event.taken_ns and (box := _inner(jpeg)) is not None:
            found.append(Example(f"{label}/{event.id}-{at_ns}.jpg", jpeg, box, label, machine_label, at_ns))
    return found


def as_zip(events: Iterable[JudgedEvent], snapshots: Path) -> Iterator[bytes]:
    """The ZIP file, piece by piece: no more than one picture of it is in memory.

    Args:
        events: that people have judged.
        snapshots: folder of the pictures.
    """
    return streamed(lambda archive: _written(archive, events, snapshots))


def _written(archive: zipfile.ZipFile, events: Iterable[JudgedEvent], snapshots: Path) -> Iterator[None]:
    lines: list[str] = []
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for event in events:
        for one in examples(event, snapshots):
            archive.writestr(entry(one.name, one.seen_ns, packed=False), one.jpeg)
            lines.append(json.dumps(_line(event, one)))
            cells = (one.name, one.label, one.machine_label, event.by or "", _time(event.at_ns))
            writer.writerow([harmless(cell) for cell in (*cells, event.camera_id, event.id, _time(one.seen_ns))])
            yield
    archive.writestr(entry("reviews.jsonl"), "\n".join([*lines, ""]))
    archive.writestr(entry("manifest.csv"), table.getvalue())


def _from_snapshot(event: JudgedEvent, snapshots: Path) -> tuple[bytes, Box] | None:
    """The face in an event's picture, with a little around it, and where it is therein."""
    if event.snapshot is None or event.box is None or not PICTURE_NAME.fullmatch(event.snapshot):
        return None
    x, y, width, height = event.box
    if max(width, height) < LEAST_PX:
        return None
    try:
        rgb = decode_jpeg((snapshots / event.snapshot).read_bytes())
    except (OSError, InputError):
        # Its time may be over since the database was asked.
        return None
    across, down = round(PERSON_MARGIN * width), round(PERSON_MARGIN * height)
    left, top = max(0, x - across), max(0, y - down)
    cut = rgb[top : max(0, y + height + down), left : max(0, x + width + across)]
    face = rgb[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)]
    if not face.size or not _sharp(face):
        return None
    return encode_jpeg(np.ascontiguousarray(cut), CLOSE_UP_QUALITY), (x - left, y - top, width, height)


def _inner(jpeg: bytes) -> Box | None:
    """Where the face is in the small picture of one; None where it is blurred."""
    try:
        rgb = decode_jpeg(jpeg)
    except InputError:
        return None
    height, width = rgb.shape[:2]
    share = PERSON_MARGIN / (1.0 + 2.0 * PERSON_MARGIN)
    left, top = round(share * width), round(share * height)
    box = (left, top, width - 2 * left, height - 2 * top)
    face = rgb[top : top + box[3], left : left + box[2]]
    return box if max(box[2:]) >= LEAST_PX and _sharp(face) else None


def _sharp(face: NDArray[np.uint8]) -> bool:
    return sharpness(cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY)) >= BLURRED_BELOW


def _line(event: JudgedEvent, one: Example) -> dict[str, object]:
    return {
        "image": one.name,
        "box": list(one.box),
        "label": one.label,
        "camera": event.camera_id,
        "event": event.id,
        "at": _time(one.seen_ns),
    }


def _time(at_ns: int | None) -> str:
    if at_ns is None:
        return ""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).isoformat().replace("+00:00", "Z")
