"""Buildings, cameras and credentials change: what follows, what stays, what is refused, and what is stored of passwords."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, select, update

from storage.database.changes import BuildingChanges, CameraChanges, ChangedError
from storage.database.engine import reading, writing
from storage.database.models import CameraRow, CredentialRow
from storage.database.records import Camera, NewCamera, Policy, Region, Thresholds
from storage.database.sites import Sites
from storage.errors import ConflictError, InvalidError, NotFoundError, SetupError
from storage.hours import Hours
from storage.secrets import SEALED, Secrets
from storage.words import Label
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

URL = "rtsp://user:secret@10.0.0.5/1"
SHOWN = "rtsp://user:***@10.0.0.5/1"
BARE = "rtsp://10.0.0.5/1"

AddedCamera = Callable[..., Camera]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "secret.key"


@pytest.fixture
def sites(database: Engine, tmp_path: Path, key: Path) -> Sites:
    """Two buildings, the first one with a zone."""
    sites = Sites(database, tmp_path / "media", secrets=Secrets(key))
    sites.add_building("North", "UTC", policy=Policy(dwell_s=3.0))
    sites.add_building("South", "UTC", policy=Policy(dwell_s=5.0))
    sites.add_zone("b1", "Hall")
    return sites


@pytest.fixture
def camera(sites: Sites) -> Camera:
    return sites.add_camera(NewCamera("Door", "b1", URL, "z1"))


def stored(database: Engine) -> list[str]:
    """All that is stored of addresses and passwords."""
    with reading(database) as connection:
        found = [*connection.execute(select(CameraRow.url, CameraRow.substream_url)).all()]
        return [value for row in found for value in row if value is not None] + list(
            connection.execute(select(CredentialRow.password)).scalars()
        )


# Cameras


def test_each_thing_can_be_changed_alone(sites: Sites, camera: Camera) -> None:
    for changes in (
        CameraChanges(name="Gate"),
        CameraChanges(zone_id=None),
        CameraChanges(url="rtsp://10.0.0.6/1"),
        CameraChanges(substream_url="rtsp://user:secret@10.0.0.5/2"),
        CameraChanges(enabled=False),
        CameraChanges(counts=False),
        CameraChanges(analyze_fps=2.0),
        CameraChanges(min_face_px=48),
        CameraChanges(regions=(Region("ignore", ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))),)),
        CameraChanges(policy=Policy((Label.WITHOUT_MASK,), 2.0, (Hours(("mon",), "08:00", "24:00"),))),
        CameraChanges(thresholds=Thresholds(0.4, None)),
        CameraChanges(transport="udp"),
    ):
        changed = sites.change_camera("c1", changes)
        (name,) = (name for name in changes.__struct_fields__ if getattr(changed, name) != getattr(camera, name))
        assert getattr(changed, name) == getattr(changes, name)
        assert changed.version == camera.version + 1
        assert sites.camera("c1") == changed
        # The same once more changes nothing.
        assert sites.change_camera("c1", changes, version=changed.version) == changed
        camera = changed


def test_nothing_to_change_leaves_the_version(sites: Sites, camera: Camera, database: Engine) -> None:
    before = stored(database)
    same = CameraChanges(name=" Door ", url=URL, policy=camera.policy, regions=(), credential=None)
    assert sites.change_camera("c1", same) == sites.change_camera("c1", CameraChanges()) == camera
    assert stored(database) == before


def test_another_building_takes_the_camera_out_of_its_zone(sites: Sites, camera: Camera) -> None:
    moved = sites.change_camera("c1", CameraChanges(building_id="b2"))
    assert (moved.building_id, moved.zone_id, moved.policy) == ("b2", None, camera.policy)
    assert sites.change_camera("c1", CameraChanges(policy=None)).policy.dwell_s == 5.0
    with pytest.raises(NotFoundError, match="building b2 has no zone 'z1'"):
        sites.change_camera("c1", CameraChanges(zone_id="z1"))
    assert sites.change_camera("c1", CameraChanges(building_id="b1", zone_id="z1")).zone_id == "z1"


def test_who_changes_what_somebody_else_has_changed_is_told(sites: Sites, camera: Camera) -> None:
    sites.change_camera("c1", CameraChanges(name="Gate"), version=camera.version)
    with pytest.raises(ChangedError, match=r"camera c1 has been changed meanwhile \(version 2 now, not 1\): read it"):
        sites.change_camera("c1", CameraChanges(name="Exit"), version=camera.version)
    assert sites.camera("c1").name == "Gate"


@pytest.mark.usefixtures("camera")
def test_a_change_that_cannot_be_changes_nothing(sites: Sites) -> None:
    sites.add_camera(NewCamera("Back", "b1", "rtsp://10.0.0.7/1"))
    before = sites.cameras()
    refused: list[tuple[CameraChanges, type[Exception], str]] = [
        (CameraChanges(name=""), InvalidError, "the name of a camera"),
        (CameraChanges(name="Back"), ConflictError, "'Back' is in use by c2"),
        (CameraChanges(building_id="b9"), NotFoundError, "no building 'b9'"),
        (CameraChanges(building_id="b2", zone_id="z1"), NotFoundError, "building b2 has no zone"),
        (CameraChanges(zone_id="z9"), NotFoundError, "no zone 'z9'"),
        (CameraChanges(url="gopher://x/"), InvalidError, "unknown kind"),
        (CameraChanges(url="rtsp://user:***@10.0.0.6/1"), InvalidError, "differs .*: give the password with it"),
        (CameraChanges(substream_url=SHOWN), InvalidError, "differs .*: give the password with it"),
        (CameraChanges(analyze_fps=0.0), InvalidError, "0.01 to 120"),
        (CameraChanges(min_face_px=1), InvalidError, "8 to 1000"),
        (CameraChanges(regions=(Region("watch", ()),)), InvalidError, "3 to 64 points"),
        (CameraChanges(policy=Policy(hours=())), InvalidError, "1 to 50 entries"),
        (CameraChanges(thresholds=Thresholds(2.0)), InvalidError, "0.1 to 0.95"),
        (CameraChanges(credential="none"), InvalidError, "names a user, and so does the credential"),
        (CameraChanges(url=BARE, credential="none"), NotFoundError, "no credential 'none'"),
    ]
    for changes, error, message in refused:
        with pytest.raises(error, match=message) as caught:
            sites.change_camera("c1", changes)
        assert "secret" not in str(caught.value)
        assert sites.cameras() == before


def test_what_is_not_there_or_was_removed_is_not_changed(sites: Sites) -> None:
    with pytest.raises(NotFoundError, match="there is no camera 'c1'"):
        sites.change_camera("c1", CameraChanges())
    with pytest.raises(NotFoundError, match="there is no camera 'c1'"):
        sites.restore_camera("c1")
    sites.add_camera(NewCamera("Door", "b1", URL))
    sites.archive_camera("c1")
    with pytest.raises(ConflictError, match="camera c1 was removed: restore it first"):
        sites.change_camera("c1", CameraChanges(name="Gate"))


def test_a_file_that_has_gone_since_does_not_stop_other_changes(sites: Sites, tmp_path: Path) -> None:
    clip = tmp_path / "media" / "door.mp4"
    clip.parent.mkdir()
    clip.touch()
    sites.add_camera(NewCamera("Door", "b1", "file:door.mp4"))
    clip.unlink()
    assert sites.change_camera("c1", CameraChanges(name="Gate", url="file:door.mp4")).name == "Gate"
    with pytest.raises(InvalidError, match="no such file"):
        sites.change_camera("c1", CameraChanges(url="file:gate.mp4"))


@pytest.mark.usefixtures("camera")
def test_an_address_as_it_is_shown_keeps_its_password(sites: Sites) -> None:
    given = CameraChanges(url=SHOWN, substream_url="http://10.0.0.5/x?user=a&pwd=hidden", name="Gate")
    changed = sites.change_camera("c1", given)
    assert (changed.url, changed.shown_url, changed.version) == (URL, SHOWN, 2)
    shown = CameraChanges(url=changed.shown_url, substream_url=changed.shown_substream_url)
    assert sites.change_camera("c1", shown) == changed
    assert (
        sites.change_camera("c1", CameraChanges(url="rtsp://user:new@10.0.0.6/1")).url == "rtsp://user:new@10.0.0.6/1"
    )


def test_a_removed_camera_comes_back_with_everything(sites: Sites, camera: Camera) -> None:
    sites.archive_camera("c1")
    back = sites.restore_camera("c1")
    assert (back.archived_at_ns, back.version, back.url, back.zone_id) == (None, 3, URL, "z1")
    assert sites.restore_camera("c1") == back
    sites.archive_camera("c1")
    sites.add_camera(NewCamera(camera.name, "b1", URL))
    with pytest.raises(ConflictError, match="'Door' is in use by c2"):
        sites.restore_camera("c1")


def test_a_camera_of_a_removed_building_stays_removed(sites: Sites) -> None:
    sites.add_camera(NewCamera("Door", "b2", URL))
    sites.archive_camera("c1")
    sites.remove_building("b2")
    with pytest.raises(ConflictError, match="camera c1 can't be restored: building 'b2' was removed"):
        sites.restore_camera("c1")


def test_changes_in_a_log_show_no_password() -> None:
    changes = CameraChanges(url=URL, substream_url=None, name="Door")
    assert repr(changes) == f"CameraChanges(name='Door', url='{SHOWN}', substream_url=None)"


# Buildings


def test_a_building_changes_and_its_cameras_keep_their_policy(sites: Sites, camera: Camera) -> None:
    policy = Policy(dwell_s=9.0, hours=(Hours(("sun",), "00:00", "24:00"),))
    changes = BuildingChanges(name="Centre", timezone="Asia/Tokyo", retention_days=7, policy=policy)
    changed = sites.change_building("b1", changes, version=1)
    assert (changed.name, changed.timezone, changed.retention_days, changed.policy, changed.version) == (
        "Centre",
        "Asia/Tokyo",
        7,
        policy,
        2,
    )
    assert sites.change_building("b1", changes) == sites.change_building("b1", BuildingChanges()) == changed
    assert sites.camera("c1") == camera
    assert sites.add_camera(NewCamera("Gate", "b1", URL)).policy == policy


def test_a_building_that_cannot_become(sites: Sites) -> None:
    before = sites.building("b1")
    refused: list[tuple[BuildingChanges, type[Exception], str]] = [
        (BuildingChanges(name=" "), InvalidError, "the name of a building"),
        (BuildingChanges(name="South"), ConflictError, "in use by b2"),
        (BuildingChanges(timezone="Mars/Olympus"), InvalidError, "no IANA time zone"),
        (BuildingChanges(retention_days=0), InvalidError, "1 to 36500 days"),
        (BuildingChanges(policy=Policy(dwell_s=-1)), InvalidError, "dwell time"),
    ]
    for changes, error, message in refused:
        with pytest.raises(error, match=message):
            sites.change_building("b1", changes)
    with pytest.raises(ChangedError, match="building b1 has been changed meanwhile"):
        sites.change_building("b1", BuildingChanges(name="Centre"), version=7)
    with pytest.raises(NotFoundError, match="no building 'b9'"):
        sites.change_building("b9", BuildingChanges(name="Centre"))
    assert sites.building("b1") == before


# Credentials


def test_one_credential_serves_many_cameras(sites: Sites) -> None:
    made = sites.add_credential("lobby", "admin@site", "a/b?#: %")
    assert (made.name, made.user, made.version) == ("lobby", "admin@site", 1)
    assert sites.credentials() == [made]
    for number in (1, 2):
        sites.add_camera(NewCamera(f"Door {number}", "b1", f"rtsp://10.0.0.{number}:554/1", credential="lobby"))
    other = sites.add_camera(NewCamera("Gate", "b1", URL))
    assert [camera.url for camera in sites.cameras()] == [
        "rtsp://admin%40site:a%2Fb%3F%23%3A%20%25@10.0.0.1:554/1",
        "rtsp://admin%40site:a%2Fb%3F%23%3A%20%25@10.0.0.2:554/1",
        URL,
    ]
    changed = sites.change_credential("lobby", password="new")  # noqa: S106
    assert changed.version == 2
    assert [camera.url for camera in sites.cameras()] == [
        "rtsp://admin%40site:new@10.0.0.1:554/1",
        "rtsp://admin%40site:new@10.0.0.2:554/1",
        URL,
    ]
    assert [camera.version for camera in sites.cameras()] == [2, 2, 1]
    assert sites.change_credential("lobby", user="admin@site", password="new") == changed  # noqa: S106
    assert sites.change_credential("lobby", user="viewer").user == "viewer"
    assert [camera.version for camera in sites.cameras()] == [3, 3, 1]
    assert sites.camera("c3") == other


def test_a_camera_with_a_credential_shows_the_address_it_was_given(sites: Sites) -> None:
    sites.add_credential("lobby", "viewer", "secret")
    camera = sites.add_camera(NewCamera("Door", "b1", BARE, credential="lobby"))
    assert (camera.shown_url, camera.credential) == (BARE, "lobby")
    assert "secret" not in repr(camera)
    assert sites.change_camera("c1", CameraChanges(url=camera.shown_url, credential="lobby")) == camera
    assert sites.change_camera("c1", CameraChanges(credential=None)).url == BARE
    with pytest.raises(InvalidError, match="names a user"):
        sites.change_camera("c1", CameraChanges(url=URL, credential="lobby"))


def test_a_credential_stays_while_cameras_name_it(sites: Sites) -> None:
    sites.add_credential("lobby", "viewer", "secret")
    sites.add_camera(NewCamera("Door", "b1", BARE, credential="lobby"))
    with pytest.raises(ConflictError, match="'lobby' is in use by c1: give them another first"):
        sites.remove_credential("lobby")
    sites.archive_camera("c1")
    sites.remove_credential("lobby")
    assert sites.credentials() == []
    with pytest.raises(ConflictError, match="can't be restored: there is no credential 'lobby'"):
        sites.restore_camera("c1")
    assert sites.camera("c1").trouble is not None
    sites.add_credential("lobby", "viewer", "secret")
    assert sites.restore_camera("c1").url == "rtsp://viewer:secret@10.0.0.5/1"


def test_a_credential_that_cannot_be(sites: Sites) -> None:
    for name, user, password, message in (
        ("", "viewer", "secret", "the name of a credential"),
        ("lobby", "", "secret", "the name of a user"),
        ("lobby", "viewer", "", "a password has 1 to 1000 printable characters"),
        ("lobby", "viewer", "x" * 1001, "a password has 1 to 1000 printable characters"),
        ("lobby", "viewer", "secret\n", "a password has 1 to 1000 printable characters"),
    ):
        with pytest.raises(InvalidError, match=message) as error:
            sites.add_credential(name, user, password)
        assert "secret" not in str(error.value)
    assert sites.credentials() == []


def test_credentials_are_named_once_and_named_when_they_are_missing(sites: Sites) -> None:
    sites.add_credential("lobby", "viewer", "secret")
    with pytest.raises(ConflictError, match="there is a credential 'lobby' already"):
        sites.add_credential("lobby", "viewer", "secret")
    with pytest.raises(NotFoundError, match="there is no credential 'hall'"):
        sites.change_credential("hall", user="x")
    with pytest.raises(NotFoundError, match="there is no credential 'hall'"):
        sites.remove_credential("hall")


# What is stored


@pytest.mark.usefixtures("camera")
def test_no_password_is_stored_as_it_is(sites: Sites, database: Engine) -> None:
    sites.add_credential("lobby", "viewer", "secret")
    sites.change_credential("lobby", password="secret too")  # noqa: S106
    sites.change_camera("c1", CameraChanges(substream_url="http://10.0.0.5/x?token=secret"))
    sites.add_camera(NewCamera("Gate", "b1", "rtsp://10.0.0.6/1"))
    found = stored(database)
    assert "rtsp://10.0.0.6/1" in found
    assert sum(value.startswith(SEALED) for value in found) == 3
    assert not any("secret" in value for value in found)


def test_what_earlier_versions_stored_is_read_and_then_encrypted(
    sites: Sites, camera: Camera, database: Engine
) -> None:
    sub = "rtsp://user:secret@10.0.0.5/2"
    with writing(database) as connection:
        connection.execute(update(CameraRow).values(url=URL, substream_url=sub))
    assert sites.camera("c1").url == URL
    assert sites.seal() == 1
    assert sites.seal() == 0
    assert all(value.startswith(SEALED) for value in stored(database))
    again = sites.camera("c1")
    assert (again.url, again.substream_url, again.version) == (URL, sub, camera.version)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://h/user=admin_password=secret_channel=1.sdp", "rtsp://h/user=admin_password=***_channel=1.sdp"),
        ("http://h/v.cgi?loginpas=secret&access_token=secret", "http://h/v.cgi?loginpas=***&access_token=***"),
        ("rtsp://h/password/secret/1", "rtsp://h/password/***/1"),
    ],
)
def test_a_password_as_vendors_write_it_is_encrypted_and_kept(
    sites: Sites, database: Engine, url: str, shown: str
) -> None:
    camera = sites.add_camera(NewCamera("Door", "b1", url))
    assert (camera.url, camera.shown_url) == (url, shown)
    assert sites.change_camera("c1", CameraChanges(url=shown)) == camera
    for plain in (url, f"{stored(database)[0].partition(' ')[0]} {url}"):
        # As an earlier version left it: plain, or with the password behind what is encrypted.
        with writing(database) as connection:
            connection.execute(update(CameraRow).values(url=plain))
        assert sites.seal() == 1
        assert sites.seal() == 0
        assert not any("secret" in value for value in stored(database))
        assert sites.camera("c1") == camera
    with pytest.raises(InvalidError, match="for its password: give the password"):
        sites.add_camera(NewCamera("Gate", "b1", shown))


def test_a_long_address_can_be_encrypted(sites: Sites) -> None:
    long = f"rtsp://user:secret@10.0.0.5/{'ü' * 2000}"
    assert sites.add_camera(NewCamera("Door", "b1", long)).url == long


@pytest.mark.usefixtures("camera")
def test_a_new_key_takes_over_from_the_old_one(sites: Sites, database: Engine, key: Path) -> None:
    sites.add_credential("lobby", "viewer", "secret")
    new = Fernet.generate_key().decode()
    assert Sites(database, secrets=Secrets(key, keys=new)).seal() == 2
    key.unlink()
    alone = Sites(database, secrets=Secrets(key, keys=new))
    assert alone.camera("c1").url == URL
    assert alone.seal() == 0
    assert not key.exists()


def test_a_lost_key_spoils_only_what_needs_it_and_is_named(sites: Sites, database: Engine, key: Path) -> None:
    sites.add_credential("lobby", "viewer", "secret")
    sites.add_camera(NewCamera("Door", "b1", URL, substream_url="rtsp://10.0.0.5/2"))
    sites.add_camera(NewCamera("Gate", "b1", BARE, credential="lobby"))
    open_one = sites.add_camera(NewCamera("Exit", "b1", "rtsp://10.0.0.7/1"))
    whole, lost = sites.cameras(), key.rename(key.with_name("lost"))
    poor = Sites(database, secrets=Secrets(key))
    door, gate, exit_ = poor.cameras()
    assert exit_ == open_one
    assert (door.url, door.shown_url, door.shown_substream_url) == (SHOWN, SHOWN, "rtsp://10.0.0.5/2")
    assert (gate.url, gate.shown_url) == (BARE, BARE)
    assert door.trouble == (
        f"camera c1 can't be connected to: passwords can't be kept or read: the key {key} is missing: put it back, or set "
        "MASKWATCH_SECRET_KEY (make one with `openssl rand -base64 32`)"
    )
    assert gate.trouble is not None
    assert poor.seal() == 0
    assert not key.exists()
    # All else can be changed; passwords are given anew once there is another key, which nobody makes by mistake.
    assert poor.change_camera("c1", CameraChanges(url=SHOWN, name="Front")).trouble is not None
    with pytest.raises(SetupError, match="is missing: put it back, or set MASKWATCH_SECRET_KEY"):
        poor.change_camera("c1", CameraChanges(url="rtsp://user:new@10.0.0.5/1"))
    assert not key.exists()
    poor = Sites(database, secrets=Secrets(key, keys=Fernet.generate_key().decode()))
    mended = poor.change_camera("c1", CameraChanges(url="rtsp://user:new@10.0.0.5/1"))
    assert (mended.url, mended.trouble) == ("rtsp://user:new@10.0.0.5/1", None)
    poor.change_credential("lobby", password="new")  # noqa: S106
    assert poor.camera("c2").url == "rtsp://viewer:new@10.0.0.5/1"
    lost.replace(key)
    assert Sites(database, secrets=Secrets(key)).camera("c3").trouble is None
    assert [camera.trouble for camera in whole] == [None] * 3


def test_without_a_key_no_password_is_taken(database: Engine) -> None:
    sites = Sites(database, secrets=Secrets())
    sites.add_building("North", "UTC")
    with pytest.raises(SetupError, match="there is no key: set MASKWATCH_SECRET_KEY"):
        sites.add_camera(NewCamera("Door", "b1", URL))
    with pytest.raises(SetupError, match="there is no key"):
        sites.add_credential("lobby", "viewer", "secret")
    assert sites.add_camera(NewCamera("Door", "b1", BARE)).url == BARE
