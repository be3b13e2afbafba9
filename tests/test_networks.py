"""Which networks cameras may be in, and which addresses are taken at all."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.settings import load_settings
from storage.database.addresses import check_address, media_path, webcam_device
from storage.errors import InvalidError, UsageError
from storage.networks import (
    LookupTimeoutError,
    Networks,
    NotAllowedError,
    UnknownHostError,
    literal_address,
)

PRIVATE = Networks.parse("private")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.31.255.255", True),
        ("172.32.0.1", False),
        ("192.168.0.5", True),
        ("100.64.0.1", True),
        ("169.254.169.254", False),
        ("8.8.8.8", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("fd00::5", True),
        ("2001:db8::1", False),
        ("::", False),
        ("::ffff:10.0.0.5", True),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a9fe:a9fe::1", False),
        ("camera", False),
    ],
)
def test_private_networks_are_those_of_a_building(address: str, allowed: bool) -> None:
    assert PRIVATE.allows(address) is allowed


def test_networks_are_put_together() -> None:
    networks = Networks.parse(" private , 203.0.113.0/24,2001:db8::/32, 198.51.100.7")
    assert all(networks.allows(one) for one in ("10.0.0.1", "203.0.113.9", "2001:db8::9", "198.51.100.7"))
    assert not any(networks.allows(one) for one in ("198.51.100.8", "169.254.1.1"))
    assert Networks.parse("10.0.0.0/8").allows("127.0.0.1") is False
    assert Networks.parse("any").allows("169.254.169.254")
    assert Networks.parse("any").everywhere
    assert not networks.everywhere
    assert repr(PRIVATE) == "Networks.parse('private')"


@pytest.mark.parametrize("text", ["", "private,", "privat", "10.0.0.0/33", "10.0.0.1/8", "http://10.0.0.1", "10.0.0.*"])
def test_what_is_no_network_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match=r"MASKWATCH_CAMERA_NETWORKS.*write private, any, or networks"):
        Networks.parse(text)


def test_the_setting_is_checked_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().camera_networks == "private"
    monkeypatch.setenv("MASKWATCH_CAMERA_NETWORKS", "10.0.0.0/33")
    with pytest.raises(UsageError, match="camera_networks"):
        load_settings()


def test_a_secret_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", "hidden")
    assert "hidden" not in repr(load_settings())


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0251.0376.0251.0376", "169.254.169.254"),
        ("::1", "::1"),
        ("camera.example", None),
        ("cafe", None),
        ("kamera-ü", None),
    ],
)
def test_an_address_is_known_in_every_spelling(host: str, address: str | None) -> None:
    found = literal_address(host)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://169.254.169.254/1",
        "http://user:secret@8.8.8.8/",
        "http://2852039166/latest",
        "rtsp://[2001:db8::1]/1",
        "http://[::ffff:169.254.169.254]/",
        "https://0.0.0.0/",
    ],
)
def test_an_address_outside_the_networks_is_refused_at_registration(url: str) -> None:
    with pytest.raises(InvalidError, match=r"outside the networks of cameras \(private\): allow it in") as error:
        check_address(url, None, PRIVATE)
    assert "secret" not in str(error.value)


def test_names_and_addresses_inside_are_registered() -> None:
    for url in ("rtsp://camera.example/1", "rtsp://10.0.0.5/1", "http://[fd00::1]:8080/x", "rtsps://localhost/1"):
        check_address(url, None, PRIVATE)


@pytest.mark.parametrize(
    ("url", "device"),
    [("0", "/dev/video0"), ("12", "/dev/video12"), ("/dev/video3", "/dev/video3"), ("007", "/dev/video7")],
)
def test_a_webcam_is_a_number_or_a_device(url: str, device: str) -> None:
    assert webcam_device(url) == device
    check_address(url, None, PRIVATE)


@pytest.mark.parametrize("url", ["/dev/sda", "/dev/video", "/dev/video0/../sda", "-1", "1234", "/dev/video0\n", "٣"])
def test_other_devices_are_no_webcams(url: str) -> None:
    assert webcam_device(url) is None
    with pytest.raises(InvalidError):
        check_address(url, None, PRIVATE)


def test_a_folder_is_written_with_a_slash_and_stays_under_the_media_root(tmp_path: Path) -> None:
    root = tmp_path / "media"
    (root / "door pictures").mkdir(parents=True)
    (root / "door.mp4").write_bytes(b"clip")
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    assert media_path("file:door%20pictures/", root) == root / "door pictures"
    assert media_path(f"file://{root}/door%20pictures/", root) == root / "door pictures"
    for url, message in (
        ("file:door%20pictures", "a folder is written with a / at its end"),
        ("file:door.mp4/", "no such folder"),
        ("file:link/", "is not under the media root"),
        ("file:../outside/", "is not under the media root"),
        ("file:none/", "no such folder"),
    ):
        with pytest.raises(InvalidError, match=message):
            media_path(url, root)


# --- names ---


def lookup(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def known(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", known)


def test_a_name_leads_to_an_address_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup(monkeypatch, "169.254.169.254", "10.0.0.7", "10.0.0.8")
    assert PRIVATE.resolved("camera.example", 554) == "10.0.0.7"
    with pytest.raises(NotAllowedError, match=r"camera.example \(169.254.169.254\) is outside"):
        Networks.parse("192.168.0.0/16").resolved("camera.example", 554)


def test_of_both_kinds_of_addresses_the_older_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup(monkeypatch, "fd00::7", "10.0.0.7")
    assert PRIVATE.resolved("camera.example", 554) == "10.0.0.7"
    lookup(monkeypatch, "fd00::7", "8.8.8.8")
    assert PRIVATE.resolved("camera.example", 554) == "fd00::7"


def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup(monkeypatch, "10.0.0.9")
    assert PRIVATE.resolved("10.0.0.7", 80) == "10.0.0.7"
    assert PRIVATE.resolved("0x7f.1", 80) == "127.0.0.1"
    with pytest.raises(NotAllowedError):
        PRIVATE.resolved("8.8.8.8", 80)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(UnknownHostError, match=r"the name no-such-host.invalid is not known"):
        PRIVATE.resolved("no-such-host.invalid", 80)
    with pytest.raises(UnknownHostError):
        PRIVATE.resolved("x" * 300, 80)


def test_a_name_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def hang(*_: Any, **__: Any) -> list[Any]:
        answer.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began_s = time.monotonic()
    with pytest.raises(LookupTimeoutError, match=r"could not be looked up in 0.2 s"):
        PRIVATE.resolved("camera.example", 80, limit_s=0.2)
    assert time.monotonic() - began_s < 2
    answer.set()
