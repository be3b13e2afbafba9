"""Buildings, zones and cameras: what is accepted, what is refused and how, and what stays when they go."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from storage.database.addresses import check_address, media_path
from storage.database.changes import BuildingChanges, CameraChanges
from storage.database.engine import writing
from storage.database.models import CameraRow
from storage.database.records import Camera, NewCamera, Policy, Region, Thresholds, shown_address
from storage.database.sites import Sites
from storage.database.userinfo import hides_password
from storage.errors import ConflictError, InvalidError, NotFoundError
from storage.hours import Hours
from storage.secrets import Secrets
from storage.words import Label
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

URL = "rtsp://user:secret@10.0.0.5/1"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A media root with one clip, and a file beside the root."""
    root = tmp_path / "media"
    (root / "clips").mkdir(parents=True)
    (root / "clips" / "front door.mp4").write_bytes(b"clip")
    (tmp_path / "outside.mp4").write_bytes(b"clip")
    return root


def region(*points: tuple[float, float]) -> Region:
    return Region("watch", points)


@pytest.fixture
def sites(database: Engine, media: Path) -> Sites:
    return Sites(database, media, secrets=Secrets(media.parent / "secret.key"))


def test_a_building_is_set_up_and_found_again(sites: Sites) -> None:
    policy = Policy(dwell_s=2.5)
    north = sites.add_building(" North ", "Europe/Berlin", retention_days=7, policy=policy)
    south = sites.add_building("South", "UTC", building_id="south-1")
    assert (north.id, north.name, north.timezone, north.retention_days) == ("b1", "North", "Europe/Berlin", 7)
    assert north.policy == policy
    assert south.policy == Policy()
    assert sites.buildings() == [north, south]
    assert sites.building("b1") == north


def test_the_default_building_is_the_only_one(sites: Sites) -> None:
    assert sites.default_building() is None
    north = sites.add_building("North", "UTC")
    assert sites.default_building() == north
    sites.add_building("South", "UTC")
    assert sites.default_building() is None
    sites.remove_building("b2")
    assert sites.default_building() == north


