"""Spot checks: drawn at random and the same again, shown blind, gone in time, and what comes of them."""

import io
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine, insert, select

from classify.aggregate import Aggregator
from storage.bus import Bus
from storage.corrected import MACHINE
from storage.database.buckets import Span
from storage.database.changes import BuildingChanges, CameraChanges
from storage.database.corrections import NOT_EVERYWHERE, NOT_YET, WHOLE_BUILDINGS, Corrections, VerifiedBy
from storage.database.engine import reading, writing
from storage.database.ledger import Batch, Ledger
from storage.database.models import AuditRow, CameraStateRow, SpotCheckRow, SpotKeyRow
from storage.database.recorded import recorded
from storage.database.records import NewCamera, Policy
from storage.database.sites import Sites
from storage.database.spot_checks import CHECKED, SHOWN, Seen, SpotChecks
from storage.database.statistics import Totals
from storage.errors import ConflictError, InvalidError, NotFoundError
from storage.frames import FrameStore, create_store
from storage.hours import Hours
from storage.identity import Caller, Role
from storage.messages import NS_PER_S, Begin, End, Look, Message, Result, Track
from storage.snapshots import SnapshotFolder
from storage.spot_checks import KEPT_NS, WEIGHTS, Drawing, probability
from storage.words import Label
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture  # noqa: F401
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401
from tests.test_aggregate import FailingLedger, KilledError
from tests.test_fold import face

CAMERA: Final = "c1"
KEY: Final = bytes(range(32))
STEP_NS: Final = NS_PER_S // 5
JPEG: Final = b"\xff\xd8\xff"
HOUR_NS: Final = 3600 * NS_PER_S


# Drawing


def test_a_passage_is_drawn_with_the_probability_of_its_label_and_the_same_one_again() -> None:
    names = [f"c{number % 40}-t{number}" for number in range(10_000)]
    drawing = Drawing(KEY, {"c1": 0.04})
    for label in Label:
        drawn = [name for name in names if drawing.drawn(name, 0.04, label) is not None]
        chance = 0.04 * WEIGHTS[label]
        assert abs(len(drawn) / len(names) - chance) < 4 * np.sqrt(chance * (1 - chance) / len(names))
        assert drawn == [name for name in names if drawing.drawn(name, 0.04, label) == chance]
        # Of whom no face is kept, nobody can be drawn.
        assert all(drawing.may_be_drawn(name, 0.04) for name in drawn)
        others = {name for name in names if Drawing(bytes(32)).drawn(name, 0.04, label) is not None}
        # Another installation draws others.
        assert len(others & set(drawn)) < 2 * chance * len(drawn) + 20


def test_no_share_draws_nobody_and_the_whole_share_everybody() -> None:
    drawing = Drawing(KEY)
    assert not any(drawing.may_be_drawn(f"c1-t{number}", 0.0) for number in range(1000))
    assert all(drawing.drawn(f"c1-t{number}", 1.0, Label.WITH_MASK) == 1.0 for number in range(1000))
    assert [probability(0.3, label) for label in (Label.WITH_MASK, Label.WITHOUT_MASK)] == [0.3, 1.0]
    assert "key" not in repr(drawing)


# What the aggregator keeps


