"""Reviews of events: said, taken back, and what they change, each in one transaction with totals and audit log.

An event's review has a version that only grows: with what is said, and with what is undone. Who says something names the
version that they have seen, so that nobody overwrites what they have not read. Everything that was said is kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from storage.database.audit import note
from storage.database.changes import check_version
from storage.database.engine import reading, writing
from storage.database.judgement import columns_of, kept_of, labelled, said_of_event, said_of_track
from storage.database.models import EventRow, ReviewRow, TrackRow
from storage.database.reports import EventRecord
from storage.database.rollups import Place, Totals, event_columns
from storage.database.scoped import Scoped
from storage.errors import ConflictError, MaskwatchError, NotFoundError, StorageError
from storage.reviewing import Judged, Reason, Review, Verdict, check_review, judged
from storage.words import Label

MOST_SHOWN: Final = 200
"""Of an event's reviews so many are shown, the latest."""


class PastReview(msgspec.Struct, frozen=True):
    """What somebody once said of an event; with `undone_by` it was taken back."""

    version: int
    verdict: str
    reason: str | None
    label: str | None
    note: str | None
    by_name: str
    at_ns: int
    undone_by: str | None
    undone_at_ns: int | None


class Outcome(msgspec.Struct, frozen=True):
    """What came of one of many reviews: the event as it is then, or why it stays as it was."""

    event_id: str
    event: EventRecord | None = None
    refusal: MaskwatchError | None = None


class _Said(msgspec.Struct, frozen=True):
    """A review, as which version, by whom and when."""

    review: Review
    version: int
    by: str | None
    at_ns: int | None


class Reviews(Scoped):
    """Events as people judge them.

    Every method raises StorageError when the database can't be used; nothing is changed then.
    """

    def review(self, event_id: str, review: Review, version: int, now_ns: int) -> EventRecord:
        """Say something of an event, instead of what was said before.

        Args:
            event_id: which.
            review: what is said.
            version: of the review that was read.
            now_ns: the time.

        Raises:
            NotFoundError: there is no such event.
            ChangedError: somebody else has said something since.
            InvalidError: the review makes no sense.
        """
        with writing(self._engine) as connection:
            event, track = self._locked(connection, event_id)
            check_version(f"the review of event {event_id}", event.review_version, version)
            check_review(review, said_of_event(event))
            caller, next_version = self._caller, event.review_version + 1
            row = {
                "event_id": event_id,
                "version": next_version,
                "verdict": review.verdict.value,
                "reason": _word(review.reason),
                "label": _word(review.label),
                "note": review.note,
                "by_id": caller.id,
                "by_name": caller.name,
                "at_ns": now_ns,
            }
            connection.execute(insert(ReviewRow).values(row))
            done = _apply(connection, event, track, _Said(review, next_version, caller.name, now_ns))
            about = {name: row[name] for name in ("version", "verdict", "reason", "label") if row[name] is not None}
            note(connection, caller, "event.reviewed", ("event", event_id), event.building_id, **about)
            return done

    def undo(self, event_id: str, version: int, now_ns: int) -> EventRecord:
        """Take back what was said last, by whomever; what was said before holds again.

        Args:
            event_id: which.
            version: of the review that was read.
            now_ns: the time.

        Raises:
            NotFoundError: there is no such event.
            ChangedError: somebody else has said something since.
            ConflictError: nothing is said of it.
        """
        with writing(self._engine) as connection:
            event, track = self._locked(connection, event_id)
            check_version(f"the review of event {event_id}", event.review_version, version)
            valid = select(ReviewRow.__table__).where(ReviewRow.event_id == event_id, ReviewRow.undone_at_ns.is_(None))
            found = connection.execute(valid.order_by(ReviewRow.version.desc()).limit(2)).all()
            if not found:
                raise ConflictError(f"nothing is said of event {event_id}: there is nothing to undo")
            last, *before = found
            connection.execute(
                update(ReviewRow)
                .where(ReviewRow.event_id == event_id, ReviewRow.version == last.version)
                .values(undone_by=self._caller.name, undone_at_ns=now_ns)
            )
            next_version = event.review_version + 1
            said = _Said(Review(Verdict.PENDING), next_version, None, None)
            if before:
                said = _Said(_read(before[0]), next_version, before[0].by_name, before[0].at_ns)
            done = _apply(connection, event, track, said)
            about = {"version": next_version, "undone": last.version}
            note(connection, self._caller, "event.review_undone", ("event", event_id), event.building_id, **about)
            return done

    def review_each(
        self, event_ids: Iterable[str], review: Review, versions: Mapping[str, int], now_ns: int
    ) -> list[Outcome]:
        """Say the same of many events, each by itself: what can't be said of one is still said of the others.

        Args:
            event_ids: which.
            review: what is said.
            versions: of the reviews that were read, by event.
            now_ns: the time.
        """
        outcomes: list[Outcome] = []
        lost: StorageError | None = None
        for event_id in dict.fromkeys(event_ids):
            try:
                if lost is not None:
                    # It would be waited for with each of them.
                    raise lost
                if event_id not in versions:
                    raise ConflictError(f"the version of the review of event {event_id} that was read is not given")
                outcomes.append(Outcome(event_id, self.review(event_id, review, versions[event_id], now_ns)))
            except MaskwatchError as error:
                lost = error if isinstance(error, StorageError) else None
                outcomes.append(Outcome(event_id, refusal=error))
        return outcomes

    def history(self, event_id: str) -> list[PastReview]:
        """What was said of an event, latest first, undone or not.

        Raises:
            NotFoundError: there is no such event.
        """
        columns = [getattr(ReviewRow, name) for name in PastReview.__struct_fields__]
        query = select(*columns).where(ReviewRow.event_id == event_id)
        with reading(self._engine) as connection:
            self._own(connection, event_id)
            rows = connection.execute(query.order_by(ReviewRow.version.desc()).limit(MOST_SHOWN))
            return [PastReview(*row) for row in rows]

    def _own(self, connection: Connection, event_id: str) -> str:
        """The track of an event of the caller's; NotFoundError if there is none."""
        query = select(EventRow.track_id, EventRow.building_id).where(EventRow.id == event_id)
        row = connection.execute(query).first()
        if row is None or not self._caller.sees(row.building_id):
            raise NotFoundError(f"there is no event {event_id}")
        track_id: str = row.track_id
        return track_id

    def _locked(self, connection: Connection, event_id: str) -> tuple[Row[Any], Row[Any] | None]:
        """An event and its track, if that has a row; both stay as they are until the transaction ends."""
        track_id = self._own(connection, event_id)
        # In the order in which the aggregator takes them, so that nobody waits for somebody who waits for them.
        tracks = select(TrackRow.__table__).where(TrackRow.id == track_id).with_for_update()
        events = select(EventRow.__table__).where(EventRow.id == event_id).with_for_update()
        while True:
            with connection.begin_nested() as held:
                track = connection.execute(tracks).first()
                event = connection.execute(events).first()
                if event is None:
                    raise NotFoundError(f"there is no event {event_id}")
                # Who had the event may have written its track meanwhile: let go of the event, and take both in order.
                there = select(TrackRow.id).where(TrackRow.id == track_id)
                if track is not None or connection.execute(there).first() is None:
                    return event, track
                held.rollback()