@pytest.mark.parametrize(
    ("name", "timezone", "identifier", "days", "message"),
    [
        ("", "UTC", None, 30, "the name of a building has 1 to 200 printable characters"),
        ("a\x00b", "UTC", None, 30, "the name of a building"),
        ("x" * 201, "UTC", None, 30, "the name of a building"),
        ("North", "Mars/Olympus", None, 30, "no IANA time zone: give a name such as Europe/Berlin"),
        ("North", "../../etc/passwd", None, 30, "no IANA time zone"),
        ("North", "", None, 30, "no IANA time zone"),
        ("North", "UTC", "a b", 30, "'a b' is no identifier: it has 1 to 40 letters"),
        ("North", "UTC", "", 30, "is no identifier"),
        ("North", "UTC", "ä", 30, "is no identifier"),
        ("North", "UTC", "x" * 41, 30, "is no identifier"),
        ("North", "UTC", "b1\n", 30, "is no identifier"),
        ("North", "UTC", None, 0, "retention is 1 to 36500 days, not 0"),
    ],
)
def test_a_building_that_cannot_be(
    sites: Sites, name: str, timezone: str, identifier: str | None, days: int, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        sites.add_building(name, timezone, building_id=identifier, retention_days=days)
    assert sites.buildings() == []


def test_names_and_identifiers_are_given_once(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    with pytest.raises(ConflictError, match="'North' is in use by b1"):
        sites.add_building("North", "UTC")
    with pytest.raises(ConflictError, match="identifier b1 is in use"):
        sites.add_building("South", "UTC", building_id="b1")
    zone = sites.add_zone("b1", "Hall")
    assert (zone.id, sites.zones("b1")) == ("z1", [zone])
    with pytest.raises(ConflictError, match="already has a zone named 'Hall'"):
        sites.add_zone("b1", "Hall")
    sites.add_building("South", "UTC")
    assert sites.add_zone("b2", "Hall").id == "z2"


def test_a_removed_building_frees_its_name_but_not_its_identifier(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    gone = sites.remove_building("b1")
    assert gone.archived_at_ns is not None
    assert sites.buildings() == []
    assert sites.building("b1") == sites.remove_building("b1") == gone
    assert sites.add_building("North", "UTC").id == "b2"
    assert [building.id for building in sites.buildings(archived=True)] == ["b1", "b2"]
    with pytest.raises(ConflictError, match="in use, or was before"):
        sites.add_building("Old", "UTC", building_id="b1")
    with pytest.raises(NotFoundError, match="'b1' was removed"):
        sites.add_camera(NewCamera("Door", "b1", URL))


def test_a_building_with_cameras_stays_until_they_are_removed(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    sites.add_camera(NewCamera("Door", "b1", URL))
    with pytest.raises(ConflictError, match=r"b1 still has cameras \(c1\): remove them first"):
        sites.remove_building("b1")
    sites.archive_camera("c1")
    assert sites.remove_building("b1").archived_at_ns is not None


def test_a_camera_is_registered_with_everything(sites: Sites) -> None:
    sites.add_building("North", "UTC", policy=Policy(dwell_s=3.0))
    sites.add_zone("b1", "Hall")
    sites.add_credential("lobby", "viewer", "p/w")
    given = NewCamera(
        name="Door",
        building_id="b1",
        url="rtsp://10.0.0.5/1",
        zone_id="z1",
        substream_url="rtsp://10.0.0.5/2",
        enabled=False,
        counts=False,
        analyze_fps=2.5,
        min_face_px=40,
        regions=(
            Region("watch", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),
            Region("ignore", ((0.1, 0.2), (0.3, 0.2), (0.3, 1))),
        ),
        policy=Policy((Label.WITHOUT_MASK,), 0.0, (Hours(("mon", "sun"), "22:00", "06:00"),)),
        thresholds=Thresholds(0.5, 0.9),
        transport="udp",
        credential="lobby",
        id="door",
    )
    made = sites.add_camera(given)
    for field in set(given.__struct_fields__) - {"url", "substream_url"}:
        assert getattr(made, field) == getattr(given, field)
    assert (made.url, made.substream_url) == ("rtsp://viewer:p%2Fw@10.0.0.5/1", "rtsp://viewer:p%2Fw@10.0.0.5/2")
    assert (made.shown_url, made.shown_substream_url, made.trouble) == (given.url, given.substream_url, None)
    assert (made.version, made.epoch, made.run, made.archived_at_ns) == (1, 0, None, None)
    plain = sites.add_camera(NewCamera("Gate", "b1", "file:clips/front%20door.mp4"))
    assert (plain.id, plain.policy.dwell_s, plain.enabled, plain.counts) == ("c1", 3.0, True, True)
    assert sites.cameras() == [made, plain]
    assert sites.camera("door") == made


def test_an_archived_camera_is_kept_but_not_listed(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    sites.add_camera(NewCamera("Door", "b1", URL))
    gone = sites.archive_camera("c1")
    assert gone.archived_at_ns is not None
    assert gone.version == 2
    assert sites.archive_camera("c1") == gone
    assert sites.cameras() == []
    assert sites.cameras(archived=True) == [gone]
    assert sites.add_camera(NewCamera("Door", "b1", URL)).id == "c2"


def test_a_camera_that_cannot_be(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    for camera, message in (
        (NewCamera("", "b1", URL), "the name of a camera"),
        (NewCamera("Door", "b1", URL, analyze_fps=0.0), "0.01 to 120 samples a second"),
        (NewCamera("Door", "b1", URL, analyze_fps=float("nan")), "0.01 to 120 samples a second"),
        (NewCamera("Door", "b1", URL, min_face_px=4), "smallest face is 8 to 1000 px"),
        (NewCamera("Door", "b1", URL, id="x" * 25), "1 to 24 letters"),
        (NewCamera("Door", "b1", URL, policy=Policy(dwell_s=-1.0)), "dwell time is 0 to 3600 s"),
        (NewCamera("Door", "b1", URL, policy=Policy(labels=())), "labels of a policy"),
        (NewCamera("Door", "b1", URL, policy=Policy(labels=(Label.UNKNOWN,))), "labels of a policy"),
        (NewCamera("Door", "b1", URL, regions=(Region("watch", ((0.0, 0.0), (1.0, 1.0))),)), "3 to 64 points"),
        (NewCamera("Door", "b1", URL, regions=(Region("watch", ((0.0, 0.0), (1.0, 1.0), (2.0, 0.0))),)), "shares"),
        (NewCamera("Door", "b1", URL, regions=(region((0, 0), (1, float("nan")), (1, 0)),)), "shares"),
        (NewCamera("Door", "b1", URL, regions=(region((0, 0), (0.5, 0.5), (1, 1)),)), "lie on a line"),
        (NewCamera("Door", "b1", URL, regions=(region((0.5, 0.5), (0.5, 0.5), (0.5, 0.5)),)), "lie on a line"),
        (NewCamera("Door", "b1", URL, regions=(region(*((0, 0), (1, 0), (1, 1)) * 22),)), "3 to 64 points, not 66"),
        (NewCamera("Door", "b1", URL, regions=(region((0, 0), (1, 0), (1, 1)),) * 33), "at most 32 regions, not 33"),
        (
            NewCamera("Door", "b1", URL, policy=Policy(labels=(Label.WITHOUT_MASK,) * 2)),
            "a label stands in a policy once",
        ),
        (NewCamera("Door", "b1", URL, policy=Policy(dwell_s=float("nan"))), "dwell time is 0 to 3600 s"),
        (NewCamera("Door", "b1", URL, policy=Policy(hours=())), "1 to 50 entries"),
        (NewCamera("Door", "b1", URL, policy=Policy(hours=(Hours(("mon",), "7", "8"),))), "hours begin at"),
        (NewCamera("Door", "b1", URL, thresholds=Thresholds(detection=0.05)), "detection is 0.1 to 0.95, or none"),
        (NewCamera("Door", "b1", URL, thresholds=Thresholds(confidence=1.0)), "confidence is 0.4 to 0.99"),
        (NewCamera("Door", "b1", URL, thresholds=Thresholds(confidence=float("nan"))), "confidence is 0.4 to 0.99"),
        (NewCamera("Door", "b1", "http://10.0.0.5/1", transport="udp"), "only rtsp:// can come over udp"),
        (NewCamera("Door", "b1", URL, substream_url="gopher://10.0.0.5/1"), "unknown kind"),
        (NewCamera("Door", "b1", URL, credential="lobby"), "names a user, and so does the credential 'lobby'"),
        (NewCamera("Door", "b1", "file:clips/front%20door.mp4", credential="lobby"), "take a credential: leave it out"),
        (NewCamera("Door", "b1", "rtsp://user:***@10.0.0.5/1"), r"has \*\*\* for its password: give the password"),
    ):
        with pytest.raises(InvalidError, match=message):
            sites.add_camera(camera)
    assert sites.cameras() == []


def test_a_region_that_crosses_itself_has_an_area(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    bow = region((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))
    assert sites.add_camera(NewCamera("Door", "b1", URL, regions=(bow,))).regions == (bow,)


def test_what_does_not_exist_is_said_so(sites: Sites) -> None:
    for attempt in (
        lambda: sites.building("b1"),
        lambda: sites.remove_building("b1"),
        lambda: sites.zones("b1"),
        lambda: sites.add_zone("b1", "Hall"),
        lambda: sites.add_camera(NewCamera("Door", "b1", URL)),
        lambda: sites.camera("c1"),
        lambda: sites.archive_camera("c1"),
        lambda: sites.begin_epoch("c1", "r1", 1),
    ):
        with pytest.raises(NotFoundError, match="there is no"):
            attempt()
    sites.add_building("North", "UTC")
    sites.add_building("South", "UTC")
    sites.add_zone("b2", "Hall")
    with pytest.raises(NotFoundError, match="building b1 has no zone 'z1'"):
        sites.add_camera(NewCamera("Door", "b1", URL, "z1"))
    with pytest.raises(NotFoundError, match="there is no credential 'lobby'"):
        sites.add_camera(NewCamera("Door", "b1", "rtsp://10.0.0.5/1", credential="lobby"))


def test_every_start_is_a_new_epoch_and_a_run_keeps_its_beginning(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    sites.add_camera(NewCamera("Door", "b1", URL))
    starts = [sites.begin_epoch("c1", run, now_ns) for run, now_ns in (("r1", 10), ("r1", 20), ("r2", 30), ("r2", 40))]
    assert [(start.epoch, start.playing_since_ns) for start in starts] == [(1, 10), (2, 10), (3, 30), (4, 30)]
    camera = sites.camera("c1")
    # Beginning an epoch changes nothing that ingest would have to start anew for.
    assert (camera.epoch, camera.run, camera.playing_since_ns, camera.version) == (4, "r2", 30, 1)


def test_people_who_add_at_once_get_an_identifier_each(sites: Sites) -> None:
    sites.add_building("North", "UTC")
    barrier = threading.Barrier(4)

    def add(number: int) -> None:
        barrier.wait(10)
        for index in range(5):
            sites.add_camera(NewCamera(f"Door {number}-{index}", "b1", URL))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(int(camera.id[1:]) for camera in sites.cameras()) == list(range(1, 21))


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://10.0.0.5/1",
        "RTSPS://user:secret@camera.local:322/stream?channel=1",
        "http://[fe80::1]:8080/video",
        "https://kamera-süd.example/live",
        "rtsp://us%40er:p%2Fw@host/",
        "file:clips/front%20door.mp4",
    ],
)
def test_an_address_that_a_camera_may_have(media: Path, url: str) -> None:
    check_address(url, media)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "1 to 2048 characters"),
        ("rtsp://" + "x" * 2048, "1 to 2048 characters"),
        ("10.0.0.5", "unknown kind: give rtsp://"),
        ("ftp://user:secret@host/", "unknown kind"),
        ("rtsp://secret:1234/5@host", "percent-encoded"),
        ("rtsp://secret:1234?5@host/1", "percent-encoded"),
        ("rtsp://secret:12#4@host/1", "percent-encoded"),
        ("javascript:alert(1)", "unknown kind"),
        ("concat:a|b", "unknown kind"),
        ("/etc/passwd", "unknown kind"),
        ("rtsp:///path", "names no host"),
        ("rtsp:10.0.0.5", "names no host"),
        ("http://-o/x", "names no host"),
        ("http://a;b/x", "names no host"),
        ("http://[::1", "can't be read"),
        ("rtsp://user:secret/1@host/", "can't be read"),
        ("http://host:99999/", "can't be read"),
        ("rtsp://ho st/", "spaces, control characters"),
        ("rtsp://host/\n", "spaces, control characters"),
        ("rtsp://user:secret@good\\@evil/", "backslashes"),
        ("rtsp://host/\x00", "control characters"),
    ],
)
def test_an_address_that_no_camera_has(media: Path, url: str, message: str) -> None:
    with pytest.raises(InvalidError, match=message) as error:
        check_address(url, media)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:clips/none.mp4", "there is no such file under the media root"),
        ("file:clips", "there is no such file"),
        ("file:../outside.mp4", "is not under the media root"),
        ("file:..%2Foutside.mp4", "is not under the media root"),
        ("file:///etc/passwd", "is not under the media root"),
        ("file:///etc/there-is-none", "is not under the media root"),
        ("file:clips/link.mp4", "is not under the media root"),
        ("file://host/clips/x.mp4", "names no file"),
        ("file:clips/x.mp4?y", "names no file"),
        ("file:", "no usable file name"),
        ("file:a%00b", "no usable file name"),
        ("file:loop.mp4", "can't be looked up|no such file"),
        ("file:" + "x" * 400, "can't be looked up|no such file"),
    ],
)
def test_files_stay_under_the_media_root(media: Path, url: str, message: str) -> None:
    (media / "clips" / "link.mp4").symlink_to(media.parent / "outside.mp4")
    (media / "loop.mp4").symlink_to("loop.mp4")
    with pytest.raises(InvalidError, match=message):
        media_path(url, media)


def test_a_file_is_named_below_the_root_or_by_its_whole_path(media: Path, tmp_path: Path) -> None:
    clip = media / "clips" / "front door.mp4"
    assert media_path("file:clips/front%20door.mp4", media) == clip
    assert media_path(clip.as_uri(), media) == clip
    (tmp_path / "link").symlink_to(media)
    assert media_path("file:clips/front%20door.mp4", tmp_path / "link") == clip
    with pytest.raises(InvalidError, match="no media root is set"):
        media_path("file:clips/front%20door.mp4", None)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:secret@10.0.0.5/1", "rtsp://user:***@10.0.0.5/1"),
        ("rtsp://:secret@10.0.0.5/1", "rtsp://:***@10.0.0.5/1"),
        ("rtsp://user:sec:r@et@10.0.0.5/1", "rtsp://user:***@10.0.0.5/1"),
        ("http://h/x?user=a&password=secret&n=1", "http://h/x?user=a&password=***&n=1"),
        ("http://h/x?token=secret#top", "http://h/x?token=***#top"),
        ("rtsp://10.0.0.5:554/a@b", "rtsp://10.0.0.5:554/a@b"),
        ("file:clips/x.mp4", "file:clips/x.mp4"),
        ("file:password/x.mp4", "file:password/x.mp4"),
        (
            "rtsp://h/user=admin_password=secret_channel=1_stream=0.sdp?real_stream",
            "rtsp://h/user=admin_password=***_channel=1_stream=0.sdp?real_stream",
        ),
        ("rtsp://h/user=admin&password=se_cret&channel=1", "rtsp://h/user=admin&password=***&channel=1"),
        (
            "http://h/v.cgi?loginuse=admin&loginpas=secret&access_token=a_b=c==&n=1",
            "http://h/v.cgi?loginuse=admin&loginpas=***&access_token=***&n=1",
        ),
        ("http://h/v?p%61ss=secret&X-Auth-Key%3Dsecret", "http://h/v?p%61ss=***&X-Auth-Key%3D***"),
        ("rtsp://h/user/admin/password/secret/channel/1", "rtsp://h/user/admin/password/***/channel/1"),
        ("rtsp://h/PWD/secret", "rtsp://h/PWD/***"),
        ("http://h/x?next=/a/b&pwd=sec/ret?x", "http://h/x?next=/a/b&pwd=***"),
        ("rtsp://h/Streaming/Channels/101?profile=main_1", "rtsp://h/Streaming/Channels/101?profile=main_1"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_address(url) == shown
    assert shown_address(shown) == shown
    assert hides_password(shown) == (shown != url)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("HTTP://Admin:Pw@CAM.Local:80/Video?A=B", "http://Admin:Pw@cam.local:80/Video?A=B"),
        ("RTSP://10.0.0.5", "rtsp://10.0.0.5"),
        ("Rtsp://[FE80::1]:554/One", "rtsp://[fe80::1]:554/One"),
        ("FILE:clips/front%20door.mp4", "file:clips/front%20door.mp4"),
    ],
)
def test_scheme_and_host_are_kept_in_small_letters(sites: Sites, database: Engine, given: str, kept: str) -> None:
    sites.add_building("North", "UTC")
    made = sites.add_camera(NewCamera("Door", "b1", given))
    assert (made.url, sites.change_camera("c1", CameraChanges(url=given))) == (kept, made)
    # What an earlier version kept works now, and may be given back as it was shown.
    with writing(database) as connection:
        connection.execute(update(CameraRow).values(url=given))
    old = sites.camera("c1")
    assert (old.url, sites.change_camera("c1", CameraChanges(url=shown_address(given)))) == (kept, old)


