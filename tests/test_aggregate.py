"""The aggregator: facts in the database exactly once, whatever fails in between."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, func, select, update

from classify.aggregate import Aggregator, run
from classify.fold import FoldState, Rules, fold
from classify.memory import read_memory
from storage.bus import Bus
from storage.database.batch import Batch, Written
from storage.database.engine import migrate, open_engine, reading, sqlite_url, writing
from storage.database.ledger import LeaseLostError, Ledger
from storage.database.models import CameraStateRow, TrackPathRow
from storage.database.recorded import Recorded, recorded
from storage.errors import StorageError
from storage.frames import FrameStore, create_store
from storage.messages import NS_PER_S, Begin, Changes, End, Look, Message, Result
from storage.pulse import Pulse
from storage.snapshots import SnapshotFolder
from storage.telling import Telling
from tests.test_fold import face
from tests.test_ordering import footage

CAMERA = "c1"
BEGIN = Begin(CAMERA, 1, 0, live=False, dwell_ns=NS_PER_S, min_face_px=24, sample_ns=NS_PER_S // 5)


class Place:
    """A bus, a frame store and a database, all real."""

    def __init__(self, redis: str, folder: Path) -> None:
        create_store(folder / "frames", 64)
        self.folder = folder
        self.bus = Bus(redis)
        self.frames = FrameStore(folder / "frames")
        self.engine: Engine = open_engine(sqlite_url(folder / "facts.sqlite3"))
        migrate(self.engine)
        self.snapshots = SnapshotFolder(folder / "snapshots")

    def aggregator(self, ledger: Ledger | None = None) -> Aggregator:
        return Aggregator(self.bus, 0, ledger or Ledger(self.engine, 0, "aggregate-0"), self.frames, self.snapshots)

    def messages(self, samples: int = 40) -> list[Message]:
        """Two passages, one of them in breach; every sample has pixels that are held."""
        made: list[Message] = [BEGIN]
        for result in footage(samples, epoch=1):
            ref = self.frames.put(np.full((180, 320, 3), result.seq, np.uint8), live=False)
            assert ref is not None
            self.frames.sent(ref)
            # The faces lie outside this small picture, which is no matter here.
            made.append(replace(result, frame=ref))
        return made

    def facts(self) -> Recorded:
        return recorded(self.engine, CAMERA)


@pytest.fixture
def place(redis: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(redis, tmp_path)
    with closing(made.bus), made.frames:
        yield made
    made.engine.dispose()


def end(samples: int = 40) -> End:
    return End(CAMERA, 1, samples)


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    give_up_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.01)


def test_facts_pictures_and_position_are_written_and_pixels_released(place: Place) -> None:
    place.bus.send([*place.messages(), end()])
    aggregator = place.aggregator()
    while aggregator.turn():
        pass
    assert [track.closed for track in place.facts().tracks.values()] == [True, True]
    assert place.bus.results_length(0) == 0
    told = [(news.kind, news.id) for _, news in Telling(place.bus).after("0-0")]
    events = {f"{CAMERA}-e{number}" for number in place.facts().events}
    assert {event for kind, event in told if kind in {"event.opened", "event.ended"}} == events
    in_the_end(place)


class KilledError(Exception):
    """Stands for a kill: nothing of the process goes on."""


class FailingLedger(Ledger):
    """Fails, once, at the n-th commit: before the transaction, or right after it."""

    def __init__(self, engine: Engine, at: int, error: Exception, *, after: bool) -> None:
        super().__init__(engine, 0, "aggregate-0")
        self.left, self.error, self.after = at, error, after

    def commit(self, batch: Batch, now_ns: int) -> Written:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise self.error
        written = super().commit(batch, now_ns)
        if self.left == 0:
            raise self.error
        return written


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_a_kill_before_or_after_a_transaction_changes_nothing_and_leaks_nothing(
    place: Place, at: int, after: bool
) -> None:
    messages = place.messages()
    ledger = FailingLedger(place.engine, at, KilledError(), after=after)
    aggregator: Aggregator | None = None
    # Out of order, so that results wait in the memory while their neighbours are written.
    messages[3], messages[9] = messages[9], messages[3]
    for sent in range(0, len(messages), 5):
        place.bus.send(messages[sent : sent + 5])
        try:
            aggregator = aggregator or place.aggregator(ledger)
            aggregator.turn()
        except KilledError:
            aggregator = None
    aggregator = aggregator or place.aggregator(ledger)
    place.bus.send([end()])
    while aggregator.turn():
        pass
    in_the_end(place)


@pytest.mark.parametrize("after", [False, True])
def test_a_commit_that_fails_is_made_up_for_whether_or_not_it_was_written(place: Place, after: bool) -> None:
    ledger = FailingLedger(place.engine, 2, StorageError("the connection was lost"), after=after)
    place.bus.send([*place.messages(), end()])
    pulse = Pulse()
    worker = threading.Thread(target=run, args=(lambda: place.aggregator(ledger), pulse))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classify.aggregate.READ", 10)
        worker.start()
        try:
            until(lambda: len(place.facts().snapshots) == 1 and place.bus.results_length(0) == 0)
        finally:
            pulse.stop()
            worker.join()
    in_the_end(place)


def in_the_end(place: Place) -> None:
    """All that the messages say is written, and nothing else is left."""
    facts = place.facts()
    assert [track.faces for track in facts.tracks.values()] == [36, 24]
    assert [len(path) for path in facts.paths.values()] == [36, 24]
    assert len(facts.events) == 1
    assert [file.name for file in (place.folder / "snapshots").iterdir()] == list(facts.snapshots.values())
    assert place.frames.used_blocks == 0


def test_facts_wait_for_a_disk_that_is_full_and_their_pixels_need_not_and_it_is_said(place: Place) -> None:
    # A file where the folder goes: no picture can be written, as on a full disk.
    blocked = place.folder / "snapshots"
    blocked.write_text("")
    place.bus.send(place.messages())
    beats: list[str | None] = []
    pulse = Pulse(lambda _, trouble: beats.append(trouble))
    worker = threading.Thread(target=run, args=(place.aggregator, pulse))
    worker.start()
    try:
        until(lambda: any(beats))
        assert "snapshots" in str(beats[-1])
        assert not place.facts().events
        until(lambda: place.frames.used_blocks == 0)
        place.bus.send([end()])
        blocked.unlink()
        until(lambda: len(place.facts().snapshots) == 1)
        until(lambda: beats[-1] is None)
    finally:
        pulse.stop()
        worker.join()
    in_the_end(place)


def test_a_picture_that_was_written_for_nothing_goes(place: Place) -> None:
    messages = place.messages()
    place.bus.send(messages)
    ledger = FailingLedger(place.engine, 1, KilledError(), after=False)
    with pytest.raises(KilledError):
        place.aggregator(ledger).turn()
    assert len(list((place.folder / "snapshots").iterdir())) == 1
    Aggregator(place.bus, 0, ledger, place.frames, place.snapshots)
    assert list((place.folder / "snapshots").iterdir()) == []


def test_a_pattern_that_is_seen_for_days_leaves_nothing_in_memory_or_database(place: Place) -> None:
    """Its sightings once gathered in the memory, which is written at every transaction."""
    doubtful = [
        Result(CAMERA, 1, k, k * NS_PER_S // 5, 320, 180, Look.FULL, (face(100, score=0.37, k=k),)) for k in range(400)
    ]
    place.bus.send([BEGIN, *doubtful])
    aggregator = place.aggregator()
    while aggregator.turn():
        pass
    with reading(place.engine) as connection:
        [state] = connection.execute(select(CameraStateRow.state)).scalars()
        assert connection.execute(select(func.count()).select_from(TrackPathRow)).scalar() == 6
    assert len(state) < 10_000
    place.bus.send([end(400)])
    while aggregator.turn():
        pass
    with reading(place.engine) as connection:
        assert connection.execute(select(func.count()).select_from(TrackPathRow)).scalar() == 0
    assert place.facts().tracks == {}


def test_passages_end_when_nobody_watches_the_camera_any_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.bus.send([replace(BEGIN, live=True), *place.messages(20)[1:]])
    aggregator = place.aggregator()
    aggregator.turn()
    assert not all(track.closed for track in place.facts().tracks.values())
    monkeypatch.setattr("classify.aggregate.ABANDONED_S", 0.3)
    until(lambda: aggregator.turn() == 0 and all(track.closed for track in place.facts().tracks.values()))


def test_one_that_was_overtaken_writes_nothing_more(place: Place) -> None:
    messages = place.messages()
    place.bus.send(messages[:20])
    slow = place.aggregator()
    slow.turn()
    quick = place.aggregator()
    place.bus.send([*messages[20:], end()])
    while quick.turn():
        pass
    place.bus.send([Begin(CAMERA, 2, 0, live=False, dwell_ns=1, min_face_px=24, sample_ns=1)])
    with pytest.raises(LeaseLostError):
        slow.turn()
    assert len(place.facts().tracks) == 2


def test_a_live_camera_is_not_kept_waiting_by_a_sample_that_never_comes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.aggregate.SAMPLE_WAIT_S", 0.3)
    messages = [message for message in place.messages() if not (isinstance(message, Result) and message.seq == 7)]
    messages[0] = replace(BEGIN, live=True)
    place.bus.send(messages)
    aggregator = place.aggregator()
    started_s = time.monotonic()
    while place.bus.results_length(0) or place.frames.used_blocks > 1:
        aggregator.turn()
        assert time.monotonic() < started_s + 30
    assert time.monotonic() > started_s + 0.3
    assert place.facts().tracks


def test_a_policy_that_changes_on_a_live_camera_holds_people_together_and_nobody_waits(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of a policy once cost a second of latency, in which an old epoch was waited for."""
    monkeypatch.setattr("classify.aggregate.EPOCH_WAIT_S", 60.0)
    begin, *results = place.messages()
    assert isinstance(begin, Begin)
    place.bus.send([replace(begin, live=True), *results[:20]])
    aggregator = place.aggregator()
    while aggregator.turn():
        pass
    turn = replace(begin, epoch=2, live=True, after=(1, 20), labels=())
    later = [replace(each, epoch=2, seq=each.seq - 20) for each in results[20:] if isinstance(each, Result)]
    place.bus.send([turn, *later])
    until(lambda: aggregator.turn() == 0 and place.facts().tracks[1].faces == 36)
    place.bus.send([End(CAMERA, 2, 20)])
    while aggregator.turn():
        pass
    in_the_end(place)
    assert lost(place) == 0


