"""What is checked before a training: unreadable files, near-duplicates, boxes; and how pictures are split."""

import random
import struct
import time
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import InputError, UsageError
from tests.test_training_formats import draw, write_classes
from training.checks import check, fitted
from training.hashing import clusters, look
from training.labels import INCORRECT_MASK, WITH_MASK, WITHOUT_MASK
from training.pictures import Picture, prepare, read_data
from training.splits import assign, classes_of, folds


def copy_of(path: Path, target: Path, *, mirrored: bool = False, quality: int = 60, scale: float = 0.7) -> Path:
    picture = cv2.imread(str(path))
    assert picture is not None
    smaller = cv2.resize(picture[:, ::-1] if mirrored else picture, None, fx=scale, fy=scale)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
    return target


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims to be this large."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 9) + b"IDATnothing"


def portrait(path: Path, label: int, split: str = "", source: str = "set", group: str = "") -> Picture:
    return Picture(path, source, split, portrait=label, group=group)


def test_what_can_not_be_read_is_listed_with_its_reason(tmp_path: Path) -> None:
    write_classes(tmp_path, 6)
    whole = draw(tmp_path / "without_mask" / "whole.jpg", 500, (400, 300)).read_bytes()
    folder = tmp_path / "with_mask"
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"no picture")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "huge.png").write_bytes(png_header(12_000, 12_000))
    (folder / "bomb.png").write_bytes(png_header(60_000, 60_000))
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    pictures, report = prepare([tmp_path])
    reasons = {Path(entry.file).name: entry.reason for entry in report.unreadable}
    assert reasons["empty.png"] == "empty (0 bytes)"
    assert reasons["text.png"] == "not a picture"
    assert reasons["cut.jpg"].startswith("damaged")
    assert reasons["huge.png"] == "12000x12000 pixels, more than 100 million"
    assert reasons["bomb.png"] == "far more than 100 million pixels"
    assert reasons["gone.png"] == "no such file or directory"
    assert len(pictures) == report.pictures == 13
    assert any("6 files can't be used" in warning for warning in report.warnings)


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    for name in ("with_mask", "without_mask"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"none of 2 pictures can be read; .*a.png: not a picture"):
        prepare([tmp_path])


def test_a_class_with_one_picture_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, 6)
    draw(tmp_path / "incorrect_mask" / "only.png", 5000)
    with pytest.raises(InputError, match=r"class incorrect_mask has one picture only, .*only.png"):
        prepare([tmp_path])


def test_a_class_of_copies_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, 6)
    first = draw(tmp_path / "incorrect_mask" / "a.png", 5000)
    copy_of(first, first.with_name("b.jpg"))
    with pytest.raises(InputError, match="has 2 pictures that are all near-duplicates"):
        prepare([tmp_path])


def test_near_duplicates_stay_on_one_side(tmp_path: Path) -> None:
    write_classes(tmp_path, 12)
    for path in sorted((tmp_path / "with_mask").iterdir()):
        copy_of(path, path.with_name(f"x{path.stem}a.jpg"))
        copy_of(path, path.with_name(f"y{path.stem}b.jpg"), mirrored=True, scale=1.5)
    for seed in range(3):
        pictures, report = prepare([tmp_path], seed=seed)
        sides: dict[str, set[tuple[str, str]]] = {}
        for picture in pictures:
            if picture.portrait == WITH_MASK:
                sides.setdefault(picture.path.stem.strip("xyab"), set()).add((picture.split, picture.group))
        assert all(len(splits) == 1 for splits in sides.values())
        assert (report.duplicates.groups, report.duplicates.pictures, report.duplicates.across_splits) == (12, 36, 0)


