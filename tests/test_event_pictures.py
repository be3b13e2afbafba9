"""Pictures for review: the person up close, their face in time, what the model went by; and every look is noted."""

import hashlib
import io
from itertools import pairwise

import httpx
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select, text

from classify.aggregate import Aggregator
from classify.portraits import LEAST_GAP_NS, MOST, Portrait, take_portrait
from infra.looking_up import looking_up
from infra.settings import load_settings
from storage.asking import Asking
from storage.close_ups import around, face_jpeg
from storage.database.batch import Batch, FaceShot
from storage.database.engine import reading, writing
from storage.database.event_pictures import EventPictures
from storage.database.ledger import Ledger
from storage.database.models import AuditRow, EventFaceRow, SnapshotRow
from storage.errors import NotFoundError
from storage.frames import FrameStore
from storage.identity import Caller, Role
from storage.messages import NS_PER_S, Begin, Box, End, Event, Face, Look, Message, Result, Track
from storage.snapshots import SnapshotFolder
from storage.words import Label
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture, problem, wait_for  # noqa: F401
from tests.test_aggregate import FailingLedger, KilledError
from tests.test_fold import face

STEP = NS_PER_S // 5
WITH, WITHOUT = Label.WITH_MASK, Label.WITHOUT_MASK
STRANGER = (500, 90)


class Scene:
    """A camera in front of which somebody walks by, and a real aggregator."""

    def __init__(self, api: Api, frames: FrameStore, portrait: NDArray[np.uint8]) -> None:
        self.api, self.frames = api, frames
        self.camera = api.camera(api.building())
        self.portrait = np.asarray(Image.fromarray(portrait).resize((128, 128)), np.uint8)
        self.snapshots = SnapshotFolder(api.context.snapshots)

    def picture(self, k: int) -> tuple[NDArray[np.uint8], Box]:
        """What the camera sees, a stranger far from the person included, and where the person's face is."""
        rgb = np.full((360, 640, 3), 110, np.uint8)
        left, top = 40 + 10 * k, 120
        rgb[top : top + 128, left : left + 128] = self.portrait
        rgb[STRANGER[1] : STRANGER[1] + 128, STRANGER[0] : STRANGER[0] + 128] = self.portrait
        return rgb, (left + 43, top + 17, 26, 26)

    def face(self, k: int, label: Label, box: Box) -> Face:
        return replace(face(0, label=label, k=k), box=box)

    def messages(self, labels: list[Label], first: int = 0, *, ends: bool = True) -> list[Message]:
        """A passage with what is worn in each sample; the pixels of all are held."""
        made: list[Message] = []
        if not first:
            made.append(Begin(self.camera, 1, START_NS, live=False, dwell_ns=NS_PER_S, min_face_px=24, sample_ns=STEP))
        for k, label in enumerate(labels, first):
            rgb, box = self.picture(k)
            ref = self.frames.put(rgb, live=False)
            assert ref is not None
            self.frames.sent(ref)
            seen = (self.face(k, label, box),)
            made.append(Result(self.camera, 1, k, START_NS + k * STEP, 640, 360, Look.FULL, seen, frame=ref))
        if ends:
            made.append(End(self.camera, 1, first + len(labels)))
        return made

    def aggregator(self, ledger: Ledger | None = None) -> Aggregator:
        ledger = ledger or Ledger(self.api.context.engine, 0, "aggregate-0")
        return Aggregator(self.api.context.bus, 0, ledger, self.frames, self.snapshots)

    def passes(self, labels: list[Label]) -> str:
        """Let somebody pass; gives the identifier that their event has, if it is one."""
        self.api.context.bus.send(self.messages(labels))
        turn_on(self.aggregator())
        assert self.frames.used_blocks == 0
        return f"{self.camera}-e1"

    def kept(self) -> list[tuple[int, str, bytes]]:
        with reading(self.api.context.engine) as connection:
            rows = connection.execute(select(EventFaceRow.at_ns, EventFaceRow.label, EventFaceRow.jpeg))
            return sorted((at_ns - START_NS, label, jpeg) for at_ns, label, jpeg in rows)

    def looks(self) -> list[tuple[str, str, str]]:
        """What is noted of looks: action, whose picture, by whom."""
        with reading(self.api.context.engine) as connection:
            rows = connection.execute(select(AuditRow).where(AuditRow.object_type == "event").order_by(AuditRow.id))
            return [(row.action, row.object_id, row.caller_id) for row in rows]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.api.client.get(f"/api/v1/events/{self.camera}-e1{path}", headers=headers)


