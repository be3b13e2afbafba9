"""What people have said of events, in rows of tracks and events: the system's words stay beside it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Row

from storage.database.rollups import track_columns
from storage.reviewing import Judged, Reason, Review, Verdict, judged
from storage.words import Label


class LabelKept(msgspec.Struct, frozen=True):
    """What people said of a track: its label, None where they said none, and its ruling."""

    label: str | None = None
    ruling: str | None = None


def kept_label(track: Row[Any]) -> LabelKept:
    """What they said of a track that has a row."""
    return LabelKept(None if track.machine_label is None else track.label, track.ruling)


def told_label(event: Row[Any] | None, label: Label) -> LabelKept:
    """What they said of a track that had no row when they judged its event.

    Args:
        event: its row, if there is one.
        label: what the system says of the track.
    """
    if event is None:
        return LabelKept()
    return kept_of(judged(said_of_event(event), label, review_of(event)))


def kept_of(found: Judged) -> LabelKept:
    """What of that concerns the track."""
    return LabelKept(
        found.label.value if found.label_kept else None, None if found.ruling is None else found.ruling.value
    )


def labelled(machine_label: str, machine_reason: str | None, kept: LabelKept) -> dict[str, str | None]:
    """A track's columns, by what the system says and what people said."""
    said = kept.label is not None
    return {
        "label": kept.label or machine_label,
        # Why it is unknown is known where the system says so too.
        "unknown_reason": machine_reason if kept.label in {None, machine_label} else None,
        "machine_label": machine_label if said else None,
        "machine_reason": machine_reason if said else None,
        "ruling": kept.ruling,
    }


def columns_of(row: Row[Any] | Mapping[str, Any]) -> tuple[str, ...]:
    """Where the row of a track goes in totals."""
    track = row._mapping if isinstance(row, Row) else row  # noqa: SLF001 its name for it
    return track_columns(
        track["label"],
        counted=track["counted"],
        outside_hours=track["outside_hours"],
        ruling=track["ruling"],
        unknown_reason=track["unknown_reason"],
    )


def said_of_track(track: Row[Any]) -> tuple[Label, str | None]:
    """Label and reason as the system has them."""
    if track.machine_label is None:
        return Label(track.label), track.unknown_reason
    return Label(track.machine_label), track.machine_reason


def said_of_event(event: Row[Any]) -> Label:
    """The type as the system has it."""
    return Label(event.machine_type or event.type)


def review_of(event: Row[Any]) -> Review | None:
    """What is said of an event now; None: nothing."""
    if event.verdict == Verdict.PENDING:
        return None
    return Review(
        Verdict(event.verdict),
        None if event.review_reason is None else Reason(event.review_reason),
        None if event.review_label is None else Label(event.review_label),
        event.review_note,
    )