def lost(place: Place) -> int:
    with reading(place.engine) as connection:
        return connection.execute(select(CameraStateRow.lost)).scalar() or 0


def damage_in_view(packed: bytes) -> bytes:
    """As an earlier version of the program may have packed who is in view."""
    parts = msgspec.msgpack.decode(packed)
    for track in parts["camera"]["fold"]["tracks"]:
        track["motion"] = {"x": "elsewhere"}
    return msgspec.msgpack.encode(parts)


def damage_number(packed: bytes) -> bytes:
    parts = msgspec.msgpack.decode(packed)
    parts["camera"]["fold"] = "of another kind"
    return msgspec.msgpack.encode(parts)


def damage_all(packed: bytes) -> bytes:
    return b"\xc1" + packed


@pytest.mark.parametrize(
    ("damage", "goes_on"),
    [(damage_in_view, True), (damage_number, True), (damage_all, False)],
    ids=["view", "number", "all"],
)
def test_a_memory_of_an_earlier_version_is_begun_anew_and_nothing_written_is_touched(
    place: Place, damage: Callable[[bytes], bytes], goes_on: bool
) -> None:
    """Such a memory once stopped its partition, and every camera in it, until somebody emptied the table."""
    messages = place.messages()
    # Two results wait for a neighbour that comes later.
    place.bus.send([*messages[:20], *messages[21:23], replace(BEGIN, camera="other"), *others(messages[1:20])])
    aggregator = place.aggregator()
    while aggregator.turn():
        pass
    assert [track.closed for track in place.facts().tracks.values()] == [False, False]
    known = place.facts()
    with writing(place.engine) as connection:
        packed = connection.execute(select(CameraStateRow.state).where(CameraStateRow.camera_id == CAMERA)).scalar_one()
        connection.execute(
            update(CameraStateRow).where(CameraStateRow.camera_id == CAMERA).values(state=damage(packed))
        )
    aggregator = place.aggregator()
    aggregator.turn()
    facts = place.facts()
    assert [(track.closed, track.counted) for track in facts.tracks.values()] == [(True, True)] * 2
    assert [(t.faces, t.label) for t in facts.tracks.values()] == [(t.faces, t.label) for t in known.tracks.values()]
    assert [event.closed for event in facts.events.values()] == [True]
    place.bus.send([messages[20], *messages[23:], end()])
    while aggregator.turn():
        pass
    assert list(place.facts().tracks)[:2] == [1, 2]
    assert place.facts().tracks[1] == facts.tracks[1]
    assert (len(place.facts().tracks) > 2) == goes_on
    assert lost(place) == (0 if goes_on else 19)
    other = recorded(place.engine, "other")
    assert [track.closed for track in other.tracks.values()] == [False, False], "the other camera goes on"
    if goes_on:
        assert place.frames.used_blocks == 0
    with reading(place.engine) as connection:
        packed = connection.execute(select(CameraStateRow.state).where(CameraStateRow.camera_id == CAMERA)).scalar_one()
    memory, reason = read_memory(packed)
    assert (memory.begun_anew, reason) == (1, None)
    assert "forgotten" in memory.set_aside[0][1]