@pytest.fixture
def scene(api: Api, frames: FrameStore, astronaut: NDArray[np.uint8]) -> Scene:
    return Scene(api, frames, astronaut)


def turn_on(aggregator: Aggregator) -> None:
    """Take in all that is there."""
    while aggregator.turn():
        pass


def opened(jpeg: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(jpeg)) as picture:
        assert picture.format == "JPEG"
        return np.asarray(picture.convert("RGB"), np.uint8)


def test_the_close_up_is_the_person_and_nobody_else(scene: Scene) -> None:
    scene.passes([WITHOUT] * 10)
    with reading(scene.api.context.engine) as connection:
        row = connection.execute(select(SnapshotRow)).one()
    k = (row.at_ns - START_NS) // STEP
    rgb, box = scene.picture(k)
    assert tuple(row.box) == box
    frame, close_up = opened(scene.get("/snapshot").content), opened(scene.get("/snapshot?view=closeup").content)
    assert (frame.shape, close_up.shape) == ((360, 640, 3), (320, 320, 3))
    window = around(360, 640, box)
    # Where the person alone is: the face and a quarter on each side.
    person = window.of(rgb)[125:195, 125:195].astype(int)
    assert np.abs(close_up[125:195, 125:195] - person).mean() < 12, "the person, twice as large"
    left, top = STRANGER
    assert np.abs(frame[top : top + 128, left : left + 128].astype(int) - scene.portrait).mean() > 20
    assert np.abs(close_up[:, 60:110].astype(int) - window.of(rgb)[:, 60:110]).mean() > 10, (
        "beside the person it is coarse"
    )


