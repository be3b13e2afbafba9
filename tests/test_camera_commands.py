"""`maskwatch camera` and `maskwatch credential`: checked, changed, many at once; as a person or a script uses them."""

import io
import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from infra.commands.camera_options import find_camera
from infra.places import Places
from infra.rtsp.server import RtspServer
from infra.settings import load_settings
from storage.database.changes import CameraChanges
from storage.database.records import Camera, Policy
from storage.database.sites import Sites
from tests.conftest import WriteVideo, flat

Call = Callable[..., tuple[int, str, str]]

PASSWORD = "geheim-47"  # noqa: S105


@pytest.fixture
def north(maskwatch: Call) -> str:
    """A building."""
    return str(json.loads(maskwatch("building", "add", "North", "--timezone", "Europe/Berlin", "--json")[1])["id"])


@pytest.fixture
def clip(write_video: WriteVideo) -> str:
    media = Places.of(load_settings()).media
    media.mkdir(parents=True)
    write_video([flat(size=(240, 320))] * 50).rename(media / "clip.mp4")
    return "file:clip.mp4"


@pytest.fixture
def closed() -> Iterator[str]:
    """An address at which nobody answers, nor anybody else will while the test lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"rtsp://admin:{PASSWORD}@127.0.0.1:{held.getsockname()[1]}/1"


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_camera_is_registered_and_what_it_shows_is_said(maskwatch: Call, north: str, clip: str) -> None:
    status, out, err = maskwatch("camera", "add", "Clip", clip)
    assert (status, out) == (0, "camera c1 in building b1: Clip, file:clip.mp4\n")
    assert "320x240, 25 fps, first picture after" in err
    [camera] = lines(maskwatch("camera", "add", "Again", clip, "--json")[1])
    assert (camera["id"], camera["check"]["ok"], camera["check"]["width"]) == ("c2", True, 320)


def test_a_camera_that_can_not_be_reached_is_registered_all_the_same(maskwatch: Call, north: str, closed: str) -> None:
    status, out, err = maskwatch("camera", "add", "Door", closed)
    assert (status, "camera c1 in building b1" in out) == (0, True)
    assert "camera c1 is registered, but" in err
    assert "refuses the connection" in err
    status, out, _ = maskwatch("camera", "add", "Gate", closed, "--json")
    assert (status, lines(out)[0]["check"]["reason"]) == (0, "refused")
    assert PASSWORD not in out + err


def test_all_that_can_be_said_of_a_camera_is_an_option(maskwatch: Call, north: str) -> None:
    maskwatch("building", "add-zone", north, "Hall")
    options = [
        *(
            "--zone",
            "Hall",
            "--substream",
            "rtsp://10.0.0.5/2",
            "--transport",
            "udp",
            "--fps",
            "2.5",
            "--min-face",
            "30",
        ),
        *("--region", "watch:0,0 1,0 1,1", "--region", "ignore:0,0 0.5,0 0.5,0.5", "--labels", "without_mask"),
        *("--dwell", "2", "--hours", "mon-fri 07:00-19:00", "--hours", "sat 08:00-12:00", "--detection", "0.4"),
        *("--confidence", "0.8", "--no-counts", "--disabled", "--no-check", "--id", "door"),
    ]
    status, out, err = maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", *options, "--json")
    assert status == 0, err
    [camera] = lines(out)
    assert camera["check"] is None
    assert camera["regions"] == [
        {"mode": "watch", "points": [[0, 0], [1, 0], [1, 1]]},
        {"mode": "ignore", "points": [[0, 0], [0.5, 0], [0.5, 0.5]]},
    ]
    assert camera["policy"] == {
        "labels": ["without_mask"],
        "dwell_s": 2.0,
        "hours": [
            {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "07:00", "to": "19:00"},
            {"days": ["sat"], "from": "08:00", "to": "12:00"},
        ],
    }
    assert camera["thresholds"] == {"detection": 0.4, "confidence": 0.8}
    assert (camera["id"], camera["zone_id"], camera["transport"], camera["analyze_fps"]) == ("door", "z1", "udp", 2.5)
    assert (camera["substream_url"], camera["counts"], camera["enabled"]) == ("rtsp://10.0.0.5/2", False, False)
    shown = maskwatch("camera", "show", "Door")[1]
    for words in ("watch:0,0 1,0 1,1", "udp", "rtsp://10.0.0.5/2", "watched:          no", "0.4"):
        assert words in shown


def test_a_change_that_somebody_else_makes_meanwhile_is_not_undone(
    maskwatch: Call, north: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")

    def meanwhile(sites: Sites, which: str) -> Camera:
        found = find_camera(sites, which)
        sites.change_camera(found.id, CameraChanges(policy=Policy(dwell_s=7.0)))
        return found

    monkeypatch.setattr("infra.commands.camera_changes.find_camera", meanwhile)
    status, _, err = maskwatch("camera", "change", "Door", "--labels", "without_mask")
    assert (status, "has been changed meanwhile" in err) == (1, True)
    assert lines(maskwatch("camera", "show", "c1", "--json")[1])[0]["policy"]["dwell_s"] == 7


def test_a_camera_is_changed_in_part(maskwatch: Call, north: str, clip: str) -> None:
    maskwatch(
        "camera", "add", "Door", f"rtsp://admin:{PASSWORD}@10.0.0.5/1", "--hours", "daily 07:00-19:00", "--no-check"
    )
    status, out, err = maskwatch(
        "camera", "change", "Door", "--name", "Gate", "--fps", "8", "--region", "watch:0,0 1,0 1,1"
    )
    assert (status, out, err) == (0, "camera c1 is changed: Gate, rtsp://admin:***@10.0.0.5/1\n", "")
    [camera] = lines(maskwatch("camera", "show", "Gate", "--json")[1])
    assert (camera["analyze_fps"], len(camera["regions"]), len(camera["policy"]["hours"])) == (8, 1, 1)
    again = maskwatch("camera", "change", "c1", "--fps", "8", "--url", "rtsp://admin:***@10.0.0.5/1")
    assert again == (0, "camera c1 has all that already: Gate, rtsp://admin:***@10.0.0.5/1\n", "")
    cleared = lines(
        maskwatch("camera", "change", "c1", "--region", "none", "--hours", "always", "--dwell", 3, "--json")[1]
    )
    assert (cleared[0]["regions"], cleared[0]["policy"]["hours"], cleared[0]["policy"]["dwell_s"]) == ([], None, 3)
    # A new address is looked at.
    status, _, err = maskwatch("camera", "change", "c1", "--url", clip)
    assert (status, "it can be reached" in err) == (0, True)


def test_a_camera_is_switched_off_and_on_removed_and_restored(maskwatch: Call, north: str) -> None:
    maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")
    assert maskwatch("camera", "disable", "Door")[1] == "camera c1 is not watched: Door\n"
    assert lines(maskwatch("camera", "show", "c1", "--json")[1])[0]["enabled"] is False
    assert maskwatch("camera", "enable", "Door")[1] == "camera c1 is watched: Door\n"
    maskwatch("camera", "remove", "Door")
    assert maskwatch("camera", "enable", "Door")[0] == 1
    assert maskwatch("camera", "restore", "Door")[1] == "camera c1 is in use: Door\n"
    assert [one["id"] for one in lines(maskwatch("camera", "list", "--json")[1])] == ["c1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--region", "watch:0,0 1,0 1,1.2"), "leaves the picture"),
        (("--region", "0,0 1,0 1,1"), "is no region"),
        (("--hours", "9-17"), "are no hours"),
        (("--hours", "mon 25:00-26:00"), "25:00"),
        (("--labels", "with_mask"), "labels of a policy"),
        (("--transport", "smoke"), "tcp or udp"),
        (("--detection", "much"), "is no number"),
        (("--detection", "2"), "0.1 to 0.95"),
        (("--url", "ftp://10.0.0.5/1"), "unknown kind"),
        (("--url", "rtsp://169.254.169.254/1"), "MASKWATCH_CAMERA_NETWORKS"),
        (("--url", "rtsp://admin:***@10.0.0.6/1"), "***"),
    ],
)
def test_a_change_that_can_not_be_is_said_in_one_sentence(
    maskwatch: Call, north: str, options: tuple[str, ...], message: str
) -> None:
    maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")
    status, out, err = maskwatch("camera", "change", "Door", *options)
    assert (status, out) == (2, "")
    assert message in err
    assert lines(maskwatch("camera", "show", "c1", "--json")[1])[0]["version"] == 1


def test_a_camera_or_an_address_is_tested(maskwatch: Call, north: str, clip: str, closed: str, tmp_path: Path) -> None:
    maskwatch("camera", "add", "Clip", clip, "--no-check")
    picture = tmp_path / "still.jpg"
    status, out, err = maskwatch("camera", "test", "Clip", "--still", picture)
    assert status == 0
    assert "320x240, 25 fps" in out
    assert "delete it after use" in err
    assert Image.open(io.BytesIO(picture.read_bytes())).size == (320, 240)
    status, out, _ = maskwatch("camera", "test", clip, "--json")
    found = lines(out)[0]
    assert (status, found["ok"], found["camera_id"], found["url"]) == (0, True, None, clip)
    status, out, err = maskwatch("camera", "test", closed)
    assert (status, out) == (1, "")
    assert "refuses the connection" in err
    status, out, _ = maskwatch("camera", "test", closed, "--json")
    assert (status, lines(out)[0]["reason"]) == (1, "refused")
    assert PASSWORD not in out + err


@pytest.mark.parametrize(
    ("which", "status", "message"),
    [
        ("Nobody", 1, "there is no camera 'Nobody'"),
        ("ftp://host/1", 2, "unknown kind"),
        ("file:../maskwatch.sqlite3", 2, "not under the media root"),
        ("rtsp://169.254.169.254/1", 2, "MASKWATCH_CAMERA_NETWORKS"),
    ],
)
def test_what_can_not_be_tested_is_said(maskwatch: Call, north: str, which: str, status: int, message: str) -> None:
    ended, out, err = maskwatch("camera", "test", which)
    assert (ended, out) == (status, "")
    assert message in err


def test_many_cameras_are_registered_checked_and_written_again(
    maskwatch: Call, north: str, clip: str, closed: str, tmp_path: Path
) -> None:
    file = tmp_path / "cameras.csv"
    file.write_text(f"name,building,url,analyze_fps\nClip,North,{clip},4\n=Door,North,{closed},\n")
    status, out, err = maskwatch("camera", "import", file, "--dry-run", "--no-check")
    assert (status, "this was a dry run" in err) == (0, True)
    assert maskwatch("camera", "list")[1] == "none yet\n"
    status, out, err = maskwatch("camera", "import", file)
    assert status == 0
    assert "2 new, 0 changed, 0 unchanged; 1 of 2 can be reached" in err
    assert "320x240" in out
    assert "it refuses the" in out
    assert PASSWORD not in out + err
    again = lines(maskwatch("camera", "import", file, "--no-check", "--json")[1])
    assert [(one["line"], one["name"], one["action"], one["check"]) for one in again] == [
        (2, "Clip", "unchanged", None),
        (3, "=Door", "unchanged", None),
    ]
    written = tmp_path / "written.csv"
    assert maskwatch("camera", "export", written)[0] == 0
    assert PASSWORD not in written.read_text()
    assert maskwatch("camera", "export")[1] == written.read_text().replace("\r\n", "\n")
    assert "'=Door" in written.read_text()
    back = lines(maskwatch("camera", "import", written, "--no-check", "--json")[1])
    assert [one["action"] for one in back] == ["unchanged", "unchanged"]


def test_a_list_with_mistakes_is_not_taken_and_each_line_is_named(maskwatch: Call, north: str, tmp_path: Path) -> None:
    file = tmp_path / "cameras.csv"
    file.write_text(
        "name,building,zone,url\nDoor,North,,rtsp://10.0.0.5/1\nGate,South,,rtsp://10.0.0.5/2\nYard,North,,ftp://10.0.0.5/3\n"
    )
    status, out, err = maskwatch("camera", "import", file)
    assert (status, out) == (1, "")
    assert "line 3: building: there is none 'South'" in err
    assert "line 4: camera address 'ftp://10.0.0.5/3' is of an unknown kind" in err
    assert "nothing of" in err
    assert maskwatch("camera", "list")[1] == "none yet\n"
    found = lines(maskwatch("camera", "import", file, "--json")[1])
    assert [one["line"] for one in found] == [3, 4]
    file.write_text("name,building,zone,url\nGate,South,Hall,rtsp://10.0.0.5/2\n")
    status, _, err = maskwatch("camera", "import", file, "--make-buildings", "--no-check")
    assert (status, "made: South, South / Hall" in err) == (0, True)


def test_a_list_is_written_where_there_is_a_folder_for_it(maskwatch: Call, north: str, tmp_path: Path) -> None:
    maskwatch("camera", "add", "Door", "HTTP://10.0.0.5/1", "--no-check")
    status, _, err = maskwatch("camera", "export", tmp_path / "none" / "cameras.csv")
    assert (status, (tmp_path / "none").exists()) == (1, False)
    assert f"there is no folder {tmp_path / 'none'}, make it first" in err.replace("\n", " ")
    status, _, err = maskwatch("camera", "export", tmp_path / "cameras.csv")
    assert (status, "1 camera is in" in err.replace("\n", " ")) == (0, True)
    assert "http://10.0.0.5/1" in (tmp_path / "cameras.csv").read_text()


def test_a_word_that_may_mean_two_is_refused(maskwatch: Call, north: str) -> None:
    maskwatch("camera", "add", "Front", "rtsp://10.0.0.5/1", "--id", "door", "--no-check")
    maskwatch("camera", "remove", "door")
    maskwatch("camera", "add", "door", "rtsp://10.0.0.5/2", "--no-check")
    status, out, err = maskwatch("camera", "show", "door")
    assert (status, out) == (1, "")
    assert "'door' is the identifier of 'Front' and the name of c1" in err
    assert lines(maskwatch("camera", "show", "id:door", "--json")[1])[0]["name"] == "Front"
    assert maskwatch("camera", "disable", "door")[1] == "camera c1 is not watched: door\n"


@pytest.mark.parametrize("name", ["b1", "None"])
def test_a_name_that_means_something_else_is_refused(maskwatch: Call, name: str) -> None:
    status, out, err = maskwatch("building", "add", name)
    assert (status, out, "choose another" in err) == (2, "", True)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the list is empty"), (b"nmae\nx\n", "'nmae'"), (b"\x89PNG\xff", "UTF-8"), (None, "cannot read")],
)
def test_what_is_no_list_is_said(
    maskwatch: Call, north: str, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "cameras.csv"
    if content is not None:
        file.write_bytes(content)
    status, out, err = maskwatch("camera", "import", file)
    assert (status, out) == (1, "")
    assert message in err


def test_one_change_of_a_credential_serves_all(maskwatch: Call, north: str, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, f"{PASSWORD}\n")
    calls = [maskwatch("credential", "add", "guards", "--user", "guard", "--password-stdin")]
    for number in (1, 2):
        options = ("--credential", "guards", "--no-check")
        calls.append(maskwatch("camera", "add", f"Door {number}", f"rtsp://10.0.0.{number}/1", *options))
    calls += [maskwatch("credential", "list"), maskwatch("credential", "show", "guards"), maskwatch("camera", "list")]
    type_in(monkeypatch, "neu/es ")
    calls.append(maskwatch("credential", "change", "guards", "--password-stdin", "--json"))
    assert [status for status, _, _ in calls] == [0] * len(calls)
    assert PASSWORD not in str(calls)
    assert "c1, c2" in calls[3][1]
    assert "guards" in calls[5][1]
    assert lines(calls[-1][1])[0]["version"] == 2
    assert [one["version"] for one in lines(maskwatch("camera", "list", "--json")[1])] == [2, 2]
    status, _, err = maskwatch("credential", "remove", "guards")
    assert (status, "in use by c1, c2" in err) == (1, True)
    for camera in ("c1", "c2"):
        maskwatch("camera", "change", camera, "--credential", "none", "--no-check")
    assert maskwatch("credential", "remove", "guards")[:2] == (0, "credential guards is removed\n")
    assert maskwatch("credential", "list")[1] == "none yet\n"


def test_a_password_is_never_an_argument(maskwatch: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "")
    for arguments, message in [
        (("add", "guards", "--user", "guard", "--password-stdin"), "no password on standard input"),
        (("add", "guards", "--user", "guard"), "--password-stdin"),
        (("change", "guards"), "--user, --password-stdin"),
    ]:
        status, _, err = maskwatch("credential", *arguments)
        assert (status, message in err) == (2, True)
    assert maskwatch("credential", "show", "guards")[0] == 1


def test_a_building_is_changed(maskwatch: Call, north: str) -> None:
    status, out, _ = maskwatch(
        "building", "change", "North", "--timezone", "Asia/Tokyo", "--hours", "daily 08:00-18:00"
    )
    assert (status, out) == (0, "building b1 is changed: North, Asia/Tokyo\n")
    assert maskwatch("building", "change", "North", "--timezone", "Mars/Olympus")[0] == 2
    assert "has all that already" in maskwatch("building", "change", "b1", "--timezone", "Asia/Tokyo")[1]


@pytest.mark.slow
def test_forty_cameras_are_registered_and_checked_at_once(
    maskwatch: Call, clip: str, closed: str, tmp_path: Path
) -> None:
    streams = {f"c{number}": Places.of(load_settings()).media / "clip.mp4" for number in range(38)}
    with RtspServer(streams, user="guard", password=PASSWORD) as server:
        good = [server.url(name) for name in streams]
        rows = [*good, closed, good[0].replace("/c0", "/none")]
        file = tmp_path / "cameras.csv"
        file.write_text("name,building,url\n" + "".join(f"Camera {n},North,{url}\n" for n, url in enumerate(rows)))
        status, out, err = maskwatch("camera", "import", file, "--make-buildings", "--json")
    assert status == 0
    found = lines(out)
    assert [one["check"]["ok"] for one in found] == [True] * 38 + [False] * 2
    assert [one["check"]["reason"] for one in found[38:]] == ["refused", "not_found"]
    assert PASSWORD not in out + err
