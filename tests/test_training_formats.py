"""The layouts in which labelled pictures come, sound and damaged."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.pictures import read_picture as shown_picture
from storage.errors import InputError, UsageError
from training.faces import read_picture
from training.formats import table
from training.formats.listed import Finder, read_text, shown
from training.formats.opening import UnreadableError, open_grey, picture_size
from training.formats.reviewed import read_review
from training.formats.yolo import read_names
from training.labels import INCORRECT_MASK, NO_FACE, WITH_MASK, WITHOUT_MASK
from training.pictures import Picture, prepare, read_data

Entry = tuple[tuple[tuple[float, ...], ...], tuple[int, ...], str]


def draw(path: Path, seed: int = 0, size: tuple[int, int] = (100, 80)) -> Path:
    """A picture like no other: soft blobs by the seed, `size` as width and height."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def coco(names: list[str], **changes: object) -> str:
    """The first picture has a masked and a wrongly masked face, the second a bare one."""
    content = {
        "images": [{"id": number, "file_name": name, "width": 100, "height": 80} for number, name in enumerate(names)],
        "categories": [
            {"id": 0, "name": "faces"},
            {"id": 1, "name": "with_mask"},
            {"id": 2, "name": "without_mask"},
            {"id": 3, "name": "mask_weared_incorrect"},
        ],
        "annotations": [
            {"image_id": 0, "category_id": 1, "bbox": [10, 20, 30, 40]},
            {"image_id": 0, "category_id": 3, "bbox": [50, 20, 30, 40]},
            {"image_id": 1, "category_id": 2, "bbox": [10, 20, 30, 40]},
        ],
    }
    return json.dumps(content | changes)


def voc(name: str, *faces: tuple[str, int, int, int, int], head: str = "") -> str:
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for label, left, top, right, bottom in faces
    )
    size = "<size><width>100</width><height>80</height></size>"
    return f"{head}<annotation><filename>{name}</filename>{size}{objects}</annotation>"


def write_coco(folder: Path) -> None:
    for number, split in enumerate(("train", "valid", "test")):
        names = [f"{split}{index}.png" for index in range(2)]
        for index, name in enumerate(names):
            draw(folder / split / name, 10 * number + index)
        write(folder / split / "_annotations.coco.json", coco(names))