def test_every_look_is_noted_once_and_says_whether_it_was_shown(scene: Scene) -> None:
    event = scene.passes([WITHOUT] * 8)
    first = scene.get("/snapshot?view=closeup&prefetch=1")
    tag = first.headers["etag"]
    assert tag == f'"{hashlib.sha256(first.content).hexdigest()}"'
    again = scene.get("/snapshot?view=closeup", **{"If-None-Match": f'W/"x", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert scene.get("/snapshot", **{"If-None-Match": tag, "Sec-Purpose": "prefetch;prerender"}).status_code == 200
    assert scene.get("/snapshot").headers["cache-control"] == "private, no-store"
    ahead, seen = ("snapshot.prefetched", event, "local"), ("snapshot.shown", event, "local")
    assert scene.looks() == [ahead, seen, ahead, seen]


def test_without_a_note_there_is_no_look(scene: Scene) -> None:
    scene.passes([WITHOUT] * 8)
    with writing(scene.api.context.engine) as connection:
        connection.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
        )
    for path in ("/snapshot", "/snapshot?view=closeup", "/faces"):
        problem(scene.get(path), 503, "database-unavailable")


def test_a_file_that_is_damaged_is_told_and_no_look_is_noted(scene: Scene) -> None:
    scene.passes([WITHOUT] * 8)
    [file] = scene.api.context.snapshots.iterdir()
    file.write_bytes(b"\xff\xd8 no picture")
    problem(scene.get("/snapshot?view=closeup"), 503, "picture-unavailable")
    assert scene.looks() == []


def test_the_face_is_kept_as_time_goes_on(scene: Scene) -> None:
    event = scene.passes([WITHOUT] * 22)
    answer = scene.get("/faces")
    items = answer.json()["items"]
    times = [at_ns for at_ns, _, _ in scene.kept()]
    assert [item["url"] for item in items] == [f"/api/v1/events/{event}/faces/{START_NS + at_ns}" for at_ns in times]
    assert {item["label"] for item in items} == {"without_mask"}
    assert 4 <= len(times) <= MOST
    assert all(later - earlier >= LEAST_GAP_NS for earlier, later in pairwise(times))
    assert times[0] <= 2 * STEP
    assert times[-1] >= 18 * STEP
    for item, at_ns in zip(items, times, strict=True):
        found = scene.api.client.get(item["url"])
        assert found.headers["cache-control"] == "private, no-store"
        rgb, box = scene.picture(at_ns // STEP)
        shown, whole = opened(found.content), opened(face_jpeg(rgb, box) or b"")
        assert max(shown.shape) == 112
        assert (shown == whole).all()
    assert scene.looks() == [("faces.shown", event, "local")], "once for the list"
    # Who asks for a face without the list, or later, looks anew; all within a minute are one look.
    key = scene.api.post("/api-keys", {"name": "screen", "role": "viewer", "buildings": None})
    for item in items[:2]:
        headers = {"Authorization": f"Bearer {key['key']}"}
        assert scene.api.client.get(item["url"], headers=headers).status_code == 200
    assert [caller for _, _, caller in scene.looks()] == ["local", key["id"]]
    problem(scene.get("/faces/17"), 404, "not-found")


def test_a_breach_that_comes_to_nothing_leaves_no_face(scene: Scene) -> None:
    scene.api.context.bus.send(scene.messages([WITHOUT] * 3, ends=False))
    aggregator = scene.aggregator()
    aggregator.turn()
    assert len(scene.kept()) == 1
    problem(scene.get("/faces"), 404, "not-found")
    scene.api.context.bus.send(scene.messages([WITH] * 7, first=3))
    turn_on(aggregator)
    assert scene.kept() == []
    assert scene.looks() == []


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_changes_no_face(scene: Scene, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """The early ones, from before the breach is an event, are not lost either."""
    monkeypatch.setattr("classify.aggregate.READ", 3)
    scene.api.context.bus.send(scene.messages([WITHOUT] * 16))
    for at in (1, 2, 3):
        ledger = FailingLedger(scene.api.context.engine, at, KilledError(), after=after)
        aggregator = scene.aggregator(ledger)
        with pytest.raises(KilledError):
            turn_on(aggregator)
    turn_on(scene.aggregator())
    assert [round(at_ns / STEP) for at_ns, _, _ in scene.kept()] == [0, 4, 8, 12]
    assert scene.frames.used_blocks == 0


def test_footage_that_begins_anew_leaves_no_face_of_before(scene: Scene) -> None:
    scene.passes([WITHOUT] * 8)
    assert scene.kept()
    batch = Batch("9-0", resets={scene.camera})
    ledger = Ledger(scene.api.context.engine, 0, "aggregate-0")
    ledger.acquire("bus", START_NS)
    ledger.commit(batch, START_NS)
    assert scene.kept() == []


def test_outside_the_hours_no_face_is_kept(api: Api) -> None:
    """They were written before it was known that the track is a passage."""
    hours = {"hours": [{"days": ["sun"], "from": "03:00", "to": "03:01"}]}
    camera = api.camera(api.building(), policy=hours)
    key = camera, 1
    early = Batch("1-0", faces={key: {START_NS: FaceShot(WITHOUT, b"early")}})
    late = Batch("2-0", faces={key: {START_NS + STEP: FaceShot(WITHOUT, b"late")}})
    late.tracks[key] = Track(1, START_NS, START_NS + STEP, 3, WITHOUT, 0.9, None, counted=False, closed=False)
    late.events[key] = Event(1, WITHOUT, START_NS, START_NS + STEP, None, 0.9, closed=False)
    for batch in (early, late):
        api.ledger.commit(batch, START_NS)
    with reading(api.context.engine) as connection:
        assert connection.execute(select(EventFaceRow)).all() == []


def test_a_long_breach_is_shown_by_few_moments_that_lie_evenly() -> None:
    portraits: list[Portrait] = []
    made = 0
    for k in range(600 * 5):
        kept, gone = take_portrait(portraits, k * STEP, 1.0)
        made += kept
        assert gone is None or gone not in [one.at_ns for one in portraits]
        assert len(portraits) <= MOST
    gaps = [later.at_ns - earlier.at_ns for earlier, later in pairwise(portraits)]
    assert len(portraits) == MOST
    assert max(gaps) <= 3 * min(gaps)
    assert portraits[0].at_ns == 0
    assert made < 60, "each costs an encoding"


def test_a_clearer_moment_takes_the_place_of_the_one_before() -> None:
    portraits: list[Portrait] = []
    assert take_portrait(portraits, 0, 1.0) == (True, None)
    assert take_portrait(portraits, STEP, 1.1) == (False, None)
    assert take_portrait(portraits, 2 * STEP, 2.0) == (True, 0)
    assert take_portrait(portraits, 5 * STEP, 9.0) == (True, 2 * STEP)
    assert take_portrait(portraits, 9 * STEP, 0.1) == (True, None)
    assert [one.at_ns for one in portraits] == [5 * STEP, 9 * STEP]


def test_pictures_of_another_building_are_not_there_and_nothing_is_noted(scene: Scene) -> None:
    event = scene.passes([WITHOUT] * 8)
    other = Caller("a1", "Ann", "account", Role.ADMIN, frozenset({"elsewhere"}))
    pictures = EventPictures(scene.api.context.engine).for_(other)
    at_ns = START_NS + scene.kept()[0][0]
    for look in (
        lambda: pictures.snapshot(event),
        lambda: pictures.note_look(event, "snapshot.shown"),
        lambda: pictures.faces(event),
        lambda: pictures.face(event, at_ns),
    ):
        with pytest.raises(NotFoundError, match="there is no event"):
            look()
    assert scene.looks() == []


def test_a_face_at_the_edge_is_shown_as_far_as_it_is_there_and_one_outside_is_none(
    astronaut: NDArray[np.uint8],
) -> None:
    cut = opened(face_jpeg(astronaut, (-40, 100, 100, 100)) or b"")
    assert cut.shape[0] > cut.shape[1]
    assert max(opened(face_jpeg(astronaut, (100, 100, 300, 300)) or b"").shape) == 160
    assert face_jpeg(astronaut, (600, 600, 40, 40)) is None


def test_the_reason_is_a_picture_of_its_own_and_where_nobody_can_say_it_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pictures.EXPLAIN_S", 25.0)
    event = scene.passes([WITHOUT] * 8)
    said = problem(scene.get("/explanation"), 503, "classify-unavailable")
    assert "no classify process answers" in said["detail"]
    problem(scene.get("/explanation?label=unknown"), 422, "invalid-request")
    assert scene.looks() == []
    asking = Asking(scene.api.context.bus)
    with looking_up(asking, load_settings()):
        wait_for(lambda: scene.get("/explanation").status_code == 200, 90)
        close_up = opened(scene.get("/snapshot?view=closeup").content).astype(int)
        own, other = (opened(scene.get(f"/explanation?label={label}").content) for label in (WITHOUT, WITH))
    assert own.shape == other.shape == close_up.shape
    person = np.s_[120:200, 120:200]
    assert np.abs(own - close_up)[person].mean() > 5
    assert np.abs(own.astype(int) - other)[person].mean() > 5
    assert np.abs(own - close_up)[:60].mean() < 3, "what the classifier does not see has no heat"
    assert scene.looks()[-1] == ("explanation.shown", event, "local")
    problem(scene.get("/explanation"), 503, "classify-unavailable")
