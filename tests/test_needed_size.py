"""The still that shows how large a face must be: nobody can be recognised in it."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ingest.motion import PEOPLE_NS, Motion
from storage.errors import InputError
from storage.face_tally import Tally
from storage.messages import NS_PER_S
from storage.needed_size import GOOD, SMALL, covered, drawn, needed_size
from storage.regions import Region

Picture = NDArray[np.uint8]


def opened(jpeg: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.int16)


def noise(height: int = 540, width: int = 960) -> Picture:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)


def detail(picture: NDArray[np.generic]) -> float:
    """Mean difference of neighbours."""
    return float(np.abs(np.diff(picture.astype(np.int16), axis=1)).mean())


def test_where_people_may_be_is_pixelated_and_the_rest_is_not() -> None:
    picture, people = noise(), np.zeros((9, 16), bool)
    people[:, :8] = True
    shown = covered(picture, people)
    assert np.array_equal(shown[:, 480:], picture[:, 480:])
    assert detail(shown[:, :480]) < 5 < detail(picture[:, :480])


def test_without_a_word_on_people_all_of_it_is() -> None:
    assert detail(covered(noise(), None)) < 5


def test_found_faces_are_covered_wherever_they_are() -> None:
    picture, nobody = noise(), np.zeros((9, 16), bool)
    shown = covered(picture, nobody, [(100, 100, 60, 60), (940, 520, 60, 60), (-20, -20, 60, 60)])
    assert detail(shown[100:160, 100:160]) < 5
    assert detail(shown[525:, 945:]) < 5
    assert np.array_equal(shown[250:400, 300:800], picture[250:400, 300:800])
    assert np.array_equal(covered(picture, nobody), picture)


def test_faces_seen_show_as_colours_where_they_were(astronaut: Picture) -> None:
    tally = Tally()
    for _ in range(50):
        tally.note_face(14, 0.2, 0.5, (0.5, 0.5, 0.0))
        tally.note_face(90, 0.8, 0.5, (0.5, 0.5, 0.0))
    grey = np.full((540, 960, 3), 128, np.uint8)
    picture = opened(drawn(grey, tally, 24, 40, 960))
    for x, colour in ((0.2, SMALL), (0.8, GOOD)):
        cell = picture[int(0.54 * 540), int(x * 960)] - 128
        assert np.argmax(cell) == np.argmax(colour)
    assert abs(picture[100, 480] - 128).max() < 4


def test_the_outline_is_as_wide_as_a_face_must_be() -> None:
    picture = opened(drawn(np.zeros((540, 960, 3), np.uint8), Tally(), 80, 133, 960))
    row = picture[int(4.5 * 540 / 9)].min(axis=1)
    middle = round(8.5 * 960 / 16)
    white = np.flatnonzero(row[middle - 60 : middle + 60] > 200)
    assert 76 <= white.max() - white.min() <= 84


def test_a_size_that_no_face_has_does_not_burst_the_picture() -> None:
    assert opened(drawn(np.zeros((540, 960, 3), np.uint8), Tally(), 10_000, 16_667, 960)).shape == (780, 960, 3)


@pytest.mark.parametrize(("height", "width"), [(20, 20), (2160, 3840), (1, 500)])
def test_pictures_of_any_size_are_drawn_upon(height: int, width: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    assert opened(drawn(covered(picture, None), Tally(), 24, 40, width)).shape[1] == min(1280, max(960, width))


def test_a_picture_that_was_not_covered_is_covered_here() -> None:
    out = io.BytesIO()
    Image.fromarray(noise()).save(out, "JPEG", quality=95)
    known, unknown = (opened(needed_size(out.getvalue(), Tally(), 24, 40, None, cover=c)) for c in (False, True))
    assert detail(unknown[:80]) < 5 < detail(known[:80])
    with pytest.raises(InputError, match="could not be decoded"):
        needed_size(b"no picture", Tally(), 24, 40, None, cover=True)


def test_people_may_be_wherever_something_moved_in_ten_minutes_and_wherever_nobody_looks() -> None:
    ignored = Region("ignore", ((0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0)))
    motion = Motion((ignored,))
    assert motion.people() is None
    empty, with_person = np.full((180, 320), 100, np.uint8), np.full((180, 320), 100, np.uint8)
    with_person[80:100, 200:220] = 200
    motion.judge(empty, NS_PER_S)
    # At first nobody knows.
    people = motion.people()
    assert people is not None
    assert people.all()
    motion.judge(empty, 2 * PEOPLE_NS)
    motion.judge(with_person, 2 * PEOPLE_NS + NS_PER_S)
    motion.judge(with_person, 3 * PEOPLE_NS)
    people = motion.people()
    assert people is not None
    assert people[11, 26]
    assert people[:, :9].all()
    assert not people[:, 34:].any()
    motion.judge(with_person, 4 * PEOPLE_NS)
    people = motion.people()
    assert people is not None
    assert not people[11, 26]