def test_names_are_no_identifiers_and_do_not_take_away(sites: Sites) -> None:
    north = sites.add_building("North", "UTC", building_id="main")
    sites.add_zone("main", "Hall", zone_id="hall")
    sites.add_camera(NewCamera("door", "main", URL, id="door"))
    sites.add_camera(NewCamera("Gate", "main", URL, id="gate"))
    refused: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: sites.add_building("b1", "UTC"), InvalidError, "like an identifier: choose another"),
        (lambda: sites.add_zone("main", "z12"), InvalidError, "like an identifier"),
        (lambda: sites.add_camera(NewCamera("c3", "main", URL)), InvalidError, "like an identifier"),
        (lambda: sites.change_camera("gate", CameraChanges(name="c3")), InvalidError, "like an identifier"),
        (lambda: sites.change_building("main", BuildingChanges(name="b9")), InvalidError, "like an identifier"),
        (lambda: sites.add_building("None", "UTC"), InvalidError, "takes away, choose another"),
        (lambda: sites.add_zone("main", "NONE"), InvalidError, "takes away"),
        (lambda: sites.add_credential("none", "admin", "secret"), InvalidError, "takes away"),
        (lambda: sites.add_building("main", "UTC"), ConflictError, "'main' is the identifier of another"),
        (lambda: sites.add_zone("main", "hall"), ConflictError, "'hall' is the identifier of another zone"),
        (lambda: sites.add_camera(NewCamera("gate", "main", URL)), ConflictError, "'gate' is the identifier of"),
        (lambda: sites.change_camera("door", CameraChanges(name="gate")), ConflictError, "the identifier of another"),
        (lambda: sites.add_building("South", "UTC", building_id="North"), ConflictError, "North is the name of"),
        (lambda: sites.add_camera(NewCamera("X", "main", URL, id="Gate")), ConflictError, "Gate is the name of"),
    ]
    for attempt, error, message in refused:
        with pytest.raises(error, match=message):
            attempt()
    assert (sites.buildings(), [one.id for one in sites.cameras()]) == ([north], ["door", "gate"])
    assert [one.name for one in sites.zones("main")] == ["Hall"]
    sites.archive_camera("gate")
    assert sites.add_camera(NewCamera("gate", "main", URL)).id == "c1"


