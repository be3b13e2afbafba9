"""Labelled pictures and the faces cut from them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from classify.crops import crop_face
from detect.faces import Faces
from detect.looking import Looker
from storage.errors import InputError
from training.cache import CONTEXT, cache_key, cut_crops, load_cut, save_cut
from training.faces import portrait_face, read_picture, scene_faces
from training.labels import INCORRECT_MASK, NO_FACE, WITH_MASK, WITHOUT_MASK, label_of
from training.pictures import Picture, read_data


class CentreDetector:
    """Finds one face in the middle of a picture that is not black, half its smaller side wide; grey is no picture."""

    name = "centre"
    input_px = 192
    smallest_face_px = 12.0

    def detect(self, rgb: NDArray[np.uint8]) -> Faces:
        seen = (rgb != 127).any(2)
        if not rgb[seen].any():
            return Faces.none()
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        side = min(len(rows), len(columns)) / 2.0
        x, y = columns[0] + len(columns) / 2.0, rows[0] + len(rows) / 2.0
        box = np.array([[x - side / 2.0, y - side / 2.0, side, side]], np.float32)
        layout = [(0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.5, 0.75), (0.05, 0.4), (0.95, 0.4)]
        keypoints = box[:, None, :2] + np.array(layout, np.float32) * np.float32(side)
        return Faces(box, np.array([0.9], np.float32), keypoints)

    def close(self) -> None:
        pass


def looker() -> Looker:
    return Looker([CentreDetector()], min_face_px=1000.0)


def write_picture(path: Path, colour: tuple[int, int, int], *, size: int = 96, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed).normal(0, 12, (size, size, 3))
    picture = np.clip(np.array(colour, np.float64) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())
    return path


def write_classes(folder: Path, *, each: int = 20) -> Path:
    for number, (name, colour) in enumerate({"with_mask": (60, 120, 220), "without_mask": (210, 160, 130)}.items()):
        for index in range(each):
            write_picture(folder / name / f"{index:03}.png", colour, seed=number * 1000 + index)
    return folder


def write_pack(folder: Path) -> Path:
    for name in ("a", "b", "c"):
        write_picture(folder / "scenes" / "town" / f"{name}.png", (90, 90, 90), size=120)
    write_picture(folder / "faces" / "set" / "without_mask" / "p.png", (200, 150, 120))
    coco = {
        "images": [{"id": number, "file_name": f"scenes/town/{name}.png"} for number, name in enumerate("abc")],
        "categories": [{"id": 1, "name": "with_mask"}, {"id": 3, "name": "incorrect_mask"}],
        "annotations": [
            {"image_id": 0, "category_id": 1, "bbox": [30, 30, 60, 60]},
            {"image_id": 0, "category_id": 3, "bbox": [2, 2, 20, 24]},
            {"image_id": 1, "category_id": 1, "bbox": [0, 0, 30, 30]},
        ],
    }
    (folder / "scenes" / "town.coco.json").write_text(json.dumps(coco))
    lists = {
        "train": ["scenes/town/a.png", "faces/set/without_mask/p.png"],
        "val": ["scenes/town/b.png"],
        "test": ["scenes/town/c.png"],
    }
    (folder / "split.json").write_text(json.dumps(lists))
    return folder


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("with_mask", WITH_MASK),
        ("WithMask", WITH_MASK),
        ("Masked", WITH_MASK),
        ("no mask", WITHOUT_MASK),
        ("without-mask", WITHOUT_MASK),
        ("mask_weared_incorrect", INCORRECT_MASK),
        ("mask_worn_incorrect", INCORRECT_MASK),
        ("face_with_mask", WITH_MASK),
        ("face_no_mask", WITHOUT_MASK),
        ("mask_nose_mouth", INCORRECT_MASK),
        ("not_a_face", NO_FACE),
        ("cats", None),
        ("0", None),
    ],
)
def test_folder_names_map_to_labels(name: str, label: int | None) -> None:
    assert label_of(name) == label


def test_a_pack_gives_scenes_with_boxes_and_portraits_with_a_class(tmp_path: Path) -> None:
    pictures = {picture.path.name: picture for picture in read_data([write_pack(tmp_path)])}
    assert pictures["a.png"].labels == (WITH_MASK, INCORRECT_MASK)
    assert pictures["a.png"].boxes[1] == (2.0, 2.0, 20.0, 24.0)
    assert (pictures["b.png"].split, pictures["b.png"].source) == ("val", "town")
    assert pictures["c.png"].boxes == ()
    assert (pictures["p.png"].portrait, pictures["p.png"].source) == (WITHOUT_MASK, "set")


def test_a_folder_is_split_within_each_class_by_the_seed_alone(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, each=20)
    first, again, other = (read_data([folder], seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    for label in (WITH_MASK, WITHOUT_MASK):
        splits = [picture.split for picture in first if picture.portrait == label]
        assert (splits.count("train"), splits.count("val"), splits.count("test")) == (16, 2, 2)


def test_limit_takes_a_few_of_every_kind(tmp_path: Path) -> None:
    pictures = read_data([write_classes(tmp_path)], limit=2)
    assert len(pictures) == 2 * 2 * 3


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "with_mask" / "a.png", (1, 2, 3))
    with pytest.raises(InputError, match="no picture of class without_mask"):
        read_data([tmp_path])


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "with_mask" / "a.png", (1, 2, 3))
    (tmp_path / "without_mask").mkdir()
    with pytest.raises(InputError, match="without_mask holds no pictures"):
        read_data([tmp_path])


def test_a_missing_pack_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder") as caught:
        read_data([tmp_path / "shared" / "data"])
    assert "\n" not in str(caught.value)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "dogs").mkdir()
    with pytest.raises(InputError, match="name them with_mask, without_mask, incorrect_mask"):
        read_data([tmp_path])


@pytest.mark.parametrize("content", ["", "[]", '{"train": ["scenes/x.png"], "val": [], "test": []}', '{"train": 3}'])
def test_a_damaged_pack_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(InputError):
        read_data([tmp_path])


def found(*boxes: tuple[float, float, float, float, float]) -> Faces:
    values = np.array(boxes, np.float32)
    return Faces(values[:, :4], values[:, 4], np.zeros((len(boxes), 6, 2), np.float32))


def test_a_scene_gives_annotated_boxes_the_detectors_own_and_its_false_alarms() -> None:
    scene = Picture(Path("a.jpg"), "town", "train", ((10, 10, 40, 50), (200, 10, 30, 30)), (WITHOUT_MASK, WITH_MASK))
    finds = found(
        (12, 8, 42, 46, 0.9),  # the first face
        (100, 100, 40, 40, 0.3),  # nothing there: a false alarm
        (300, 100, 40, 40, 0.8),  # so sure that it is a face nobody annotated
        (30, 30, 40, 40, 0.3),  # half on a face: neither
        (400, 10, 10, 10, 0.3),  # too small to tell
    )
    faces = scene_faces(scene, finds)
    assert [(face.origin, face.label, round(face.score, 2)) for face in faces] == [
        ("detector", WITHOUT_MASK, 0.9),
        ("false_alarm", NO_FACE, 0.3),
        ("annotated", WITHOUT_MASK, 0.9),
        ("annotated", WITH_MASK, 0.0),
    ]
    assert np.isnan(faces[-1].keypoints).all()


def test_a_scene_without_annotations_gives_only_false_alarms() -> None:
    faces = scene_faces(Picture(Path("a.jpg"), "town", "train"), found((5, 5, 40, 40, 0.3)))
    assert [(face.origin, face.label) for face in faces] == [("false_alarm", NO_FACE)]


def test_a_portrait_without_a_detected_face_is_taken_whole() -> None:
    black = np.zeros((60, 100, 3), np.uint8)
    face = portrait_face(Picture(Path("a.jpg"), "set", "val", portrait=WITH_MASK), WITH_MASK, black, looker())
    assert face.origin == "whole_picture"
    x, y, width, height = face.box
    assert (x + width / 2, y + height / 2, width * 1.5) == pytest.approx((50, 30, 100))


def test_the_biggest_sure_face_of_a_portrait_is_its_face() -> None:
    class Several(CentreDetector):
        def detect(self, rgb: NDArray[np.uint8]) -> Faces:
            finds = found((0, 0, 20, 20, 0.9), (30, 30, 60, 60, 0.8), (100, 0, 100, 100, 0.2))
            return finds if rgb.shape == (200, 200, 3) else Faces.none()

    rgb = np.zeros((200, 200, 3), np.uint8)
    picture = Picture(Path("a.jpg"), "set", "val", portrait=WITH_MASK)
    assert portrait_face(picture, WITH_MASK, rgb, Looker([Several()], min_face_px=1000.0)).box == (30, 30, 60, 60)


def test_crops_hold_the_face_and_its_surroundings(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", (10, 200, 30), size=200)
    cut = cut_crops([Picture(path, "set", "val", portrait=WITH_MASK)], looker(), exact=True)
    crops = cut.crops
    assert (crops.origins.tolist(), crops.widths.tolist()) == (["portrait"], [100.0])
    rgb = read_picture(path)
    assert rgb is not None
    np.testing.assert_array_equal(crops.exact[0], crop_face(rgb, (50, 50, 100, 100)))
    side = crops.context[0].shape[0]
    eyes = crops.keypoints[0, :2].mean(0)
    assert eyes[0] == pytest.approx(side / 2, abs=0.5)
    assert (eyes[1] - side / 2) * CONTEXT / side == pytest.approx(0.35 - 0.5, abs=0.01)


def test_far_faces_are_not_enlarged_when_kept(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", (10, 200, 30), size=48)
    cut = cut_crops([Picture(path, "set", "train", portrait=WITH_MASK)], looker(), exact=False)
    assert cut.crops.context[0].shape[0] == round(24 * CONTEXT)
    assert len(cut.crops.exact) == 0


def test_unreadable_pictures_are_counted_and_skipped(tmp_path: Path) -> None:
    good = write_picture(tmp_path / "a.png", (10, 200, 30))
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "c.png").write_bytes(b"")
    names = (good, tmp_path / "b.png", tmp_path / "c.png", tmp_path / "missing.png")
    cut = cut_crops([Picture(path, "set", "train", portrait=WITH_MASK) for path in names], looker(), exact=False)
    assert len(cut.crops) == 1
    assert [Path(name).name for name in cut.unreadable] == ["b.png", "c.png", "missing.png"]


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no usable face in 1 pictures"):
        cut_crops([Picture(tmp_path / "a.png", "set", "train", portrait=WITH_MASK)], looker(), exact=False)


def test_kept_crops_come_back_as_they_were(tmp_path: Path) -> None:
    pictures = read_data([write_classes(tmp_path / "data", each=3)])
    cut = cut_crops(pictures, looker(), exact=True)
    save_cut(tmp_path / "crops.npz", cut)
    again = load_cut(tmp_path / "crops.npz")
    assert again is not None
    np.testing.assert_array_equal(again.crops.exact, cut.crops.exact)
    np.testing.assert_array_equal(again.crops.context[2], cut.crops.context[2])
    assert again.crops.counts() == cut.crops.counts()


def test_a_broken_cache_is_cut_anew(tmp_path: Path) -> None:
    path = tmp_path / "crops.npz"
    assert load_cut(path) is None
    path.write_bytes(b"PK\x03\x04 not really")
    assert load_cut(path) is None
    save_cut(path, cut_crops(read_data([write_classes(tmp_path / "data", each=3)]), looker(), exact=True))
    with np.load(path) as stored:
        arrays = dict(stored)
    for name, damaged in (
        ("bytes", arrays["bytes"] * 0),
        ("lengths", arrays["lengths"][:-1]),
        ("labels", arrays["labels"][:-1]),
    ):
        np.savez(path, **{**arrays, name: damaged})
        assert load_cut(path) is None
    np.savez(path, **arrays)
    assert load_cut(path) is not None


def test_the_cache_knows_what_it_was_made_from(tmp_path: Path) -> None:
    pictures = read_data([write_classes(tmp_path, each=3)])
    assert cache_key(pictures, looker()) == cache_key(list(pictures), looker())
    assert cache_key(pictures, looker()) != cache_key(pictures[1:], looker())
    assert cache_key(pictures, looker()) != cache_key(pictures, looker(), 96)
