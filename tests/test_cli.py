"""The command line as a person or a script uses it."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classify.classifier import SHIPPED_MODEL
from ingest.pictures import read_picture
from storage.words import Label
from tests.conftest import WriteVideo, flat

MASKWATCH = Path(sys.executable).parent / "maskwatch"


def passing_by(astronaut: NDArray[np.uint8], frames: int = 50) -> list[NDArray[np.uint8]]:
    """A bare-faced portrait that crosses a grey picture."""
    head = astronaut[0:300, 100:360]
    pictures = []
    for index in range(frames):
        picture = np.full((360, 640, 3), 110, np.uint8)
        x = 10 + 7 * index
        picture[40:340, x : x + 260] = head
        pictures.append(picture)
    return pictures


@pytest.fixture
def clip(write_video: WriteVideo, astronaut: NDArray[np.uint8]) -> Path:
    return write_video(passing_by(astronaut))


def test_a_photo_gives_its_face_with_box_label_and_probabilities(maskwatch: Any, photo: Path) -> None:
    status, out, err = maskwatch("image", photo, "--json")
    assert (status, err) == (0, "")
    report = json.loads(out)
    assert list(report) == ["image", "width", "height", "faces"]
    assert (report["image"], report["width"], report["height"]) == (str(photo), 512, 512)
    [face] = [face for face in report["faces"] if face["detection_score"] > 0.5]
    assert list(face) == ["box", "detection_score", "label", "confidence", "unknown_reason", "probabilities"]
    assert face["label"] == "without_mask"
    assert face["unknown_reason"] is None
    assert list(face["probabilities"]) == ["with_mask", "without_mask", "incorrect_mask"]
    assert sum(face["probabilities"].values()) == pytest.approx(1.0, abs=2e-4)
    assert face["confidence"] == max(face["probabilities"].values())
    x, y, width, height = face["box"]
    assert x < 224 < x + width
    assert y < 120 < y + height


def test_a_photo_is_told_to_people_in_words(maskwatch: Any, photo: Path) -> None:
    status, out, _ = maskwatch("image", photo)
    assert status == 0
    assert "without_mask" in out
    assert "512x512" in out


def test_annotated_pictures_have_a_box_and_the_source_stays_as_it_was(
    maskwatch: Any, photo: Path, tmp_path: Path
) -> None:
    before = photo.read_bytes()
    assert maskwatch("image", photo, "--annotate", tmp_path / "out")[0] == 0
    drawn = read_picture(tmp_path / "out" / "photo.jpg").astype(int)
    assert drawn.shape == (512, 512, 3)
    changed = np.abs(drawn - read_picture(photo).astype(int)).max(axis=2) > 60
    assert changed.sum() > 300
    status, _, err = maskwatch("image", photo, "--annotate", photo.parent)
    assert (status, "would overwrite" in err) == (2, True)
    assert photo.read_bytes() == before


def test_a_folder_of_mixed_content_gives_a_line_for_each_picture_and_says_what_failed(
    maskwatch: Any, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(photo.read_bytes())
    (folder / "b.png").write_text("no picture")
    (folder / "notes.txt").write_text("notes")
    (folder / "c.jpg").touch()
    Image.new("RGB", (1, 1)).save(folder / "d.png")
    Image.new("P", (30, 30)).save(folder / "e.gif", save_all=True, append_images=[Image.new("P", (30, 30), 7)])
    Image.new("RGB", (50, 50)).save(folder / "sub" / "f.webp")
    status, out, err = maskwatch("image", folder, tmp_path / "missing.jpg", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    names = [Path(line["image"]).name for line in lines]
    assert status == 1
    assert names == ["a.jpg", "b.png", "c.jpg", "d.png", "e.gif", "f.webp", "missing.jpg"]
    assert [name for name, line in zip(names, lines, strict=True) if "error" in line] == [
        "b.png",
        "c.jpg",
        "missing.jpg",
    ]
    assert "is empty" in lines[2]["error"]
    assert all("b.png" in text for text in (lines[1]["error"], err))


def test_face_crops_are_classified_without_detection(
    maskwatch: Any, astronaut: NDArray[np.uint8], tmp_path: Path
) -> None:
    Image.fromarray(astronaut[40:220, 140:310]).save(tmp_path / "crop.png")
    Image.fromarray(np.ascontiguousarray(astronaut[40:220, 140:310][::15, ::15])).save(tmp_path / "tiny.png")
    status, out, _ = maskwatch("faces", tmp_path / "crop.png", tmp_path / "tiny.png", "--json")
    crop, tiny = (json.loads(line) for line in out.splitlines())
    assert status == 0
    assert list(crop) == ["image", "label", "confidence", "unknown", "probabilities"]
    assert (crop["label"], crop["unknown"]) == ("without_mask", False)
    assert tiny["label"] in set(Label) - {"unknown"}
    assert tiny["unknown"]


def test_a_video_gives_the_report_of_the_interface(maskwatch: Any, clip: Path, tmp_path: Path) -> None:
    report_file = tmp_path / "out" / "report.json"
    status, out, _ = maskwatch("video", clip, "--json", "--report", report_file)
    report = json.loads(out)
    assert status == 0
    assert list(report) == [
        "schema_version", "video", "duration_s", "fps", "frames_decoded", "frames_analyzed", "errors", "model",
        "settings", "tracks", "events", "statistics", "timing",
    ]  # fmt: skip
    assert (report["video"], report["duration_s"], report["frames_decoded"], report["frames_analyzed"]) == (
        "clip.mp4", 2.0, 50, 10,
    )  # fmt: skip
    assert report["settings"] == {"fps": 5, "dwell_s": 1.0, "min_face_px": 24, "detector": "blazeface-full-range"}
    [track] = report["tracks"]
    assert list(track) == [
        "id", "first_seen_s", "last_seen_s", "faces", "label", "confidence", "unknown_reason", "boxes",
    ]  # fmt: skip
    assert (track["id"], track["label"]) == ("t1", "without_mask")
    assert len(track["boxes"]) == track["faces"] >= 8
    assert len(track["boxes"][0]) == 5
    [event] = report["events"]
    assert list(event) == [
        "id", "track_id", "type", "started_s", "ended_s", "corrected_s", "confidence", "snapshot",
    ]  # fmt: skip
    assert (event["track_id"], event["type"], event["corrected_s"]) == ("t1", "without_mask", None)
    assert report["statistics"] == {
        "tracks": 1, "with_mask": 0, "without_mask": 1, "incorrect_mask": 0, "unknown": 0,
        "compliance_rate": 0.0, "interval": [0.0, 0.7935],
    }  # fmt: skip
    assert json.loads(report_file.read_text()) == report
    with Image.open(report_file.parent / event["snapshot"]) as snapshot:
        assert snapshot.size == (640, 360)
    assert [file.name for file in (report_file.parent / "snapshots").iterdir()] == [Path(event["snapshot"]).name]


def without_timing(text: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(text)
    report.pop("timing")
    return report


def test_the_same_footage_gives_the_same_report_alone_and_beside_another(clip: Path, tmp_path: Path) -> None:
    def start(folder: str) -> "subprocess.Popen[str]":
        environment = os.environ | {"MASKWATCH_DATA_DIR": str(tmp_path / folder)}
        return subprocess.Popen(
            [MASKWATCH, "video", clip, "--json"], stdout=subprocess.PIPE, text=True, env=environment
        )

    first = start("a").communicate(timeout=120)[0]
    both = [start("b"), start("c")]
    others = [process.communicate(timeout=120)[0] for process in both]
    cut = first.index('"timing"')
    assert len(first) > 500
    assert all(other[:cut] == first[:cut] for other in others)


def test_an_annotated_video_plays_and_shows_boxes(maskwatch: Any, clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "annotated.mp4"
    status, _, err = maskwatch("video", clip, "--annotate", target)
    assert status == 0
    assert str(target) in err
    with av.open(str(target)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.name == "h264"
    assert len(frames) == 50
    red = (frames[25][..., 0].astype(int) > 180) & (frames[25][..., 1] < 90)
    assert red.sum() > 200


def test_several_videos_name_folders(maskwatch: Any, clip: Path, write_video: WriteVideo, tmp_path: Path) -> None:
    other = write_video([flat()] * 10, name="empty room.mp4")
    status, out, _ = maskwatch("video", clip, other, "--json", "--report", tmp_path / "r", "--annotate", tmp_path / "a")
    assert status == 0
    assert [json.loads(line)["video"] for line in out.splitlines()] == ["clip.mp4", "empty room.mp4"]
    assert {file.name for file in (tmp_path / "r").glob("*.json")} == {"clip.mp4.json", "empty room.mp4.json"}
    assert {file.name for file in (tmp_path / "a").iterdir()} == {"clip.mp4", "empty room.mp4"}


def test_an_empty_room_has_no_rate(maskwatch: Any, write_video: WriteVideo) -> None:
    status, out, _ = maskwatch("video", write_video([flat()] * 10), "--json")
    report = json.loads(out)
    assert (status, report["tracks"], report["events"]) == (0, [], [])
    assert report["statistics"]["compliance_rate"] is None
    assert report["statistics"]["interval"] is None


def test_a_truncated_video_is_processed_as_far_as_it_goes_and_says_what_is_missing(
    maskwatch: Any, write_video: WriteVideo, astronaut: NDArray[np.uint8], tmp_path: Path
) -> None:
    whole = write_video(passing_by(astronaut), options={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    status, out, err = maskwatch("video", cut, "--json")
    report = json.loads(out)
    assert status == 0
    assert 5 < report["frames_decoded"] < 50
    assert any("the rest is missing" in error for error in report["errors"])
    assert "the rest is missing" in err


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "folder"])
def test_bad_footage_is_a_failure_with_a_reason_and_the_others_are_done(
    maskwatch: Any, clip: Path, tmp_path: Path, kind: str
) -> None:
    bad = tmp_path / f"{kind}.mp4"
    if kind == "empty":
        bad.touch()
    elif kind == "text":
        bad.write_text("not a film " * 500)
    elif kind == "folder":
        bad.mkdir()
    status, out, err = maskwatch("video", *([bad] if kind == "folder" else [bad, clip]), "--json")
    assert status == 1
    assert bad.name in err
    if kind != "folder":
        lines = [json.loads(line) for line in out.splitlines()]
        assert "error" in lines[0]
        assert lines[1]["video"] == "clip.mp4"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("video",), 2, "Missing argument"),
        (("image", "--no-such-option", "a.jpg"), 2, "No such option"),
        (("video", "CLIP", "--fps", "0"), 2, "fps"),
        (("video", "CLIP", "--min-face", "-3"), 2, "min_face_px"),
        (("video", "CLIP", "--start", "yesterday"), 2, "ISO 8601"),
        (("video", "CLIP", "--start", "2026-03-01T08:00:00"), 2, "time zone"),
        (("video", "CLIP", "--detector", "haar"), 2, "blazeface-full-range"),
        (("video", "CLIP", "--model", "/nowhere/model.tflite"), 1, "can't be read"),
        (("video", "CLIP", "--report", "CLIP"), 2, "overwrite what is read"),
        (("video", "CLIP", "--annotate", "out.avi"), 2, ".mp4"),
    ],
)
def test_a_wrong_call_is_told_apart_from_work_that_failed(
    maskwatch: Any, clip: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    got, _, err = maskwatch(*(str(clip) if argument == "CLIP" else argument for argument in arguments))
    assert got == status
    assert message in err


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x18\x00\x00\x00TFL3" + bytes(200)])
def test_a_model_file_that_is_none_is_refused(maskwatch: Any, photo: Path, tmp_path: Path, content: bytes) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(content)
    (tmp_path / "labels.json").write_text('{"labels": ["with_mask", "without_mask"]}')
    status, _, err = maskwatch("faces", photo, "--model", model)
    assert status == 1
    assert "model.tflite" in err


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("{", "does not describe a model"),
        ('{"labels": ["mask", "no_mask"]}', "unknown label"),
        ('{"labels": ["with_mask", "without_mask"]}', "4 outputs, but labels.json names 2"),
        ('{"labels": ["with_mask", "with_mask"]}', "each output once"),
        ('{"labels": ["with_mask"], "sha256": "00"}', "sha256"),
    ],
)
def test_labels_that_do_not_fit_the_model_are_refused(
    maskwatch: Any, photo: Path, tmp_path: Path, labels: str, message: str
) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(SHIPPED_MODEL.read_bytes())
    (tmp_path / "labels.json").write_text(labels)
    status, _, err = maskwatch("faces", photo, "--model", model)
    assert (status, message in err) == (1, True)


def test_a_full_disk_is_said_and_nothing_half_written_stays(clip: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("the report of yesterday")
    command = [str(MASKWATCH), "video", str(clip), "--json"]
    done = subprocess.run([*command, "--report", "/dev/full"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "the disk is full" in done.stderr or "/dev" in done.stderr
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert (done.returncode, "No space left" in done.stderr, "Traceback" in done.stderr) == (1, True, False)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = subprocess.run(
        [*command, "--report", str(report)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=small_files,
    )
    assert (done.returncode, "cannot write" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert report.read_text() == "the report of yesterday"
    assert not list(tmp_path.glob(".report*"))


def test_a_folder_that_cannot_be_written_is_said_before_the_work(maskwatch: Any, clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for option in ("--report", "--annotate"):
        status, out, err = maskwatch("video", clip, option, file / "x.mp4")
        assert (status, out) == (1, "")
        assert f"cannot write {file}" in err
    status, _, err = maskwatch("image", clip, "--annotate", file)
    assert status == 1
    assert "cannot write" in err


def test_a_reader_who_goes_away_ends_the_work_quietly(photo: Path) -> None:
    pipe = subprocess.Popen(
        [MASKWATCH, "image", *[photo] * 5, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    pipe.stdout.readline()
    pipe.stdout.close()
    assert pipe.wait(timeout=60) in {0, 1}
    assert "Traceback" not in pipe.stderr.read()
    pipe.stderr.close()


def test_only_the_footage_says_when_it_began(maskwatch: Any, clip: Path) -> None:
    _, out, _ = maskwatch("video", clip, "--json", "--start", "2026-03-01T09:00:00+01:00")
    assert json.loads(out)["footage_start"] == "2026-03-01T08:00:00.000Z"


def test_settings_come_from_the_environment_and_options_override_them(
    maskwatch: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWATCH_FPS", "2")
    monkeypatch.setenv("MASKWATCH_DWELL_S", "1.5")
    report = json.loads(maskwatch("video", clip, "--json", "--dwell", "3")[1])
    assert (report["settings"]["fps"], report["settings"]["dwell_s"], report["frames_analyzed"]) == (2, 3.0, 4)
    monkeypatch.setenv("MASKWATCH_FPS", "many")
    status, _, err = maskwatch("video", clip)
    assert (status, "fps" in err) == (2, True)


def test_help_lists_every_command(maskwatch: Any) -> None:
    status, out, _ = maskwatch("--help")
    assert status == 0
    for command in ("demo", "image", "faces", "video", "train", "evaluate", "bench"):
        assert command in out


def test_a_picture_with_a_huge_frame_count_header_is_no_hang(maskwatch: Any, tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    picture = cv2.imencode(".jpg", flat())[1].tobytes()
    path.write_bytes(picture)
    assert maskwatch("video", path)[0] in {0, 1}
