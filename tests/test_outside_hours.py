"""What begins outside a policy's hours is in the reports, beside what counts and never inside the rate."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from storage.database.buckets import Bucket
from storage.database.changes import CameraChanges
from storage.database.ledger import Batch, Ledger
from storage.database.records import NewCamera, Policy
from storage.database.reports import Question, Reports, Wanted
from storage.database.sites import Sites
from storage.hours import Hours
from storage.messages import NS_PER_S, Event, Track
from storage.words import Label
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401


def at(hour: int, minute: int = 0, second: float = 0.0) -> int:
    """Unix time in nanoseconds on Monday, 16 November 2026, UTC; Berlin is an hour ahead."""
    moment = datetime(2026, 11, 16, tzinfo=UTC) + timedelta(hours=hour, minutes=minute, seconds=second)
    return int(moment.timestamp() * 1000) * (NS_PER_S // 1000)


@pytest.fixture
def reports(database: Engine) -> Reports:
    """Someone without a mask passes every 20 minutes from 07:10 to 18:50 UTC; it counts from 09:00 to 18:00 in Berlin."""
    sites = Sites(database)
    sites.add_building("North", "Europe/Berlin")
    sites.add_camera(NewCamera("Door", "b1", "rtsp://10.0.0.5/1"))
    sites.change_camera("c1", CameraChanges(policy=Policy(hours=(Hours(("mon",), "09:00", "18:00"),))))
    ledger = Ledger(database, 0, "aggregate-0")
    ledger.acquire("bus-1", at(6))
    batch = Batch("1-0")
    for number in range(36):
        start_ns = at(7, 10 + 20 * number)
        end_ns = start_ns + 5 * NS_PER_S
        batch.tracks["c1", number] = Track(number, start_ns, end_ns, 25, Label.WITHOUT_MASK, 0.9, None, True, True)
        batch.events["c1", number] = Event(number, Label.WITHOUT_MASK, start_ns, end_ns, None, 0.9, closed=True)
    ledger.commit(batch, at(20))
    return Reports(database)


@pytest.mark.parametrize("second", [0.0, 0.5])
def test_each_bucket_tells_both_also_where_it_cuts_a_minute(reports: Reports, second: float) -> None:
    question = Question(Bucket.HOUR, from_ns=at(7, 0, second), to_ns=at(19, 0, second))
    answer = reports.compliance(question, at(20))
    found = [entry.totals for entry in answer.series]
    assert sum(totals.tracks for totals in found) == sum(totals.without_mask for totals in found) == 27
    assert sum(totals.outside_hours for totals in found) == 9
    assert sum(totals.events for totals in found) == 27
    assert sum(totals.open_tracks for totals in found) == 0
    assert all(totals.compliance_rate is None for totals in found if not totals.tracks)
    assert all(totals.compliance_rate == 0.0 for totals in found if totals.tracks)


def test_a_stretch_within_a_minute_tells_them_from_the_rows(reports: Reports) -> None:
    early = Question(Bucket.HOUR, from_ns=at(7, 9, 59.5), to_ns=at(7, 10, 0.5))
    late = Question(Bucket.HOUR, from_ns=at(8, 9, 59.5), to_ns=at(8, 10, 0.5))
    (totals,) = (entry.totals for entry in reports.compliance(early, at(20)).series)
    assert (totals.tracks, totals.outside_hours, totals.events) == (0, 1, 0)
    (totals,) = (entry.totals for entry in reports.compliance(late, at(20)).series)
    assert (totals.tracks, totals.outside_hours, totals.events) == (1, 0, 1)


def test_the_list_of_tracks_has_them_and_that_of_events_does_not(reports: Reports) -> None:
    tracks, _ = reports.tracks(Wanted(), 200)
    events, _ = reports.events(Wanted(), 200)
    assert (len(tracks), len(events)) == (36, 27)
    assert {event.track_id for event in events} < {track.id for track in tracks}