def write_coco_above(folder: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        names = [f"{split}{index}.png" for index in range(2)]
        for index, name in enumerate(names):
            draw(folder / "images" / name, 10 * number + index)
        write(folder / "annotations" / f"instances_{split}2017.json", coco(names))


def write_voc(folder: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        for index, faces in enumerate(
            ((("with_mask", 10, 20, 40, 60), ("mask_weared_incorrect", 50, 20, 80, 60)), (("no_mask", 10, 20, 40, 60),))
        ):
            draw(folder / "JPEGImages" / f"{split}{index}.png", 10 * number + index)
            # The name inside is often that of another time; what is called alike belongs together.
            write(folder / "Annotations" / f"{split}{index}.xml", voc(f"other{index}.jpg", *faces))
        write(folder / "ImageSets" / "Main" / f"{split}.txt", f"{split}0\n{split}1\n")


def write_yolo(folder: Path) -> None:
    lines = ("0 0.25 0.5 0.3 0.5\n2 0.65 0.5 0.3 0.5\n", "1 0.1 0.25 0.4 0.25 0.4 0.75 0.1 0.75\n")
    for number, split in enumerate(("train", "valid", "test")):
        for index, text in enumerate(lines):
            draw(folder / split / "images" / f"{split[:3]}{index}.png", 10 * number + index)
            write(folder / split / "labels" / f"{split[:3]}{index}.txt", text)
    write(
        folder / "data.yaml", "train: ../train/images\nnc: 3\nnames: ['with_mask', 'without_mask', 'incorrect_mask']\n"
    )


def write_yolo_beside(folder: Path) -> None:
    write_yolo(folder)
    for path in folder.rglob("labels/*.txt"):
        path.rename(path.parent.parent / "images" / path.name)
    (folder / "data.yaml").unlink()
    write(folder / "classes.txt", "mask\nno-mask\nincorrect\n")


def write_table(folder: Path) -> None:
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax,split"]
    for number, split in enumerate(("train", "val", "test")):
        for index in range(2):
            draw(folder / "pictures" / f"{split}{index}.png", 10 * number + index)
        rows += [
            f"pictures/{split}0.png,100,80,with_mask,10,20,40,60,{split}",
            f"pictures/{split}0.png,100,80,improper,50,20,80,60,{split}",
            f"pictures/{split}1.png,100,80,without_mask,10,20,40,60,{split}",
        ]
    write(folder / "labels.csv", "\n".join(rows))


def write_table_of_sizes(folder: Path) -> None:
    rows = ["image;label;x;y;w;h;set"]
    for number, split in enumerate(("train", "val", "test")):
        for index in range(2):
            draw(folder / f"{split}{index}.png", 10 * number + index)
        rows += [
            f"{split}0.png;with_mask;10;20;30;40;{split}",
            f"{split}0.png;improper;50;20;30;40;{split}",
            f"{split}1.png;without_mask;10;20;30;40;{split}",
        ]
    write(folder / "labels.csv", "\n".join(rows))


@pytest.mark.parametrize(
    "layout",
    [write_coco, write_coco_above, write_voc, write_yolo, write_yolo_beside, write_table, write_table_of_sizes],
)
def test_every_layout_gives_the_same_faces(tmp_path: Path, layout: Callable[[Path], None]) -> None:
    folder = tmp_path / "mine"
    layout(folder)
    pictures = read_data([folder])
    assert [(picture.source, picture.split) for picture in pictures].count(("mine", "val")) == 2
    for split in ("train", "val", "test"):
        first, second = sorted((p for p in pictures if p.split == split), key=lambda picture: picture.path.name)
        assert first.labels == (WITH_MASK, INCORRECT_MASK)
        np.testing.assert_allclose(first.boxes, [(10, 20, 30, 40), (50, 20, 30, 40)], atol=1e-6)
        assert second.labels == (WITHOUT_MASK,)
        np.testing.assert_allclose(second.boxes, [(10, 20, 30, 40)], atol=1e-6)
        assert first.path.is_file()
        assert first.portrait is None


def write_classes(
    folder: Path, each: int, names: tuple[str, ...] = ("with_mask", "without_mask"), seed: int = 0
) -> Path:
    for number, name in enumerate(names):
        for index in range(each):
            draw(folder / name / f"{index:03}.png", seed + 1000 * number + index)
    return folder


def test_class_folders_below_splits_keep_them(tmp_path: Path) -> None:
    for number, split in enumerate(("Train", "Validation", "Test")):
        write_classes(tmp_path / "archive" / split, 2, ("WithMask", "WithoutMask"), seed=100 * number)
    pictures = read_data([tmp_path])
    assert {(picture.path.parent.parent.name, picture.split) for picture in pictures} == {
        ("Train", "train"), ("Validation", "val"), ("Test", "test"),
    }  # fmt: skip
    assert len(pictures) == 12


def test_train_and_test_alone_get_a_validation_part_from_train(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 18)
    write_classes(tmp_path / "test", 4, seed=50)
    pictures, report = prepare([tmp_path])
    splits = [(picture.path.parts[-3], picture.split) for picture in pictures]
    assert (splits.count(("train", "val")), splits.count(("train", "train")), splits.count(("test", "test"))) == (
        4,
        32,
        8,
    )
    assert any("no validation part" in warning for warning in report.warnings)


def test_a_folder_named_for_no_class_is_reported(tmp_path: Path) -> None:
    write_classes(tmp_path, 4)
    draw(tmp_path / "cats" / "a.png")
    _, report = prepare([tmp_path])
    assert any("cats is named for no known class: its 1 pictures" in warning for warning in report.warnings)


def review(name: str, label: str, at: str, *, event: str | None = None, box: list[float] | None = None) -> str:
    return json.dumps({"image": name, "box": box, "label": label, "camera": "north", "event": event, "at": at})


def test_reviews_of_one_passage_stay_together(tmp_path: Path) -> None:
    lines = []
    for day in range(1, 10):
        for index in range(4):
            name = draw(tmp_path / "pictures" / f"{day}-{index}.png", 10 * day + index).name
            label = ("with_mask", "without_mask", "incorrect_mask", "not_a_face")[index]
            box = [5.0, 5.0, 40.0, 40.0] if index == 0 else None
            lines.append(review(f"pictures/{name}", label, f"2025-03-{day:02}T10:00:00+01:00", box=box))
    # An event that passes midnight belongs to the day it began on.
    for index, at in enumerate(("2025-03-01T23:59:58+01:00", "2025-03-02T00:00:03+01:00")):
        draw(tmp_path / f"night{index}.png", 900 + index)
        lines.append(review(f"night{index}.png", "without_mask", at, event="e1"))
    write(tmp_path / "reviews.jsonl", "\n".join(lines))
    pictures, _ = prepare([tmp_path])
    sides: dict[str, set[str]] = {}
    for picture in pictures:
        began = "1" if picture.path.stem.startswith("night") else picture.path.stem[0]
        sides.setdefault(began, set()).add(picture.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert {picture.split for picture in pictures} == {"train", "val", "test"}
    assert {picture.portrait for picture in pictures} == {None, WITHOUT_MASK, INCORRECT_MASK, NO_FACE}


def test_sources_and_their_weights(tmp_path: Path) -> None:
    folders = [write_classes(tmp_path / name, 4, seed=100 * number) for number, name in enumerate(("ours", "theirs"))]
    assert {picture.source for picture in read_data(folders, sources=["theirs"])} == {"theirs"}
    assert prepare(folders, shares={"ours": 3.0, "theirs": 1.0})[1].weights == {"ours": 3.0}
    with pytest.raises(InputError, match="no source is called 'mine': there are ours, theirs"):
        read_data(folders, sources=["mine"])
    with pytest.raises(UsageError, match="weight of ours must be above 0"):
        read_data(folders, shares={"ours": 0.0})
    with pytest.raises(InputError, match="given twice"):
        read_data([folders[0], folders[0]])


def test_folders_of_the_same_name_are_different_sources(tmp_path: Path) -> None:
    folders = [write_classes(tmp_path / name / "data", 4, seed=100 * number) for number, name in enumerate("ab")]
    assert {picture.source for picture in read_data(folders)} == {"a/data", "b/data"}


def test_the_packs_sources_can_be_chosen(pack: Path) -> None:
    pictures = read_data([pack], sources=["andrewmvd", "chandrikadeb7"])
    assert {picture.source for picture in pictures} == {"andrewmvd", "chandrikadeb7"}
    left_out = [name for (name, face), change in read_review().items() if face is None and change.seen is None]
    assert len(pictures) == 837 + 3824 - len(left_out)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [with_mask, 'no mask']  # two\n", {0: "with_mask", 1: "no mask"}),
        ("nc: 2\nnames:\n- a\n- b\nroboflow:\n  x: 1\n", {0: "a", 1: "b"}),
        ('names:\n  0: a\n  # none\n  3: "b"\npath: x\n', {0: "a", 3: "b"}),
        ("names: {0: a, 1: b}", {0: "a", 1: "b"}),
        ("names: [a,\n  b]\n", {0: "a", 1: "b"}),
    ],
)
def test_class_names_of_yaml_files(tmp_path: Path, text: str, names: dict[int, str]) -> None:
    assert read_names(write(tmp_path / "data.yaml", text)) == names


ONE = {"image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco(["a.png", "b.png"])[:-9], "a.json can't be read as JSON"),
        (
            coco(["a.png", "b.png"], annotations=[ONE | {"image_id": 77}]),
            "annotation 0 in .*a.json belongs to image 77",
        ),
        (coco(["a.png", "b.png"], annotations=[ONE | {"category_id": 9}]), "category 9, which is not listed"),
        (
            coco(["a.png", "b.png"], annotations=[ONE | {"category_id": 0}]),
            "class 'faces', which is not known.*with_mask",
        ),
        (coco(["a.png", "b.png"], annotations=[ONE, ONE | {"bbox": [1, 2, 3]}]), "annotation 1 in .* not four numbers"),
        (coco(["a.png", "b.png"], annotations=[ONE | {"bbox": [1, 2, float("nan"), 4]}]), "not finite"),
        (coco(["a.png", "b.png"], annotations=[{}]), "lacks bbox"),
        (coco(["a.png", "b.png"], annotations=3), "is not a COCO file"),
        (coco(["../a.png", "b.png"]), "names '../a.png': names must be relative and stay inside"),
        (coco(["/etc/passwd", "b.png"]), "names must be relative"),
        (coco(["C:\\a.png", "b.png"]), "names must be relative"),
        (coco(["x.png", "y.png"]), "none of the 2 pictures .* is there"),
        (coco(["a.png", "a.png"]), "a.png 2 times"),
    ],
)
def test_damaged_coco_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "b.png", 2)
    write(tmp_path / "a.json", content)
    with pytest.raises(InputError, match=message) as caught:
        read_data([tmp_path])
    assert "\n" not in str(caught.value)


