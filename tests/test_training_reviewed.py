"""The pack's labels as seen at its review, and what happens to faces that nobody can label."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detect.faces import Faces
from storage.errors import InputError
from training.faces import scene_faces
from training.formats.reviewed import Seen, read_review, reviewed
from training.labels import INCORRECT_MASK, LABELS, NO_FACE, WITH_MASK, WITHOUT_MASK
from training.pictures import Picture, read_data

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
    (scene,), count = reviewed([SCENE, PORTRAIT], ROOT, changes)
    assert count == 2
    assert (scene.boxes, scene.ignored) == (BOXES[1:], BOXES[:1])
    faces = scene_faces(scene, found(*BOXES, (300.0, 200.0, 40.0, 40.0)))
    assert [(face.origin, face.label) for face in faces] == [
        ("detector", WITHOUT_MASK), ("detector", INCORRECT_MASK), ("false_alarm", NO_FACE),
        ("annotated", WITHOUT_MASK), ("annotated", INCORRECT_MASK),
    ]  # fmt: skip


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


def test_every_line_fits_a_face_of_the_pack(pack: Path) -> None:
    pictures = {picture.path.relative_to(pack).as_posix(): picture for picture in read_data((pack,))}
    for (name, face), change in read_review().items():
        if name not in pictures:
            assert change.seen is None, name
        elif face is not None and change.seen is not None:
            assert change.given in pictures[name].given, (name, LABELS[change.given])