def test_a_given_split_that_leaks_is_refused(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        write_classes(tmp_path / split, 4, seed=100 * number)
    first = tmp_path / "train" / "with_mask" / "001.png"
    copy_of(first, tmp_path / "test" / "with_mask" / "again.jpg", mirrored=True)
    with pytest.raises(InputError, match=r"given split leaks: 1 groups .*\(2 pictures\).*(again.jpg|001.png).* and "):
        prepare([tmp_path])


def test_near_duplicates_with_different_labels_are_listed(tmp_path: Path) -> None:
    write_classes(tmp_path, 6)
    copy_of(tmp_path / "with_mask" / "002.png", tmp_path / "without_mask" / "same.jpg")
    _, report = prepare([tmp_path])
    assert [tuple(Path(name).name for name in pair) for pair in report.duplicates.contradictions] == [
        ("002.png", "same.jpg")
    ]


def test_plain_pictures_are_not_glued_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    plain = [np.clip(rng.normal(120, 1, (64, 64)), 0, 255).astype(np.uint8) for _ in range(50)]
    groups = clusters([look(picture) for picture in [*plain, plain[3]]])
    assert groups.tolist() == [*range(50), 3]


def test_look_alikes_of_one_layout_are_not_near_duplicates() -> None:
    """Portraits that are cut alike share most bits: light above, dark below."""
    rows = np.linspace(200, 60, 96)[:, None] + np.linspace(0, 60, 96)[None, :]
    looks = []
    for seed in range(40):
        rough = np.random.default_rng(seed).normal(0, 30, (12, 12))
        looks.append(look(np.clip(rows * 0.3 + 80 + cv2.resize(rough, (96, 96)), 0, 255).astype(np.uint8)))
    assert len(set(clusters(looks).tolist())) == 40


def test_thousands_of_pictures_are_grouped_in_seconds() -> None:
    rng = np.random.default_rng(0)
    looks = [look(rng.integers(0, 256, (16, 16), np.uint8)) for _ in range(4000)]
    footage = [
        look(np.roll(np.tile(np.arange(128, dtype=np.uint8) * 2, (128, 1)), frame % 3, 1)) for frame in range(1000)
    ]
    started = time.monotonic()
    groups = clusters([*looks, *footage])
    assert time.monotonic() - started < 20
    assert len(set(groups[:4000].tolist())) == 4000
    assert len(set(groups[4000:].tolist())) <= 3


def test_boxes_are_cut_to_the_picture_and_counted(tmp_path: Path) -> None:
    boxes = ((10.0, 10.0, 30.0, 30.0), (80.0, 60.0, 40.0, 40.0), (200.0, 10.0, 30.0, 30.0), (5.0, 5.0, 0.0, 9.0),
             (1.0, 1.0, 12.0, 12.0))  # fmt: skip
    scene = Picture(draw(tmp_path / "a.png", 1), "town", "train", boxes, (0, 1, 0, 0, 2), size=(50, 40))
    pictures, report = check([scene])
    assert pictures[0].boxes == ((10.0, 10.0, 30.0, 30.0), (80.0, 60.0, 20.0, 20.0), (1.0, 1.0, 12.0, 12.0))
    assert pictures[0].labels == (0, 1, 2)
    assert pictures[0].size == (100, 80)
    assert (report.boxes.clipped, report.boxes.outside, report.boxes.without_size) == (1, 1, 1)
    assert report.boxes.small == {"without_mask": 1, "incorrect_mask": 1}
    assert any("other dimensions than their annotations say" in warning for warning in report.warnings)


def test_a_rotated_picture_is_measured_upright(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(draw(tmp_path / "a.png", 3)).save(tmp_path / "b.jpg", exif=exif)
    pictures, _ = check([portrait(tmp_path / "b.jpg", 0)])
    assert pictures[0].size == (80, 100)


def test_the_report_is_json(tmp_path: Path) -> None:
    write_classes(tmp_path, 10)
    draw(tmp_path / "with_mask" / "large.png", 9, (640, 480))
    _, report = prepare([tmp_path], shares={tmp_path.name: 2.0}, image_size=96)
    content = msgspec.json.decode(msgspec.json.encode(report))
    assert content["faces"] == {"with_mask": 11, "without_mask": 10}
    assert content["dimensions"]["distinct"] == {"100x80": 20, "640x480": 1}
    assert content["dimensions"]["width"] == {"min": 100, "median": 100, "max": 640}
    assert content["label_numbers"] == {"with_mask": 0, "without_mask": 1}
    assert {part["split"]: part["pictures"] for part in content["parts"]}["val"] == 2
    assert content["weights"] == {tmp_path.name: 2.0}
    assert "96x96" in content["resizing"]


def test_outputs_are_numbered_as_the_network_has_them(tmp_path: Path) -> None:
    pictures = [
        portrait(draw(tmp_path / "a.png", 1), 0),
        Picture(draw(tmp_path / "b.png", 2), "set", "", ((1, 1, 30, 30),), (1,)),
    ]
    assert check(pictures)[1].label_numbers == {"with_mask": 0, "without_mask": 1, "not_a_face": 2}


def test_boxes_that_go_take_their_labels_and_the_labels_given_with_them() -> None:
    boxes = ((500.0, 500.0, 20.0, 20.0), (10.0, 10.0, 20.0, 20.0), (5.0, 5.0, 0.0, 9.0), (40.0, 40.0, 20.0, 20.0))
    picture = Picture(Path("a.png"), "set", "", boxes, (0, 1, 0, 2), size=(100, 80), given=(0, 0, 1, 2))
    kept = fitted(picture)
    assert (kept.boxes, kept.labels, kept.given) == ((boxes[1], boxes[3]), (1, 2), (0, 2))
    assert fitted(replace(picture, given=())).given == ()
    whole = Picture(Path("a.png"), "set", "", portrait=2, given=(0,))
    assert fitted(whole) == whole


def test_what_is_set_aside_follows_its_near_duplicate_and_changes_nothing_else(tmp_path: Path) -> None:
    pictures = [portrait(draw(tmp_path / f"{index}.png", index), index % 2) for index in range(12)]
    alike = replace(portrait(draw(tmp_path / "00 again.png", 3), 0), unclear=(0,))
    alone = replace(portrait(draw(tmp_path / "00 other.png", 99), 1), unclear=(1,))
    without, report = check(pictures)
    found, other = check([alike, *pictures, alone])
    assert found[:-2] == without
    assert (other, found[-2].group) == (report, next(one.group for one in without if one.path.name == "3.png"))
    assert found[-1].group not in {one.group for one in without}
    dealt, more = folds(without, 3, seed=1), folds(found, 3, seed=1)
    assert more[:-2].tolist() == dealt.tolist()
    assert more[-2] == dealt[[one.path.name for one in without].index("3.png")]


def test_limit_keeps_a_few_of_every_kind_and_opens_not_many_more(tmp_path: Path) -> None:
    write_classes(tmp_path, 60)
    opened: list[int] = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        opened.append(total)

    pictures, _ = prepare([tmp_path], limit=2, progress=progress)
    assert Counter((picture.split, picture.portrait) for picture in pictures) == {
        (split, label): 2 for split in ("train", "val", "test") for label in (WITH_MASK, WITHOUT_MASK)
    }
    assert opened[0] == 40


def test_the_same_files_and_seed_give_the_same_split(tmp_path: Path) -> None:
    write_classes(tmp_path, 15)
    first, _ = prepare([tmp_path], seed=3)
    listed = [replace(picture, split="", group="", size=None) for picture in first]
    for order in range(3):
        random.Random(order).shuffle(listed)  # noqa: S311 - no secret
        again, _ = check(listed)
        assert [replace(p, split=s) for p, s in zip(again, assign(again, seed=3), strict=True)] == first
    assert read_data([tmp_path], seed=3) == first
    assert read_data([tmp_path], seed=4) != first


@st.composite
def made_pictures(draw_value: st.DrawFn) -> list[Picture]:
    count = draw_value(st.integers(6, 60))
    pictures = []
    for index in range(count):
        labels = draw_value(st.lists(st.integers(0, 2), max_size=4))
        group = draw_value(st.sampled_from(["", "", "a", "b", "c"]))
        source = draw_value(st.sampled_from(["x", "y"]))
        pictures.append(
            Picture(Path(f"{index}.png"), source, "", ((0.0, 0.0, 9.0, 9.0),) * len(labels), tuple(labels), group=group)
        )
    return pictures


def groups_by_class(pictures: list[Picture]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for picture in pictures:
        for label in classes_of(picture):
            found.setdefault(label, set()).add(picture.group or str(picture.path))
    return found


@given(pictures=made_pictures(), seed=st.integers(0, 9), order=st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_any_split_is_grouped_and_reaches_every_side(pictures: list[Picture], seed: int, order: random.Random) -> None:
    found = groups_by_class(pictures)
    if any(len(groups) == 1 for groups in found.values()):
        with pytest.raises(InputError, match=r"near-duplicates of each other|has one picture only"):
            assign(pictures, seed=seed)
        return
    splits = assign(pictures, seed=seed)
    sides: dict[str, set[str]] = {}
    for picture, split in zip(pictures, splits, strict=True):
        sides.setdefault(picture.group or str(picture.path), set()).add(split)
    assert all(len(each) == 1 for each in sides.values())
    for label, groups in found.items():
        reached = set().union(*(sides[group] for group in groups))
        # Groups that hold several classes go where another one needs them.
        own = groups.difference(*(others for other, others in found.items() if other != label))
        assert len(own) < 2 or "val" in reached
        assert len(own) < 3 or "test" in reached
    shuffled = list(zip(pictures, splits, strict=True))
    order.shuffle(shuffled)
    assert assign([picture for picture, _ in shuffled], seed=seed) == [split for _, split in shuffled]


def test_a_group_follows_the_side_one_of_it_was_given() -> None:
    pictures = [portrait(Path(f"{index}.png"), index % 2) for index in range(30)]
    pictures += [portrait(Path("t.png"), WITH_MASK, "test", group="g"), portrait(Path("u.png"), WITH_MASK, group="g")]
    assert assign(pictures, seed=0)[-1] == "test"
    with pytest.raises(InputError, match="near-duplicates in different splits"):
        assign([*pictures, portrait(Path("v.png"), WITH_MASK, "val", group="g")], seed=0)


def test_large_scenes_do_not_all_go_to_training() -> None:
    sizes = [1, 2, 3, 12] * 100
    scenes = [
        Picture(Path(f"{index:03}.png"), "town", "", ((0.0, 0.0, 9.0, 9.0),) * size, (index % 2,) * size)
        for index, size in enumerate(sizes)
    ]
    splits = assign(scenes, seed=0)
    counts = Counter(splits)
    assert 300 <= counts["train"] <= 340
    faces = Counter[str]()
    for scene, split in zip(scenes, splits, strict=True):
        faces[split] += len(scene.labels)
    assert faces["val"] == pytest.approx(180, abs=15)


def test_folds_are_balanced_by_source_and_class_and_never_part_a_group() -> None:
    pictures = [
        Picture(
            Path(f"{index}.png"), "xy"[index % 2], ("train", "test")[index % 2], portrait=label, group=f"g{index // 3}"
        )
        for index, label in enumerate([WITH_MASK] * 90 + [WITHOUT_MASK] * 60 + [INCORRECT_MASK] * 30)
    ]
    found = folds(pictures, 5, seed=1)
    for fold in range(5):
        counts = Counter(picture.portrait for picture, place in zip(pictures, found, strict=True) if place == fold)
        assert abs(counts[WITH_MASK] - 18) <= 3
        assert abs(counts[INCORRECT_MASK] - 6) <= 3
    parts: dict[str, set[int]] = {}
    for picture, place in zip(pictures, found.tolist(), strict=True):
        parts.setdefault(picture.group, set()).add(place)
    assert all(len(each) == 1 for each in parts.values())


def test_folds_need_as_many_groups() -> None:
    with pytest.raises(InputError, match="1 groups of pictures can't be parted into 2 folds"):
        folds([portrait(Path("a.png"), 0)], 2, seed=0)
    with pytest.raises(UsageError, match="2 or more"):
        folds([], 1, seed=0)


@pytest.mark.slow
def test_the_pack_passes_its_check(pack: Path) -> None:
    pictures, report = prepare([pack])
    assert len(pictures) == 5707
    assert not report.unreadable
    assert report.duplicates.across_splits == 0
    assert report.duplicates.largest < 20
    places = folds(pictures, 5, seed=0)
    rare = [sum(picture.labels.count(INCORRECT_MASK) for picture, place in zip(pictures, places, strict=True) if place == fold)
            for fold in range(5)]  # fmt: skip
    assert max(rare) - min(rare) <= 3