def test_names_that_look_the_same_are_the_same(sites: Sites) -> None:
    wide = "Tu\u0308r"
    sites.add_building(wide, "UTC")
    sites.add_zone("b1", wide)
    sites.add_credential(wide, "admin", "secret")
    sites.add_camera(NewCamera(wide, "b1", "rtsp://10.0.0.5/1", credential=wide))
    camera = sites.camera("c1")
    names = {camera.name, camera.credential, sites.buildings()[0].name, sites.zones("b1")[0].name}
    assert names == {"T\u00fcr"}
    assert sites.change_camera("c1", CameraChanges(name=wide, credential=wide)) == camera
    for like in ("Tür", "TÜR", wide.lower()):
        for attempt in (
            lambda like=like: sites.add_building(like, "UTC"),
            lambda like=like: sites.add_zone("b1", like),
            lambda like=like: sites.add_credential(like, "admin", "secret"),
            lambda like=like: sites.add_camera(NewCamera(like, "b1", URL)),
        ):
            with pytest.raises(ConflictError, match="Tür"):
                attempt()
    with pytest.raises(ConflictError, match="'Tür', which differs from 'tür' only in capital letters, is in use by c1"):
        sites.add_camera(NewCamera("tür", "b1", URL))
    assert sites.change_camera("c1", CameraChanges(name="TÜR")).name == "TÜR"
    assert sites.change_credential(wide, user="guard").name == "Tür"


def test_a_camera_in_a_log_shows_no_password() -> None:
    camera = Camera("c1", "Door", "b1", None, URL, URL, True, True, 5.0, 24, (), Policy(), 1, 0)
    assert camera.shown_url == camera.shown_substream_url == "rtsp://user:***@10.0.0.5/1"
    assert "secret" not in f"{camera} {camera!r} {NewCamera('Door', 'b1', URL)!r}"