class Place:
    """A bus, a frame store and a database with a building and a camera, all real."""

    def __init__(self, redis: str, folder: Path, engine: Engine) -> None:
        create_store(folder / "frames", 256)
        self.bus, self.frames, self.engine = Bus(redis), FrameStore(folder / "frames"), engine
        self.snapshots = SnapshotFolder(folder / "snapshots")
        self.sites = Sites(engine, folder)
        self.sites.add_building("North", "UTC", building_id="b1")
        self.sites.add_camera(NewCamera("Door", "b1", "rtsp://10.0.0.5/1", id=CAMERA))
        with writing(engine) as connection:
            connection.execute(insert(SpotKeyRow).values(id=1, key=KEY))

    def share(self, share: float) -> None:
        self.sites.change_building("b1", BuildingChanges(spot_share=share))

    def aggregator(self, ledger: Ledger | None = None) -> Aggregator:
        return Aggregator(self.bus, 0, ledger or Ledger(self.engine, 0, "aggregate-0"), self.frames, self.snapshots)

    def messages(self, *, live: bool = True, samples: int = 16) -> list[Message]:
        """Twelve people side by side, every third without a mask; the pixels of all samples are held."""
        made: list[Message] = [Begin(CAMERA, 1, START_NS, live, dwell_ns=NS_PER_S, min_face_px=24, sample_ns=STEP_NS)]
        noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
        for k in range(samples):
            ref = self.frames.put(noise, live=False)
            assert ref is not None
            self.frames.sent(ref)
            faces = tuple(
                face(
                    20 + 100 * (one % 6) + k,
                    60 + 160 * (one // 6),
                    50,
                    Label.WITH_MASK if one % 3 else Label.WITHOUT_MASK,
                    k=k,
                )
                for one in range(12)
            )
            made.append(Result(CAMERA, 1, k, START_NS + k * STEP_NS, 640, 360, Look.FULL, faces, frame=ref))
        return [*made, End(CAMERA, 1, samples)]

    def passes(self, **how: bool) -> None:
        self.bus.send(self.messages(**how))
        aggregator = self.aggregator()
        while aggregator.turn():
            pass
        assert self.frames.used_blocks == 0

    def rows(self) -> dict[str, tuple[float, str, bytes]]:
        query = select(SpotCheckRow).order_by(SpotCheckRow.track_id)
        with reading(self.engine) as connection:
            return {row.track_id: (row.share, row.machine_label, row.jpeg) for row in connection.execute(query)}

    def remembered(self) -> bytes:
        with reading(self.engine) as connection:
            return b"".join(connection.execute(select(CameraStateRow.state)).scalars())


@pytest.fixture
def place(redis: str, tmp_path: Path, database: Engine) -> Iterator[Place]:
    made = Place(redis, tmp_path, database)
    with closing(made.bus), made.frames:
        yield made


def test_whoever_is_drawn_is_kept_with_their_face_and_nobody_else(place: Place) -> None:
    place.share(0.3)
    place.passes()
    tracks = recorded(place.engine, CAMERA).tracks
    assert len(tracks) == 12
    drawing = Drawing(KEY)
    expected = {
        f"{CAMERA}-t{number}": (chance, track.label.value)
        for number, track in tracks.items()
        if (chance := drawing.drawn(f"{CAMERA}-t{number}", 0.3, track.label)) is not None
    }
    rows = place.rows()
    assert {name: row[:2] for name, row in rows.items()} == expected
    assert {row[1] for row in rows.values()} == {"with_mask", "without_mask"}
    assert 1 <= len(rows) < 12
    for _, _, jpeg in rows.values():
        with Image.open(io.BytesIO(jpeg)) as picture:
            assert 160 <= max(picture.size) <= 224
    # Once a passage is over, nothing of it is remembered.
    assert JPEG not in place.remembered()


@pytest.mark.parametrize(("at", "after"), [(2, False), (4, True)])
def test_a_killed_aggregator_draws_the_same(place: Place, at: int, after: bool) -> None:
    place.share(0.3)
    ledger = FailingLedger(place.engine, at, KilledError(), after=after)
    messages = place.messages()
    aggregator: Aggregator | None = None
    for sent in range(0, len(messages), 4):
        place.bus.send(messages[sent : sent + 4])
        try:
            aggregator = aggregator or place.aggregator(ledger)
            aggregator.turn()
        except KilledError:
            aggregator = None
    aggregator = aggregator or place.aggregator(ledger)
    while aggregator.turn():
        pass
    drawing = Drawing(KEY)
    tracks = recorded(place.engine, CAMERA).tracks
    names = {f"{CAMERA}-t{number}": track.label for number, track in tracks.items()}
    assert place.rows().keys() == {name for name, label in names.items() if drawing.drawn(name, 0.3, label)}
    assert all(jpeg.startswith(JPEG) for _, _, jpeg in place.rows().values())


def test_where_nobody_wants_it_no_face_is_kept_and_all_else_is_the_same(place: Place) -> None:
    messages = place.messages()
    place.bus.send(messages[:9])
    aggregator = place.aggregator()
    aggregator.turn()
    assert place.remembered()
    assert JPEG not in place.remembered()
    place.bus.send(messages[9:])
    while aggregator.turn():
        pass
    assert place.rows() == {}
    assert len(recorded(place.engine, CAMERA).tracks) == 12


def test_who_changes_their_mind_has_no_face_left(place: Place) -> None:
    place.share(1.0)
    messages = place.messages()
    place.bus.send(messages[:9])
    aggregator = place.aggregator()
    aggregator.turn()
    assert JPEG in place.remembered()
    place.share(0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classify.aggregate.DRAWING_S", 0.0)
        aggregator.turn()
    assert JPEG not in place.remembered()
    # Neither of those who are in view when it is wanted again.
    place.share(1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classify.aggregate.DRAWING_S", 0.0)
        place.bus.send(messages[9:])
        while aggregator.turn():
            pass
    assert place.rows() == {}


def test_footage_and_what_counts_nowhere_is_not_drawn(place: Place) -> None:
    place.share(1.0)
    place.passes(live=False)
    assert place.rows() == {}


def test_outside_the_hours_nobody_is_drawn(place: Place) -> None:
    place.share(1.0)
    night = Policy(hours=(Hours(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "01:00", "02:00"),))
    place.sites.change_camera(CAMERA, CameraChanges(policy=night))
    place.passes()
    assert recorded(place.engine, CAMERA).tracks
    assert place.rows() == {}


def test_a_camera_that_does_not_count_is_not_drawn_from(place: Place) -> None:
    place.share(1.0)
    place.sites.change_camera(CAMERA, CameraChanges(counts=False))
    assert place.aggregator() is not None
    assert Ledger(place.engine, 0, "aggregate-0").drawing() == Drawing()


# Checking


def caller(*buildings: str, role: Role = Role.REVIEWER) -> Caller:
    return Caller("a1", "Ann", "account", role, frozenset(buildings) or None)


class Checks:
    """A database with drawn passages of some buildings."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.number = engine, 0
        self.sites = Sites(engine, folder)
        for name in ("b1", "b2"):
            self.sites.add_building(f"House {name}", "UTC", building_id=name, spot_share=0.1)
            self.sites.add_camera(NewCamera(f"Door {name}", name, "rtsp://10.0.0.5/1", id=f"cam-{name}"))

    def drawn(self, building: str = "b1", label: str = "with_mask", now_ns: int = START_NS, **more: object) -> str:
        self.number += 1
        name = f"cam-{building}-t{self.number}"
        row = {
            "track_id": name,
            "camera_id": f"cam-{building}",
            "building_id": building,
            "started_ns": now_ns - NS_PER_S,
            "expires_at_ns": now_ns + KEPT_NS,
            "share": 0.1,
            "machine_label": label,
            "jpeg": JPEG,
        }
        with writing(self.engine) as connection:
            connection.execute(insert(SpotCheckRow).values(row | more))
        return name

    def pictures(self) -> int:
        with reading(self.engine) as connection:
            return sum(jpeg is not None for jpeg in connection.execute(select(SpotCheckRow.jpeg)).scalars())


@pytest.fixture
def checks(database: Engine, tmp_path: Path) -> Checks:
    return Checks(database, tmp_path)


def test_oldest_first_and_nothing_tells_what_the_system_said(checks: Checks) -> None:
    names = [
        checks.drawn(label=label.value, now_ns=START_NS + at * HOUR_NS)
        for at, label in enumerate([Label.UNKNOWN, Label.WITH_MASK, Label.WITHOUT_MASK, Label.INCORRECT_MASK])
    ]
    found, number = SpotChecks(checks.engine, caller()).waiting(None, 3, START_NS + HOUR_NS)
    assert ([one.track_id for one in found], number) == (names[:3], 4)
    given = msgspec.to_builtins(found[0])
    assert given == {"track_id": names[0], "camera_name": "Door b1", "expires_at_ns": START_NS + KEPT_NS}
    assert not any(label in str(msgspec.to_builtins(found)) for label in MACHINE)


def test_what_is_checked_loses_its_picture_at_once_and_is_not_shown_again(checks: Checks) -> None:
    name, other = checks.drawn(), checks.drawn(label="without_mask")
    ann = SpotChecks(checks.engine, caller("b1"))
    assert ann.picture(name, START_NS) == JPEG
    ann.check(name, Seen.WITHOUT_MASK, START_NS)
    assert checks.pictures() == 1
    assert [one.track_id for one in ann.waiting(None, 9, START_NS)[0]] == [other]
    with pytest.raises(ConflictError, match="checked already"):
        SpotChecks(checks.engine, caller()).check(name, Seen.WITH_MASK, START_NS)
    with pytest.raises(NotFoundError, match="is gone"):
        ann.picture(name, START_NS)
    with reading(checks.engine) as connection:
        row = connection.execute(select(SpotCheckRow).where(SpotCheckRow.track_id == name)).one()
        notes = connection.execute(select(AuditRow).where(AuditRow.object_id == name).order_by(AuditRow.id)).all()
    assert (row.label, row.checked_by, row.checked_at_ns) == ("without_mask", "Ann", START_NS)
    assert [(each.action, each.caller_id, each.building_id) for each in notes] == [
        (SHOWN, "a1", "b1"),
        (CHECKED, "a1", "b1"),
    ]
    assert "without_mask" not in str(notes)


def test_after_two_days_a_picture_is_gone_whoever_asks(checks: Checks) -> None:
    name = checks.drawn()
    late = checks.drawn(now_ns=START_NS + HOUR_NS)
    Ledger(checks.engine, 0, "aggregate-0").wipe_old(START_NS + KEPT_NS - 1)
    assert checks.pictures() == 2
    Ledger(checks.engine, 0, "aggregate-0").wipe_old(START_NS + KEPT_NS)
    assert checks.pictures() == 1
    ann = SpotChecks(checks.engine, caller())
    with pytest.raises(ConflictError, match="nobody can check it"):
        ann.check(name, Seen.WITH_MASK, START_NS + KEPT_NS)
    # Whoever looks at the list does the same.
    assert ann.waiting(None, 9, START_NS + KEPT_NS + HOUR_NS) == ([], 0)
    assert checks.pictures() == 0
    with pytest.raises(NotFoundError):
        ann.picture(late, START_NS + KEPT_NS + HOUR_NS)


def test_where_nobody_wants_it_any_more_pictures_go(checks: Checks) -> None:
    checks.drawn("b1")
    other = checks.drawn("b2")
    checks.sites.change_building("b1", BuildingChanges(spot_share=0.0))
    found, number = SpotChecks(checks.engine, caller()).waiting(None, 9, START_NS)
    assert ([one.track_id for one in found], number, checks.pictures()) == ([other], 1, 1)


def test_what_is_not_theirs_is_not_there(checks: Checks) -> None:
    own, foreign = checks.drawn("b1"), checks.drawn("b2")
    ann = SpotChecks(checks.engine).for_(caller("b1"))
    assert [one.track_id for one in ann.waiting(None, 9, START_NS)[0]] == [own]
    assert ann.waiting("b2", 9, START_NS) == ([], 0)
    for name in (foreign, "cam-b2-t999"):
        with pytest.raises(NotFoundError, match="there is no passage"):
            ann.picture(name, START_NS)
        with pytest.raises(NotFoundError, match="there is no passage"):
            ann.check(name, Seen.WITH_MASK, START_NS)
    assert checks.pictures() == 2


def test_the_name_that_a_camera_has_elsewhere_is_not_theirs(checks: Checks) -> None:
    name = checks.drawn("b1")
    ann = SpotChecks(checks.engine).for_(caller("b1"))
    assert ann.waiting(None, 9, START_NS)[0][0].camera_name == "Door b1"
    checks.sites.change_camera("cam-b1", CameraChanges(name="Vault", building_id="b2"))
    (found,), number = ann.waiting(None, 9, START_NS)
    assert (found.track_id, found.camera_name, number) == (name, None, 1)


def test_a_share_is_a_share(checks: Checks) -> None:
    for share in (-0.01, 1.01, float("nan"), float("inf")):
        with pytest.raises(InvalidError, match="share"):
            checks.sites.change_building("b1", BuildingChanges(spot_share=share))
        with pytest.raises(InvalidError, match="share"):
            checks.sites.add_building("New", "UTC", spot_share=share)


# What comes of it


def pass_by(api: Api, camera: str, numbers: dict[Label, int], at_ns: int = START_NS) -> None:
    """Let many people pass, as the aggregator would write it down."""
    batch = Batch(f"{time.time_ns()}-0")
    for label, number in numbers.items():
        for _ in range(number):
            one = api.numbers[camera] = api.numbers.get(camera, 0) + 1
            batch.tracks[camera, one] = Track(one, at_ns, at_ns + NS_PER_S, 9, label, 0.9, None, True, True)
    api.ledger.commit(batch, time.time_ns())


def said(api: Api, camera: str, building: str, machine: str, true: str, number: int, at_ns: int = START_NS) -> None:
    """Let people have checked drawn passages."""
    api.numbers["said"] = first = api.numbers.get("said", 0) + number
    rows = [
        {
            "track_id": f"{camera}-t9{first + one:06}x{one}",
            "camera_id": camera,
            "building_id": building,
            "started_ns": at_ns,
            "expires_at_ns": at_ns + KEPT_NS,
            "share": probability(0.1, Label(machine)),
            "machine_label": machine,
            "label": true,
            "checked_by": "Ann",
            "checked_at_ns": at_ns + HOUR_NS,
        }
        for one in range(number)
    ]
    with writing(api.context.engine) as connection:
        connection.execute(insert(SpotCheckRow), rows)


def test_either_database_tells_the_same_checks(checks: Checks) -> None:
    seen = {"label": "with_mask", "jpeg": None}
    with writing(checks.engine) as connection:
        rows = [
            {"track_id": f"cam-b1-t{number}", "camera_id": "cam-b1", "building_id": "b1", "share": 0.5}
            | {"started_ns": START_NS + number, "expires_at_ns": 0, "machine_label": "with_mask", **seen}
            for number in range(120)
        ]
        connection.execute(insert(SpotCheckRow), rows)
    span = Span(START_NS + 10, START_NS + 119)
    with reading(checks.engine) as connection:
        every = Corrections(connection, span, frozenset({"b1"}), START_NS + HOUR_NS)
        done = every.correct(span, {"b1": Totals(tracks=900, with_mask=900)})
        few = every.correct(span, {"b1": Totals(tracks=900, with_mask=900), "b2": Totals(tracks=1, with_mask=1)})
        other = Corrections(connection, span, frozenset({"b2"}), START_NS + HOUR_NS)
    assert (done.rate, done.by) == (1.0, VerifiedBy(109, span))
    assert (few.rate, few.note) == (None, NOT_EVERYWHERE)
    assert not other.any


DAY: Final = {"from": "2026-07-01T00:00:00Z", "to": "2026-07-03T00:00:00Z", "bucket": "day", "timezone": "UTC"}


def test_from_the_building_to_the_corrected_rate(api: Api) -> None:
    building = api.building()
    camera = api.camera(building)
    path = f"/api/v1/buildings/{building}"
    changed = api.client.patch(path, json={"spot_share": 0.1}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["spot_share"]) == (200, 0.1)
    assert api.client.patch(path, json={"spot_share": 2}, headers={"If-Match": '"2"'}).status_code == 422
    pass_by(api, camera, {Label.WITH_MASK: 300, Label.WITHOUT_MASK: 100, Label.UNKNOWN: 50})
    said(api, camera, building, "with_mask", "with_mask", 45)
    said(api, camera, building, "with_mask", "without_mask", 5)
    said(api, camera, building, "without_mask", "without_mask", 49)
    [row] = api.get("/statistics/compliance", **DAY)["whole"]
    assert (row["corrected_rate"], row["corrected_note"], row["verified_by"]) == (None, NOT_YET, None)
    # The hundredth.
    waiting = {"expires_at_ns": time.time_ns() + KEPT_NS, "jpeg": JPEG, "label": None, "started_ns": START_NS}
    with writing(api.context.engine) as connection:
        values = {"camera_id": camera, "building_id": building, "share": 0.5, "machine_label": "without_mask"}
        connection.execute(insert(SpotCheckRow).values(track_id=f"{camera}-t1", **values | waiting))
    assert api.get("/overview")["spot_checks"] == {"waiting": 1}
    listed = api.get("/spot-checks", building=building)
    [one] = listed["items"]
    assert (set(one), listed["waiting"]) == ({"id", "camera_name", "picture_url", "expires_at"}, 1)
    picture = api.client.get(one["picture_url"])
    assert (picture.content, picture.headers["cache-control"]) == (JPEG, "private, no-store")
    url = f"/api/v1/spot-checks/{one['id']}"
    assert api.client.post(url, json={"label": "mask"}).status_code == 422
    assert api.client.post(url, json={"label": "with_mask"}).json() == {"id": one["id"], "done": True}
    assert api.client.post(url, json={"label": "with_mask"}).status_code == 409
    assert api.client.get(one["picture_url"]).status_code == 404
    answer = api.get("/statistics/compliance", **DAY)
    [row], [first, second] = answer["whole"], answer["series"]
    # (300 x 0.9 + 100 x 0.02) / 400, of those of whom it was told.
    assert row["corrected_rate"] == pytest.approx(272 / 400)
    low, high = row["corrected_interval"]
    assert low < row["corrected_rate"] < high
    assert (row["compliance_rate"], row["corrected_note"]) == (0.75, None)
    assert row["verified_by"] == {"checks": 100, "from": row["from"], "to": row["to"]}
    assert first["corrected_rate"] == row["corrected_rate"]
    assert (second["corrected_rate"], second["corrected_note"]) == (None, NOT_YET)
    by_camera = api.get("/statistics/compliance", **DAY, group_by="camera")["whole"]
    assert [each["corrected_note"] for each in by_camera] == [WHOLE_BUILDINGS]
    csv = api.client.get("/api/v1/statistics/compliance", params=DAY | {"format": "csv"}).text.splitlines()
    assert csv[1].endswith(f"{row['corrected_rate']},{low},{high},,100")


def test_a_building_where_nobody_checks_is_not_covered_by_another(api: Api) -> None:
    north, south = api.building("North", "UTC"), api.building("South", "UTC")
    pass_by(api, api.camera(north, "A"), {Label.WITH_MASK: 300})
    pass_by(api, api.camera(south, "B"), {Label.WITH_MASK: 10})
    said(api, "c1", north, "with_mask", "with_mask", 150)
    [row] = api.get("/statistics/compliance", **DAY)["whole"]
    assert (row["corrected_rate"], row["corrected_note"]) == (None, NOT_EVERYWHERE)
    rows = {
        each["group"]["id"]: each for each in api.get("/statistics/compliance", **DAY, group_by="building")["whole"]
    }
    assert (rows[north]["corrected_rate"], rows[south]["corrected_note"]) == (1.0, NOT_YET)


def test_too_few_checks_of_its_own_are_made_up_for_by_those_of_the_ninety_days_before(api: Api) -> None:
    building = api.building("North", "UTC")
    camera = api.camera(building)
    pass_by(api, camera, {Label.WITH_MASK: 300})
    said(api, camera, building, "with_mask", "with_mask", 20)
    said(api, camera, building, "with_mask", "with_mask", 60, START_NS - 80 * 24 * HOUR_NS)
    said(api, camera, building, "with_mask", "with_mask", 60, START_NS - 100 * 24 * HOUR_NS)
    assert api.get("/statistics/compliance", **DAY)["whole"][0]["corrected_note"] == NOT_YET
    said(api, camera, building, "with_mask", "without_mask", 20, START_NS - 80 * 24 * HOUR_NS)
    [row] = api.get("/statistics/compliance", **DAY)["whole"]
    assert row["corrected_rate"] == 0.8
    assert row["verified_by"]["checks"] == 100
    assert row["verified_by"]["from"] < row["from"]


def test_reviews_of_events_do_not_change_it(api: Api) -> None:
    building = api.building("North", "UTC")
    camera = api.camera(building)
    for number in range(10):
        api.passage(camera, START_NS + number, Label.WITHOUT_MASK)
    pass_by(api, camera, {Label.WITH_MASK: 90})
    said(api, camera, building, "with_mask", "with_mask", 80)
    said(api, camera, building, "without_mask", "with_mask", 20)
    said(api, camera, building, "without_mask", "without_mask", 20)
    before = api.get("/statistics/compliance", **DAY)["whole"][0]
    assert before["corrected_rate"] == 0.95
    for number, body in enumerate(
        (
            {"verdict": "dismissed", "reason": "wrong_label", "label": "with_mask"},
            {"verdict": "dismissed", "reason": "not_a_person"},
            {"verdict": "confirmed", "label": "incorrect_mask"},
        ),
        1,
    ):
        url = f"/api/v1/events/{camera}-e{number}/review"
        assert api.client.post(url, json=body, headers={"If-Match": '"1"'}).status_code == 200
    after = api.get("/statistics/compliance", **DAY)["whole"][0]
    assert after["compliance_rate"] > before["compliance_rate"]
    assert (after["corrected_rate"], after["corrected_interval"]) == (
        before["corrected_rate"],
        before["corrected_interval"],
    )
    # Who is exempt is in no rate.
    url = f"/api/v1/events/{camera}-e4/review"
    exempt = {"verdict": "dismissed", "reason": "exempt"}
    assert api.client.post(url, json=exempt, headers={"If-Match": '"1"'}).status_code == 200
    [row] = api.get("/statistics/compliance", **DAY)["whole"]
    assert row["corrected_rate"] == pytest.approx((90 + 9 / 2) / 99, abs=1e-4)