BOMB = '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;">]>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (voc("a.png", ("with_mask", 1, 2, 30, 40))[:-5], "a.xml can't be read as XML"),
        (voc("a.png", ("with_mask", 1, 2, 30, 40), head=BOMB), "declares a document type"),
        (voc("a.png", ("&y;", 1, 2, 30, 40), head=BOMB), "declares a document type"),
        (voc("a.png", ("hat", 1, 2, 30, 40)), "object 1 in .*a.xml has the class 'hat'"),
        (voc("a.png").replace("</annotation>", "<object><name>mask</name></object></annotation>"), "not four numbers"),
        ("<other/>", "is no VOC annotation"),
        ("", "can't be read as XML"),
    ],
)
def test_damaged_voc_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    draw(tmp_path / "a.png", 1)
    write(tmp_path / "Annotations" / "a.xml", content)
    with pytest.raises(InputError, match=message):
        read_data([tmp_path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0 0.5 0.5 0.2 0.2\n0 0.5 x 0.2 0.2", "line 2 of .*a.txt is not `class x y width height`"),
        ("0 0.5 0.5 0.2", "line 1 of .*a.txt has a box that is not four numbers"),
        ("7 0.5 0.5 0.2 0.2", "class 7, but only 2 classes have names"),
        ("0 nan 0.5 0.2 0.2", "not finite"),
        ("0 120 80 30 30", "not in shares of the picture"),
        ("1 0.5 0.5 0.2 0.2", "class 'cat', which is not known"),
    ],
)
def test_damaged_yolo_lines_are_named(tmp_path: Path, content: str, message: str) -> None:
    draw(tmp_path / "a.png", 1)
    write(tmp_path / "a.txt", content)
    write(tmp_path / "classes.txt", "with_mask\ncat\n")
    with pytest.raises(InputError, match=message):
        read_data([tmp_path])


