"""Live previews: nobody without an event can be recognised in them, and nothing is made while nobody looks."""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from classify.showing import Showing
from ingest.frame import Frame
from ingest.picture import Small
from ingest.preview import COLOURS, composed, jpeg
from ingest.preview_cover import Cover, Covered, heads
from ingest.preview_ground import Ground
from ingest.preview_people import People, Shown
from ingest.previews import HELD_S, PreviewMaker, PreviewViews, run_previews
from storage.bus import Bus
from storage.database.records import NewCamera, Policy
from storage.database.sites import Sites
from storage.hours import Hours
from storage.messages import NS_PER_S, Box, Result
from storage.preview import Moment, Person, Picture, Previews
from storage.pulse import Pulse
from storage.words import Label
from tests.test_aggregate import Place
from tests.test_aggregate import place as place  # noqa: PLC0414 a fixture

STEP_NS = NS_PER_S // 5
HEIGHT, WIDTH = 360, 640
FACE = 24
CAMERA = "c1"

rng = np.random.default_rng(7)
ROOM = cv2.GaussianBlur(rng.integers(60, 190, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 6).astype(np.uint8)
HEAD = rng.integers(0, 255, (FACE, FACE, 3), np.uint8)
"""As rich in detail as no face is."""

CELLS_OF_HEAD = np.s_[7:9, 18:20]
"""Of one at (288, 120)."""

NOBODY = np.zeros((23, 40), np.bool_)
STILL = np.zeros((23, 40), np.uint8)


def scene(*people: tuple[int, int]) -> NDArray[np.uint8]:
    """A room with people in it, whose heads are at (x, y)."""
    picture = ROOM.copy()
    for x, y in people:
        picture[y + FACE : y + 140, max(0, x - 18) : x + FACE + 18] = (40, 40, 120)
        picture[y : y + FACE, x : x + FACE] = HEAD
    return picture


class Watcher:
    """Shows pictures to a cover, five a second."""

    def __init__(self, calm: NDArray[np.bool_] | None = None, *, knows: bool = True) -> None:
        self.cover, self.at_ns, self.calm = Cover(Ground()), 10**18, calm
        if knows:
            self.show(scene(), 14)

    def show(self, picture: NDArray[np.uint8], seconds: float, every_ns: int = STEP_NS) -> Covered:
        for _ in range(round(seconds * NS_PER_S / every_ns)):
            self.at_ns += every_ns
            covered = self.cover.take(picture, self.at_ns, self.calm)
        return covered

    def walk(self, start: int, end: int, y: int = 120) -> tuple[Covered, NDArray[np.uint8]]:
        for x in range(start, end, 12 if end > start else -12):
            picture = scene((x, y))
            covered = self.show(picture, 0.2)
        return covered, picture


def recognisable(shown: NDArray[np.uint8], x: int, y: int) -> bool:
    """Whether any piece of a head, as large as a quarter of it, is to be seen as it was."""
    error = np.abs(shown[y : y + FACE, x : x + FACE].astype(int) - HEAD).mean(axis=2)
    pieces = error.reshape(4, FACE // 4, 4, FACE // 4).mean(axis=(1, 3))
    return bool((pieces < 20).any())


# --- who moves ---


def test_a_head_that_nobody_found_is_covered_since_it_moved() -> None:
    watcher = Watcher()
    for y in (40, 120, 200):
        for x in range(60, 500, 20):
            picture = scene((x, y))
            levels = watcher.show(picture, 0.2).levels
            assert not recognisable(composed(picture, levels, []), x, y), (x, y)


def test_the_test_would_see_a_head() -> None:
    picture = scene((300, 120))
    assert recognisable(composed(picture, STILL, []), 300, 120)


def test_what_does_not_move_is_shown() -> None:
    watcher = Watcher()
    covered, picture = watcher.walk(60, 200)
    shown = composed(picture, covered.levels, [])
    assert np.array_equal(shown[:, 400:], picture[:, 400:])
    assert 0.02 < (covered.levels > 0).mean() < 0.5


def test_who_has_stopped_stays_covered_and_an_empty_place_is_shown_again_at_once() -> None:
    watcher = Watcher()
    _, picture = watcher.walk(60, 300)
    for _ in range(12):
        covered = watcher.show(picture, 10, NS_PER_S)
        assert not recognisable(composed(picture, covered.levels, []), 288, 120)
    assert not (watcher.show(scene(), 1).levels > 0).any()


@pytest.mark.slow
def test_who_stands_still_for_ten_minutes_without_a_face_is_taken_for_furniture() -> None:
    watcher = Watcher()
    _, picture = watcher.walk(60, 300)
    assert (watcher.show(picture, 590, 2 * NS_PER_S).levels > 0).any()
    assert not (watcher.show(picture, 20, 2 * NS_PER_S).levels > 0).any()


@pytest.mark.slow
def test_who_is_found_again_and_again_is_never_taken_for_furniture() -> None:
    watcher = Watcher()
    _, picture = watcher.walk(60, 300)
    for _ in range(62):
        covered = watcher.show(picture, 10, NS_PER_S)
        watcher.cover.faces([(288 / WIDTH, 120 / HEIGHT, FACE / WIDTH, FACE / HEIGHT)], watcher.at_ns)
    assert not recognisable(composed(picture, covered.levels, []), 288, 120)


def test_a_face_that_is_found_in_what_was_learnt_is_unlearnt() -> None:
    watcher, picture = Watcher(knows=False), scene((300, 120))
    assert recognisable(composed(picture, watcher.show(picture, 14).levels, []), 300, 120)
    for _ in range(8):
        covered = watcher.show(picture, 0.2)
        watcher.cover.faces([(300 / WIDTH, 120 / HEIGHT, FACE / WIDTH, FACE / HEIGHT)], watcher.at_ns)
    covered = watcher.show(picture, 60, NS_PER_S)
    assert not recognisable(composed(picture, covered.levels, []), 300, 120)
    assert (covered.levels > 0).mean() < 0.1


def test_nothing_is_shown_before_it_is_known_how_the_place_looks_when_nobody_is_there() -> None:
    watcher = Watcher(knows=False)
    assert (watcher.show(scene(), 11.8).levels == 2).all()
    assert not (watcher.show(scene(), 1).levels > 0).any()


def test_a_busy_place_is_learnt_between_those_who_pass() -> None:
    watcher = Watcher(knows=False)
    for _ in range(4):
        watcher.walk(0, 600)
        watcher.show(scene(), 3)
    assert not (watcher.show(scene(), 1).levels > 0).any()


def test_where_the_camera_saw_nobody_for_ten_minutes_nothing_has_to_be_learnt() -> None:
    calm = ~NOBODY
    calm[6:12, 18:22] = False
    levels = Watcher(calm, knows=False).show(scene(), 1.6).levels
    assert np.array_equal(levels > 0, ~calm)


def test_what_is_known_is_kept_while_nobody_looks() -> None:
    watcher = Watcher()
    watcher.at_ns += 3600 * NS_PER_S
    picture = scene((300, 120))
    levels = watcher.show(picture, 0.2).levels
    assert not recognisable(composed(picture, levels, []), 300, 120)
    assert (levels > 0).mean() < 0.2


def test_it_begins_anew_with_another_size_when_the_clock_goes_back_and_when_the_camera_is_turned() -> None:
    watcher = Watcher()
    assert (watcher.show(scene()[:180], 0.2).levels > 0).all()
    watcher.show(scene()[:180], 14)
    watcher.at_ns -= 8 * NS_PER_S
    assert (watcher.show(scene()[:180], 0.2).levels > 0).all()
    watcher.show(scene()[:180], 14)
    turned = np.kron(rng.integers(0, 255, (9, 32, 3), np.uint8), np.ones((20, 20, 1), np.uint8))
    assert (watcher.show(turned, 4).levels > 0).mean() > 0.5
    watcher.show(turned, 22)
    assert (watcher.show(turned, 1).levels > 0).mean() < 0.5


@pytest.mark.parametrize("factor", [0.6, 1.4])
def test_light_that_changes_shows_nobody_and_does_not_cover_the_room(factor: float) -> None:
    watcher = Watcher()
    _, picture = watcher.walk(60, 300)
    lit = np.clip(picture * factor, 0, 255).astype(np.uint8)
    for _ in range(5):
        covered = watcher.show(lit, 0.2)
        assert (np.asarray(covered.levels)[CELLS_OF_HEAD] > 0).all()
    covered = watcher.show(lit, 30, NS_PER_S)
    assert (np.asarray(covered.levels)[CELLS_OF_HEAD] > 0).all()
    assert (covered.levels > 0).mean() < 0.3


def test_light_on_one_side_alone_shows_nobody_either() -> None:
    watcher = Watcher()
    _, picture = watcher.walk(60, 300)
    share = np.linspace(0.6, 1.3, WIDTH)[None, :, None]
    lit = np.clip(picture * share, 0, 255).astype(np.uint8)
    for seconds in (0.2, 1, 30, 60):
        assert (
            np.asarray(watcher.show(lit, seconds, round(min(seconds, 1.0) * NS_PER_S)).levels)[CELLS_OF_HEAD] > 0
        ).all()


@pytest.mark.parametrize(
    ("rows", "columns", "covered"),
    [
        (range(4, 14), range(10, 14), range(3, 11)),
        # Cut off by the lower edge: how much of a person it is nobody knows.
        (range(13, 23), range(10, 14), range(12, 23)),
    ],
)
def test_the_upper_part_of_a_region_counts_and_a_cell_around_it(rows: range, columns: range, covered: range) -> None:
    moving = NOBODY.copy()
    moving[rows.start : rows.stop, columns.start : columns.stop] = True
    expected = NOBODY.copy()
    expected[covered.start : covered.stop, columns.start - 1 : columns.stop + 1] = True
    assert np.array_equal(heads(moving)[0], expected)
    assert not heads(moving)[1].any()


def test_somebody_right_before_the_camera_is_covered_coarsely() -> None:
    moving = NOBODY.copy()
    moving[3:, 8:30] = True
    assert heads(moving)[1][3:, 8:30].all()


# --- who was found ---


def shown(x: int, y: int, *, event: bool = False, size: int = FACE) -> Shown:
    box = (x / WIDTH, y / HEIGHT, size / WIDTH, size / HEIGHT)
    return Shown(box, Label.WITHOUT_MASK if event else Label.WITH_MASK, event, (box,))


def inner(picture: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    """A face without the box drawn around it."""
    return picture[y + 3 : y + FACE - 3, x + 3 : x + FACE - 3]


def test_a_head_that_was_found_is_covered_though_nothing_moves() -> None:
    picture = scene((300, 120))
    assert not recognisable(composed(picture, STILL, [shown(300, 120)]), 300, 120)


def test_who_has_an_event_is_seen_within_the_box_and_nobody_around() -> None:
    picture = scene((300, 120), (400, 120))
    everywhere = np.full_like(STILL, 1)
    made = composed(picture, everywhere, [shown(300, 120, event=True), shown(400, 120)])
    assert np.array_equal(inner(made, 300, 120), inner(picture, 300, 120))
    assert not recognisable(made, 400, 120)
    assert not np.array_equal(made[90:110, 260:290], picture[90:110, 260:290])


def test_where_two_heads_overlap_the_one_without_an_event_is_covered() -> None:
    picture = scene((300, 120))
    picture[120 : 120 + FACE, 318 : 318 + FACE] = HEAD
    made = composed(picture, STILL, [shown(318, 120), shown(300, 120, event=True)])
    assert not recognisable(made, 318, 120)
    assert np.array_equal(
        made[115:140, 296:299], composed(picture, STILL, [shown(300, 120, event=True)])[115:140, 296:299]
    )


def test_a_box_has_the_colour_of_its_label_and_a_word() -> None:
    picture = scene((300, 120))
    made = composed(picture, STILL, [shown(300, 120, event=True)])
    assert tuple(made[120 + FACE // 2, 300]) == COLOURS[Label.WITHOUT_MASK]
    assert (made[100:118] == COLOURS[Label.WITHOUT_MASK]).all(axis=2).any()
    assert np.array_equal(picture, scene((300, 120)))


@pytest.mark.parametrize("size", [8, 24, 60, 150, 300])
def test_the_nearer_a_face_the_coarser_it_is_covered(size: int) -> None:
    picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    unnamed = replace_box(shown(200, 40, size=size))
    made = composed(picture, STILL, [unnamed])
    row = made[40 + min(size, HEIGHT - 41) // 2, 200 : 200 + size]
    steps = int((np.abs(np.diff(row.astype(int), axis=0)).sum(axis=1) > 0).sum())
    assert steps <= 4


def replace_box(one: Shown) -> Shown:
    """Covered, but not drawn."""
    return Shown(None, one.label, one.event, one.heads)


def test_boxes_at_and_beyond_the_edges_do_no_harm() -> None:
    picture = scene()
    for x, y in ((-20, -20), (630, 350), (700, 400), (-100, 100)):
        for event in (True, False):
            assert composed(picture, STILL, [shown(x, y, event=event)]).shape == picture.shape
    tiny = np.zeros((4, 6, 3), np.uint8)
    assert composed(tiny, np.ones((1, 1), np.uint8), []).shape == tiny.shape
    assert jpeg(picture).startswith(b"\xff\xd8")


# --- when somebody was seen ---


def moment(at_s: float, *people: tuple[int, Box, bool]) -> Moment:
    made = (Person(number, box, Label.WITH_MASK, confirmed=True, event=event) for number, box, event in people)
    return Moment(round(at_s * NS_PER_S), 1000, 500, tuple(made))


def at(people: People, at_s: float, moving: NDArray[np.bool_] = NOBODY) -> list[Shown]:
    return people.at(round(at_s * NS_PER_S), moving)


def test_between_two_sightings_a_box_is_in_between() -> None:
    people = People()
    people.take([moment(1.0, (1, (100, 100, 50, 50), False)), moment(1.2, (1, (200, 100, 50, 50), False))])
    (one,) = at(people, 1.1)
    assert one.box == pytest.approx((0.15, 0.2, 0.05, 0.1))
    assert len(one.heads) == 3


def test_an_event_counts_from_when_it_is_known_for_all_that_is_shown_later() -> None:
    people = People()
    people.take([moment(1.0, (1, (100, 100, 50, 50), False)), moment(1.2, (1, (100, 100, 50, 50), True))])
    assert at(people, 1.1)[0].event


def test_who_is_not_seen_any_more_has_no_box_but_stays_covered_for_a_while() -> None:
    people, everything = People(), np.ones_like(NOBODY)
    people.take([moment(1.0, (1, (100, 100, 50, 50), False)), moment(11.5)])
    assert at(people, 1.3, everything)[0].box is not None
    assert at(people, 1.5, everything)[0].box is None
    assert at(people, 3.5)[0].box is not None, "nothing moves there"
    assert at(people, 10.9)[0].heads
    assert at(people, 11.1) == []


def test_nothing_is_known_of_a_time_before_it_was_told() -> None:
    people = People()
    assert not people.known(0)
    people.take([moment(5.0)])
    assert people.known(5 * NS_PER_S)
    assert not people.known(5 * NS_PER_S + 1)
    # The camera's clock was set back.
    people.take([moment(1.0)])
    assert not people.known(2 * NS_PER_S)


# --- on demand ---


class Camera:
    """A camera that shows a room, and counts who looks."""

    def __init__(self) -> None:
        self.looks = 0
        self.widths: set[int] = set()

    def small(self, _: str, width: int) -> Small:
        self.looks += 1
        self.widths.add(width)
        return Small(scene(), time.time_ns())

    def views(self, watched: Sequence[str] = (CAMERA,)) -> PreviewViews:
        return PreviewViews(lambda: watched, self.small, lambda _: NOBODY)


@pytest.fixture
def previews(bus: Bus) -> Previews:
    return Previews(bus)


def first(previews: Previews, maker: PreviewMaker, limit_s: float = 5.0) -> Picture:
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        maker.turn()
        found = previews.pictures({CAMERA: "0-0"}, 10)
        if found:
            return found[CAMERA][1]
    raise AssertionError("no picture")


def test_nothing_is_shown_while_nobody_looks_but_it_is_learnt_now_and_then(previews: Previews, raw: Any) -> None:
    camera = Camera()
    maker = PreviewMaker(previews, camera.views())
    assert maker.turn() > 0.3
    maker.turn()
    assert (camera.looks, camera.widths, maker.made, raw.keys("*")) == (1, {320}, 0, [])
    previews.want({"another": 640})
    maker = PreviewMaker(previews, camera.views())
    assert maker.turn() > 0.3
    assert maker.made == 0


def test_a_picture_waits_until_it_is_known_who_was_there(previews: Previews) -> None:
    camera = Camera()
    maker = PreviewMaker(previews, camera.views())
    previews.want({CAMERA: 320})
    began_s = time.monotonic()
    maker.turn()
    assert (camera.looks, maker.made, camera.widths) == (1, 0, {320})
    at_ns = time.time_ns()
    previews.put_moments({CAMERA: [Moment(at_ns, 1000, 500)]})
    maker.turn()
    assert maker.made == 1
    assert time.monotonic() - began_s < HELD_S
    picture = previews.pictures({CAMERA: "0-0"}, 0)[CAMERA][1]
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert picture.at_ns <= at_ns
    assert "jpeg" not in repr(picture)


def test_where_it_does_not_become_known_all_that_moves_is_covered(
    previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.previews.HELD_S", 0.1)
    previews.want({CAMERA: 640})
    assert first(previews, PreviewMaker(previews, Camera().views())).jpeg.startswith(b"\xff\xd8")


def test_wishes_pictures_and_places_are_forgotten_by_themselves(previews: Previews, raw: Any) -> None:
    previews.want({CAMERA: 640})
    previews.put_moments({CAMERA: [Moment(1, 2, 3)]})
    for number in range(3):
        previews.put_picture(CAMERA, Picture(number, 1, 1, b"x"))
    assert {name: 0 < raw.pttl(name) <= 5000 for name in raw.keys("*")} == dict.fromkeys(raw.keys("*"), True)
    assert len(raw.keys("*")) == 3
    assert raw.xlen("maskwatch:preview:shown:c1") == 1
    assert previews.pictures({CAMERA: "0-0"}, 0)[CAMERA][1].at_ns == 2
    # Whatever another version wishes.
    raw.set("maskwatch:preview:wanted:c1", b"1280")
    raw.xadd("maskwatch:preview:places:c1", {"m": b"?"})
    assert previews.wanted(["c0", CAMERA]) == {CAMERA: 640}
    assert len(previews.moments({CAMERA: "0-0"})[CAMERA][1]) == 1


def test_a_camera_that_fails_keeps_no_other_from_being_shown(previews: Previews) -> None:
    camera = Camera()

    def small(name: str, width: int) -> Small:
        if name == "broken":
            raise ValueError(name)
        return camera.small(name, width)

    maker = PreviewMaker(previews, PreviewViews(lambda: ("broken", CAMERA), small, lambda _: None))
    previews.want({CAMERA: 640, "broken": 640})
    previews.put_moments({CAMERA: [Moment(time.time_ns() + 60 * NS_PER_S, 1000, 500)]})
    with capture_logs() as logs:
        first(previews, maker)
    assert {line["camera"] for line in logs} == {"broken"}


def test_without_redis_it_is_tried_again_and_said_once() -> None:
    pulse = Pulse()
    with closing(Bus("unix:///nowhere/redis.sock")) as bus, capture_logs() as logs:
        views = PreviewViews(lambda: (CAMERA,), lambda *_: pulse.stop(), lambda _: None)
        maker = Previews(bus)
        asked = iter(range(3))

        def watched() -> tuple[str, ...]:
            if next(asked) == 2:
                pulse.stop()
            return (CAMERA,)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ingest.previews.RETRY_S", 0.01)
            patch.setattr("ingest.previews.ASK_S", 0.0)
            run_previews(maker, PreviewViews(watched, views.small, views.people), pulse)
        showing = Showing(bus)
        assert showing.wanted([CAMERA]) == frozenset()
        showing.tell({CAMERA: [Moment(1, 2, 3)]})
    assert [line["event"] for line in logs] == ["no previews", *["previews do without boxes"] * 2]


# --- who is there ---


@pytest.fixture
def told(place: Place) -> Previews:
    return Previews(place.bus)


def test_the_aggregator_tells_where_people_are_of_cameras_that_are_looked_at_alone(
    place: Place, told: Previews
) -> None:
    messages = place.messages()
    aggregator = place.aggregator()
    place.bus.send(messages[:5])
    aggregator.turn()
    assert told.moments({CAMERA: "0-0"}) == {}
    told.want({CAMERA: 640})
    place.bus.send(messages[5:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classify.showing.ASK_S", 0.0)
        aggregator = place.aggregator()
        while aggregator.turn():
            pass
    _, moments = told.moments({CAMERA: "0-0"})[CAMERA]
    results = [message for message in messages[5:] if isinstance(message, Result)]
    assert [one.at_ns for one in moments] == [result.at_ns for result in results]
    assert {(one.width, one.height) for one in moments} == {(1920, 1080)}
    boxes = {person.box for one in moments for person in one.people}
    assert boxes <= {face.box for result in results for face in result.faces}
    events = {person.track for one in moments for person in one.people if person.event}
    assert len(events) == 1, "one of the two breaks the rule"
    assert len({person.track for one in moments for person in one.people}) == 2


def test_outside_the_hours_there_are_no_events_and_nobody_is_left_clear(place: Place, told: Previews) -> None:
    sites = Sites(place.engine)
    sites.add_building("North", "UTC", building_id="north")
    # The samples are of a Thursday.
    policy = Policy(hours=(Hours(("mon",), "09:00", "18:00"),))
    sites.add_camera(NewCamera("Door", "north", "rtsp://10.0.0.5/1", policy=policy, id=CAMERA))
    messages = place.messages()
    place.bus.send(messages[:5])
    place.aggregator().turn()
    told.want({CAMERA: 640})
    place.bus.send(messages[5:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classify.showing.ASK_S", 0.0)
        aggregator = place.aggregator()
        while aggregator.turn():
            pass
    _, moments = told.moments({CAMERA: "0-0"})[CAMERA]
    assert len({person.track for one in moments for person in one.people}) == 2
    assert not place.facts().events
    assert not any(person.event for one in moments for person in one.people)


# --- from a frame ---


def test_a_reduced_picture_is_upright_and_never_enlarged() -> None:
    from av.video.frame import VideoFrame

    wide = VideoFrame.from_ndarray(np.zeros((90, 160, 3), np.uint8), format="rgb24")
    frame = Frame.of(wide, 0, 0, sampled=False)
    assert (frame.small(80).shape, frame.small(640).shape, frame.size) == ((45, 80, 3), (90, 160, 3), (160, 90))
    turned = Frame(0, 0, sampled=False, rotation=1, _decoded=wide)
    assert (turned.small(45).shape, turned.size) == ((80, 45, 3), (90, 160))
