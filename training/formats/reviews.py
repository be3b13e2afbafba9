"""What people decided in reviews, exported from our own database: a folder with `reviews.jsonl` and the pictures.

Each line is one JSON object:

    {"image": "pictures/0f3a.jpg", "box": [812, 300, 64, 80], "label": "incorrect_mask",
     "camera": "north-entrance", "event": "e1", "at": "2025-03-04T10:15:00+01:00"}

    image   the picture's file, relative to the folder
    box     x, y, width, height in its pixels, or null where the picture is the face
    label   with_mask, without_mask, incorrect_mask, or not_a_face for a false alarm
    camera  who saw it
    event   the event it belongs to, or null
    at      when, as ISO 8601

Pictures of one camera on one day are a group, and an event belongs wholly to the day it began on, so that one passage
is never seen in training and asked for in a test.
"""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from storage.errors import InputError
from training.formats.listed import Finder, Listing, box_of, read_text, shown
from training.formats.table import Entry
from training.labels import LABELS

FILE: Final = "reviews.jsonl"


def applies(folder: Path) -> bool:
    """Whether `folder` is a review export."""
    return (folder / FILE).is_file()


def read(folder: Path, source: str) -> Listing:
    """The reviewed pictures.

    Raises:
        InputError: a line is not as it should be.
    """
    path = folder / FILE
    finder = Finder(folder)
    entries: dict[Path, Entry] = {}
    event_of: dict[Path, tuple[str, str]] = {}
    began: dict[tuple[str, str], str] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"line {number} of {shown(path)}"
        review = _review(line, where)
        found = finder.find(review["image"], [folder], where)
        box = None if review.get("box") is None else box_of(review["box"], where)
        entries.setdefault(found, Entry("", where)).add(box, LABELS.index(review["label"]), where)
        day = review["at"][:10]
        # What belongs to no event is an event of that day.
        event = (review["camera"], str(review.get("event") or f"none on {day}"))
        event_of.setdefault(found, event)
        began[event] = min(day, began.get(event, day))
    groups = {found: f"{event[0]} {began[event]}" for found, event in event_of.items()}
    # Only the event's person was reviewed: others in the picture are no false alarms.
    pictures = [
        replace(entry.picture(found, source, groups[found]), complete=False) for found, entry in entries.items()
    ]
    return Listing(pictures)


def _review(line: str, where: str) -> dict[str, Any]:
    try:
        review = json.loads(line)
        texts = {name: review[name] for name in ("image", "label", "camera", "at")}
        if not all(isinstance(value, str) for value in texts.values()):
            raise TypeError("image, label, camera and at must be texts")
        datetime.fromisoformat(review["at"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{where} is not a review ({error!r}): export the reviews again") from error
    if review["label"] not in LABELS:
        raise InputError(f"{where} has the label {review['label']!r}: it must be one of {', '.join(LABELS)}")
    return dict(review)