def test_yolo_files_without_class_names_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    write(tmp_path / "a.txt", "0 0.5 0.5 0.2 0.2")
    with pytest.raises(InputError, match="no class names: add a classes"):
        read_data([tmp_path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,label\na.png", "line 2 of .*t.csv has 1 columns instead of 2"),
        ("image,label\na.png,", "line 2 of .*t.csv lacks the picture or the class"),
        ("image,label\na.png,mask\na.png,no_mask", "line 3 of .*t.csv gives another class than line 2"),
        ("image,label,x,y,w,h\na.png,mask,1,2,3,4\na.png,mask,,,,", "with a box and without"),
        ("image,label,x,y,w,h\na.png,mask,1,2,nan,4", "not finite"),
        ("image,label,x,y,w,h\na.png,mask,1,2,,4", "not four numbers"),
        ("image,label,split\na.png,mask,later", "line 2 of .*t.csv has the split 'later'"),
        ("image,label,split\na.png,mask,train\na.png,mask,test", "into two splits"),
        ("image,label\n../../a.png,mask", "names must be relative"),
        ("image,label\n", "t.csv has no lines below its heading"),
        ("image,label\na.png,hat", "line 2 of .*t.csv has the class 'hat'"),
    ],
)
def test_damaged_csv_lines_are_named(tmp_path: Path, content: str, message: str) -> None:
    draw(tmp_path / "a.png", 1)
    write(tmp_path / "t.csv", content)
    with pytest.raises(InputError, match=message):
        read_data([tmp_path])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 of .*reviews.jsonl is not a review"),
        ("[]", "is not a review"),
        (review("a.png", "mask", "2025-03-01T10:00:00"), "label 'mask': it must be one of with_mask"),
        (review("a.png", "with_mask", "yesterday"), "is not a review"),
        (review("../a.png", "with_mask", "2025-03-01T10:00:00"), "names must be relative"),
        (review("a.png", "with_mask", "2025-03-01T10:00:00", box=[1, 2]), "not four numbers"),
    ],
)
def test_damaged_reviews_are_named(tmp_path: Path, line: str, message: str) -> None:
    draw(tmp_path / "a.png", 1)
    write(tmp_path / "reviews.jsonl", review("a.png", "without_mask", "2025-03-01T10:00:00") + "\n" + line)
    with pytest.raises(InputError, match=message):
        read_data([tmp_path])