def others(messages: list[Message]) -> list[Message]:
    return [replace(each, camera="other", frame=None) for each in messages if isinstance(each, Result)]


def test_what_breaks_the_fold_of_one_camera_stops_no_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(state: FoldState, result: Result, rules: Rules) -> Changes:
        if result.camera == CAMERA and result.seq == 25:
            raise ValueError("cost matrix contains invalid numeric entries")
        return fold(state, result, rules)

    monkeypatch.setattr("classify.ordering.fold", failing)
    messages = place.messages()
    place.bus.send(
        [*messages, replace(BEGIN, camera="other"), *others(messages), end(), replace(end(), camera="other")]
    )
    aggregator = place.aggregator()
    while aggregator.turn():
        pass
    tracks = place.facts().tracks
    assert {track.closed for track in tracks.values()} == {True}
    assert [len(path) for path in place.facts().paths.values()] == [track.faces for track in tracks.values()]
    assert [track.last_seen_ns for track in tracks.values()][:2] == [24 * NS_PER_S // 5] * 2
    assert len(tracks) == 4, "who was in view then is another passage now"
    assert {track.faces for track in recorded(place.engine, "other").tracks.values()} == {36, 24}
    assert place.frames.used_blocks == 0
    with reading(place.engine) as connection:
        state = connection.execute(select(CameraStateRow).where(CameraStateRow.camera_id == CAMERA)).one()
    assert state.lost == 1
    memory, _ = read_memory(state.state)
    assert memory.begun_anew == 1
    assert "cost matrix" in memory.set_aside[0][1]