def _apply(connection: Connection, event: Row[Any], track: Row[Any] | None, said: _Said) -> EventRecord:
    """Make event, track and totals what they are by a review; gives the event as it is then."""
    totals = Totals()
    said_type = said_of_event(event)
    said_label, said_reason = (said_type, None) if track is None else said_of_track(track)
    found = judged(said_type, said_label, said.review)
    values = _event_values(said_type, found, said)
    place = _place(event)
    totals.add(place, event.started_ns, event_columns(event.verdict), -1)
    totals.add(place, event.started_ns, event_columns(values["verdict"]))
    label = None
    if track is not None:
        kept = kept_of(found)
        columns = labelled(said_label.value, said_reason, kept)
        label = columns["label"]
        totals.add(_place(track), track.started_ns, columns_of(track), -1)
        totals.add(_place(track), track.started_ns, columns_of({**track._mapping, **columns}))  # noqa: SLF001 its name for it
        connection.execute(update(TrackRow).where(TrackRow.id == track.id).values(columns))
    connection.execute(update(EventRow).where(EventRow.id == event.id).values({**values, "label": label}))
    totals.write(connection)
    after = {**event._mapping, **values}  # noqa: SLF001
    return EventRecord(**{name: after[name] for name in EventRecord.__struct_fields__})


def _event_values(said_type: Label, found: Judged, said: _Said) -> dict[str, Any]:
    review = said.review
    return {
        "type": found.type.value,
        "machine_type": said_type.value if found.type_kept else None,
        "verdict": review.verdict.value,
        "review_reason": _word(review.reason),
        "review_label": _word(review.label),
        "review_note": review.note,
        "reviewed_by": said.by,
        "reviewed_at_ns": said.at_ns,
        "review_version": said.version,
    }


def _word(value: Reason | Label | None) -> str | None:
    return None if value is None else value.value


def _read(row: Row[Any]) -> Review:
    return Review(
        Verdict(row.verdict),
        None if row.reason is None else Reason(row.reason),
        None if row.label is None else Label(row.label),
        row.note,
    )


def _place(row: Row[Any]) -> Place:
    return Place(row.camera_id, row.building_id, row.zone_id, row.counts)
