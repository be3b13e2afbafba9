"""`maskwatch building` and `maskwatch camera` as a person or a script uses them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.commands import registry

Call = Callable[..., tuple[int, str, str]]


def lines(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def north(maskwatch: Call) -> str:
    """A building."""
    status, out, _ = maskwatch("building", "add", "North", "--timezone", "Europe/Berlin", "--json")
    assert status == 0
    return str(json.loads(out)["id"])


def test_a_building_is_added_listed_shown_and_removed(maskwatch: Call) -> None:
    status, out, err = maskwatch(
        "building", "add", "North", "--timezone", "Europe/Berlin", "--retention", 10, "--id", "hq", "--json"
    )
    assert (status, err) == (0, "")
    [made] = lines(out)
    assert made | {"created_at": ""} == {
        "id": "hq",
        "name": "North",
        "timezone": "Europe/Berlin",
        "retention_days": 10,
        "policy": {"labels": ["without_mask", "incorrect_mask"], "dwell_s": 1.0, "hours": None},
        "version": 1,
        "spot_share": 0.0,
        "created_at": "",
        "archived_at": None,
    }
    assert lines(maskwatch("building", "list", "--json")[1]) == [made]
    assert lines(maskwatch("building", "show", "North", "--json")[1]) == [made]
    status, out, _ = maskwatch("building", "remove", "hq")
    assert (status, out) == (0, "building hq is removed: North\n")
    assert maskwatch("building", "list")[1] == "none yet\n"
    assert [one["id"] for one in lines(maskwatch("building", "list", "--all", "--json")[1])] == ["hq"]


def test_a_building_is_in_the_machine_s_time_zone_unless_told(
    maskwatch: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    zone = tmp_path / "zoneinfo" / "Asia" / "Tokyo"
    zone.parent.mkdir(parents=True)
    zone.touch()
    localtime = tmp_path / "localtime"
    localtime.symlink_to(zone)
    monkeypatch.setattr(registry, "LOCALTIME", localtime)
    assert lines(maskwatch("building", "add", "A", "--json")[1])[0]["timezone"] == "Asia/Tokyo"
    monkeypatch.setattr(registry, "LOCALTIME", tmp_path / "nothing")
    assert lines(maskwatch("building", "add", "B", "--json")[1])[0]["timezone"] == "UTC"
    monkeypatch.setenv("TZ", ":Europe/Paris")
    assert lines(maskwatch("building", "add", "C", "--json")[1])[0]["timezone"] == "Europe/Paris"


def test_the_time_zone_that_was_taken_is_said(maskwatch: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    status, out, err = maskwatch("building", "add", "North")
    assert (status, out) == (0, "building b1: North, Asia/Tokyo\n")
    assert "this machine's time zone, Asia/Tokyo; --timezone takes another" in err


def test_what_is_removed_stays(maskwatch: Call) -> None:
    for command in ("camera", "building"):
        assert "there stays." in (said := maskwatch(command, "remove", "--help")[1]) or "it saw stays." in said


def test_a_camera_is_added_listed_shown_and_removed_and_its_password_is_never_shown(
    maskwatch: Call, north: str, tmp_path: Path
) -> None:
    assert maskwatch("building", "add-zone", north, "Hall")[0] == 0
    address = "rtsp://guard:geheim@10.0.0.5/1?password=geheim"
    calls = [
        maskwatch(
            "camera",
            "add",
            "Door [1]",
            address,
            "--zone",
            "Hall",
            "--fps",
            4,
            "--min-face",
            30,
            "--dwell",
            2,
            "--no-check",
        ),
        maskwatch("camera", "list"),
        maskwatch("camera", "list", "--building", "North", "--json"),
        maskwatch("camera", "show", "c1"),
        maskwatch("camera", "show", "c1", "--json"),
        maskwatch("building", "show", north),
        maskwatch("camera", "remove", "c1"),
    ]
    assert [status for status, _, _ in calls] == [0] * len(calls)
    assert "geheim" not in "".join(out + err for _, out, err in calls)
    added, table, listed, facts, shown, home, removed = [out for _, out, _ in calls]
    assert added == "camera c1 in building b1: Door [1], rtsp://guard:***@10.0.0.5/1?password=***\n"
    assert "Door [1]" in table
    assert "removed" not in table
    assert listed == shown
    camera = json.loads(shown)
    assert camera["policy"] == {"labels": ["without_mask", "incorrect_mask"], "dwell_s": 2.0, "hours": None}
    assert (camera["zone_id"], camera["analyze_fps"], camera["min_face_px"]) == ("z1", 4, 30)
    assert (camera["counts"], camera["enabled"], camera["version"]) == (True, True, 1)
    assert "30 px" in facts
    assert "c1 Door [1]" in home
    assert "z1 Hall" in home
    assert removed == "camera c1 is removed: Door [1]\n"
    assert maskwatch("camera", "list")[1] == "none yet\n"
    assert "removed" in maskwatch("camera", "list", "--all")[1]


def test_a_file_under_the_media_folder_is_a_camera(maskwatch: Call, north: str, tmp_path: Path) -> None:
    media = tmp_path / "data" / "media"
    media.mkdir()
    (media / "clip.mp4").touch()
    status, out, _ = maskwatch("camera", "add", "Clip", "file:clip.mp4", "--no-counts", "--no-check", "--json")
    assert status == 0
    [camera] = lines(out)
    assert (camera["url"], camera["counts"], camera["building_id"]) == ("file:clip.mp4", False, north)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:nothing.mp4", "there is no such file under the media root"),
        ("file:../maskwatch.sqlite3", "is not under the media root"),
        ("file:///etc/passwd", "is not under the media root"),
        ("clip.mp4", "of an unknown kind"),
        ("ftp://host/clip.mp4", "of an unknown kind"),
        ("rtsp:///1", "names no host"),
    ],
)
def test_an_address_that_no_camera_has_is_refused_with_the_reason(
    maskwatch: Call, north: str, url: str, message: str
) -> None:
    status, out, err = maskwatch("camera", "add", "Door", url)
    assert (status, out) == (2, "")
    assert message in err


def test_the_building_must_be_named_where_there_is_a_choice(maskwatch: Call) -> None:
    add = ("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")
    status, _, err = maskwatch(*add)
    assert status == 2
    assert "maskwatch building add NAME" in err
    maskwatch("building", "add", "North")
    maskwatch("building", "add", "South")
    status, _, err = maskwatch(*add)
    assert status == 2
    assert "--building, one of b1 (North), b2 (South)" in err
    assert maskwatch(*add, "--building", "South")[0] == 0
    status, _, err = maskwatch(*add, "--building", "West")
    assert status == 1
    assert "there is no building 'West'; there are b1 (North), b2 (South)" in err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("camera", "show", "c9"), 1, "there is no camera 'c9'"),
        (("camera", "remove", "c9"), 1, "there is no camera 'c9'"),
        (("building", "remove", "b9"), 1, "there is no building 'b9'"),
        (("building", "add", "North"), 1, "'North' is in use"),
        (("building", "add", "South", "--timezone", "Mars/Olympus"), 2, "no IANA time zone"),
        (("building", "add", "South", "--id", "a b"), 2, "no identifier"),
        (("camera", "add", "Door", "rtsp://10.0.0.5/1", "--zone", "Hall"), 1, "has no zone 'Hall'"),
        (("camera", "add", "Door", "rtsp://10.0.0.5/1", "--fps", "0"), 2, "setting fps"),
        (("camera", "add", "Door", "rtsp://10.0.0.5/1", "--dwell", "-1"), 2, "setting dwell_s"),
        (("camera", "add", "Door"), 2, "Missing argument"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_sentence(
    maskwatch: Call, north: str, arguments: tuple[str, ...], status: int, message: str
) -> None:
    ended, out, err = maskwatch(*arguments)
    assert (ended, out) == (status, "")
    assert message in err


def test_a_building_with_cameras_is_not_removed(maskwatch: Call, north: str) -> None:
    maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")
    status, _, err = maskwatch("building", "remove", north)
    assert status == 1
    assert "still has cameras (c1)" in err


def test_a_data_folder_that_can_not_be_written_is_said(
    maskwatch: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MASKWATCH_DATA_DIR", str(tmp_path / "file" / "data"))
    status, out, err = maskwatch("building", "list")
    assert (status, out) == (1, "")
    assert str(tmp_path / "file" / "data") in err