@pytest.mark.parametrize("name", ["t.csv", "classes.txt", "reviews.jsonl"])
def test_lists_that_are_not_utf8_are_named(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "a.png", 1)
    if name == "classes.txt":
        write(tmp_path / "a.txt", "0 0.5 0.5 0.2 0.2")
    (tmp_path / name).write_bytes(b"image,label\nm\xe9,mask")
    with pytest.raises(InputError, match=rf"{name} is not UTF-8"):
        read_data([tmp_path])


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = draw(tmp_path / "outside.png", 1)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.png").symlink_to(outside)
    write(folder / "t.csv", "image,label\na.png,mask")
    with pytest.raises(InputError, match="a link that leads outside"):
        read_data([folder])


def test_names_that_are_not_utf8_are_read_like_any_other(tmp_path: Path) -> None:
    write_classes(tmp_path, 6)
    source = draw(tmp_path / "x.png", 77)
    source.rename(os.fsdecode(os.fsencode(tmp_path / "with_mask") + b"/caf\xe9.png"))
    (tmp_path / os.fsdecode(b"with_mask/bad\xe9.png")).write_bytes(b"nothing")
    pictures, report = prepare([tmp_path])
    assert len(pictures) == 13
    assert report.unreadable[0].file.endswith("bad\\xe9.png")


def test_other_files_beside_class_folders_do_no_harm(tmp_path: Path) -> None:
    write_classes(tmp_path, 4)
    write(tmp_path / "settings.json", "{")
    write(tmp_path / "notes.csv", "who,what\na,b")
    (tmp_path / "latin.csv").write_bytes(b"qui,\xe9\na,b")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.xml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    write(tmp_path / "with_mask" / ".hidden.png", "")
    write(tmp_path / "with_mask" / "000.txt", "a caption")
    assert all(isinstance(picture, Picture) and picture.portrait is not None for picture in read_data([tmp_path]))


def test_a_line_break_in_quotes_belongs_to_its_field(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", 'image,label,note\na.png,mask,"two\nlines"\nb.png,no_mask,\n')
    for seed, name in enumerate("ab"):
        draw(tmp_path / f"{name}.png", seed)
    assert len(table.read(tmp_path, "x").pictures) == 2
    write(tmp_path / "t.csv", 'image,label\n"a\nb.png",mask\n')
    assert table.read(tmp_path, "x").pictures[0].path.name == "a\nb.png"


def test_names_that_no_file_can_have_are_refused_and_long_ones_cut(tmp_path: Path) -> None:
    finder = Finder(tmp_path)
    with pytest.raises(InputError, match="which no file can be called"):
        finder.find("\ud800.png", [tmp_path], "x")
    with pytest.raises(InputError) as caught:
        finder.find("/" + "n" * 5000, [tmp_path], "x")
    assert len(str(caught.value)) < 600
    assert len(shown("n" * 5000)) <= 200
    names = write(tmp_path / "data.yaml", f"names:\n  {'9' * 5000}: with_mask\n")
    assert set(read_names(names)) == {0}


def test_a_pipe_is_no_picture_and_no_list(tmp_path: Path) -> None:
    pipe = tmp_path / "a.png"
    os.mkfifo(pipe)
    with pytest.raises(UnreadableError, match="not a file"):
        picture_size(pipe)
    with pytest.raises(UnreadableError, match="not a file"):
        open_grey(pipe)
    assert read_picture(pipe) is None
    with pytest.raises(InputError, match="not a file"):
        shown_picture(pipe)
    with pytest.raises(InputError, match="not a file"):
        read_text(pipe)


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_folder_is_refused(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "data"
    if made:
        folder.mkdir()
    with pytest.raises(InputError, match="neither a data pack" if made else "there is no folder"):
        read_data([folder])
