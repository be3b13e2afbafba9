"""The pack's labels as seen at its review, and what happens to faces that nobody can label."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detect.faces import Faces
from storage.errors import InputError
from tests.test_training_data import looker, write_picture
from training.cache import cut_crops, load_cut, save_cut
from training.faces import scene_faces
from training.formats import pack as pack_layout
from training.formats.reviewed import Seen, read_review, reviewed
from training.labels import INCORRECT_MASK, NO_FACE, WITH_MASK, WITHOUT_MASK
from training.pictures import Picture
from training.splits import classes_of

ROOT = Path("/pack")
BOXES = ((10.0, 10.0, 40.0, 40.0), (100.0, 10.0, 40.0, 40.0), (200.0, 10.0, 40.0, 40.0))
SCENE = Picture(ROOT / "scenes/a/1.jpg", "a", "train", BOXES, (WITH_MASK, WITHOUT_MASK, INCORRECT_MASK))
PORTRAIT = Picture(ROOT / "faces/b/with_mask/1.jpg", "b", "train", portrait=WITH_MASK)


def found(*boxes: tuple[float, float, float, float]) -> Faces:
    count = len(boxes)
    return Faces(np.array(boxes, np.float32), np.full(count, 0.3, np.float32), np.zeros((count, 6, 2), np.float32))


def test_a_label_seen_replaces_the_one_given_which_is_kept_beside_it() -> None:
    changes = {
        ("scenes/a/1.jpg", 1): Seen(WITHOUT_MASK, INCORRECT_MASK),
        ("faces/b/with_mask/1.jpg", None): Seen(WITH_MASK, INCORRECT_MASK),
    }
    (scene, portrait), count = reviewed([SCENE, PORTRAIT], ROOT, changes)
    assert count == 2
    assert scene.labels == (WITH_MASK, INCORRECT_MASK, INCORRECT_MASK)
    assert scene.given == SCENE.labels
    assert (portrait.portrait, portrait.given) == (INCORRECT_MASK, (WITH_MASK,))


def test_a_change_of_another_label_than_the_one_found_is_passed_over() -> None:
    changes = {
        ("scenes/a/1.jpg", 0): Seen(WITHOUT_MASK, INCORRECT_MASK),
        ("faces/b/with_mask/1.jpg", None): Seen(WITHOUT_MASK, None),
    }
    assert reviewed([SCENE, PORTRAIT], ROOT, changes) == ([SCENE, PORTRAIT], 0)


def test_what_nobody_can_label_leaves_but_a_find_there_is_no_false_alarm() -> None:
    changes = {("scenes/a/1.jpg", 0): Seen(WITH_MASK, None), ("faces/b/with_mask/1.jpg", None): Seen(WITH_MASK, None)}
    (scene, portrait), count = reviewed([SCENE, PORTRAIT], ROOT, changes)
    assert count == 2
    assert portrait.set_aside
    assert classes_of(portrait) == ()
    assert (scene.boxes, scene.ignored) == (BOXES[1:], BOXES[:1])
    faces = scene_faces(scene, found(*BOXES, (300.0, 200.0, 40.0, 40.0)))
    assert [(face.origin, face.label) for face in faces] == [
        ("detector", WITHOUT_MASK), ("detector", INCORRECT_MASK), ("false_alarm", NO_FACE),
        ("annotated", WITHOUT_MASK), ("annotated", INCORRECT_MASK), ("unclear", WITH_MASK),
    ]  # fmt: skip


def test_unclear_faces_are_kept_apart_and_only_to_measure_on(tmp_path: Path) -> None:
    scene = write_picture(tmp_path / "scenes" / "a.png", (90, 90, 90))
    portraits = [write_picture(tmp_path / "faces" / f"{name}.png", (200, 150, 120)) for name in "bc"]
    pictures = [
        Picture(scene, "a", "val", ((20.0, 20.0, 60.0, 60.0),), (WITHOUT_MASK,), ignored=((90.0, 20.0, 60.0, 60.0),),
                unclear=(INCORRECT_MASK,)),
        Picture(portraits[0], "b", "val", portrait=WITH_MASK),
        Picture(portraits[1], "b", "val", portrait=WITH_MASK, unclear=(WITH_MASK,)),
    ]  # fmt: skip
    cut = cut_crops(pictures, looker(), exact=True)
    assert cut.unclear is not None
    assert (cut.unclear.labels.tolist(), set(cut.unclear.origins)) == ([INCORRECT_MASK, WITH_MASK], {"unclear"})
    assert "unclear" not in set(cut.crops.origins)
    assert cut.crops.names.tolist() == cut_crops(pictures[:2], looker(), exact=True).crops.names.tolist()
    assert cut_crops(pictures, looker(), exact=False).unclear is None
    save_cut(tmp_path / "cut.npz", cut)
    again = load_cut(tmp_path / "cut.npz")
    assert again is not None
    assert again.unclear is not None
    np.testing.assert_array_equal(again.unclear.exact, cut.unclear.exact)
    assert (again.unclear.counts(), again.crops.counts()) == (cut.unclear.counts(), cut.crops.counts())


def test_where_not_every_face_has_a_box_nothing_is_a_false_alarm() -> None:
    faces = scene_faces(replace(SCENE, complete=False), found((300.0, 200.0, 40.0, 40.0)))
    assert {face.origin for face in faces} == {"annotated"}


def test_a_face_knows_the_label_it_was_given() -> None:
    (scene,), _ = reviewed([SCENE], ROOT, {("scenes/a/1.jpg", 1): Seen(WITHOUT_MASK, INCORRECT_MASK)})
    faces = scene_faces(scene, found(BOXES[1]))
    assert [(face.label, face.given) for face in faces] == [
        (INCORRECT_MASK, WITHOUT_MASK), (WITH_MASK, WITH_MASK), (INCORRECT_MASK, WITHOUT_MASK), (INCORRECT_MASK, INCORRECT_MASK),
    ]  # fmt: skip


def test_the_review_names_each_face_once_and_changes_every_label() -> None:
    changes = read_review()
    assert len(changes) > 100
    assert all(change.seen != change.given for change in changes.values())


@pytest.mark.parametrize(
    "line", ["a.jpg,x,with_mask,incorrect_mask,yes,", "a.jpg,,hat,incorrect_mask,yes,", "a.jpg,,with_mask,hat,yes,"]
)
def test_a_damaged_review_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "review.csv"
    path.write_text(f"picture,face,given,seen,sure,why\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"review\.csv is damaged"):
        read_review(path)


def test_every_line_fits_a_face_of_the_pack(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = read_review()
    after = {picture.path.relative_to(pack).as_posix(): picture for picture in pack_layout.read(pack, "pack").pictures}
    monkeypatch.setattr("training.formats.reviewed.read_review", dict)
    listed = pack_layout.read(pack, "pack").pictures
    before = {picture.path.relative_to(pack).as_posix(): picture for picture in listed}
    for (name, face), change in changes.items():
        given = (before[name].portrait,) if face is None else before[name].labels
        assert given[face or 0] == change.given, (name, face)
        if change.seen is None:
            assert change.given in after[name].unclear, (name, face)
        elif face is None:
            assert (after[name].portrait, after[name].given) == (change.seen, (change.given,)), name
        else:
            place = after[name].boxes.index(before[name].boxes[face])
            assert (after[name].labels[place], after[name].given[place]) == (change.seen, change.given), (name, face)
    assert reviewed(listed, pack, changes)[1] == len(changes)
    assert sum(len(picture.unclear) for picture in after.values()) == sum(one.seen is None for one in changes.values())
