"""Sockets that listen: where, and what is said where they can't."""

import socket

import pytest

from api.headers import is_loopback, named_host
from infra.listening import listen, url_of
from infra.live import door
from infra.system.door import Door
from storage.errors import ConflictError, UsageError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_this_machine_s_loopback_is_listened_on(host: str) -> None:
    with listen(host, 0) as listening:
        address, port = listening.getsockname()[:2]
        socket.create_connection((address, port), 2).close()
        shown = "[::1]" if ":" in host else "127.0.0.1"
        assert url_of(listening) == f"http://{shown}:{port}"


@pytest.mark.parametrize("host", ["example.org", "", "1.2.3"])
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="give an IP address of this machine"):
        listen(host, 0)


def test_where_others_may_come_in_the_page_says_how_they_find_it() -> None:
    for host, is_open in (("0.0.0.0", True), ("127.0.0.1", False)):  # noqa: S104
        opened = Door(host, 0)
        port = opened.listening.getsockname()[1]
        assert opened.url == f"http://127.0.0.1:{port}"
        assert opened.open is is_open
        assert opened.elsewhere.endswith(f":{port}")
        assert "0.0.0.0" not in opened.elsewhere  # noqa: S104
        opened.close()


def test_the_page_and_the_api_say_the_same_of_a_port_that_is_taken() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        for attempt in (Door, door.listen):
            with pytest.raises(ConflictError, match=f"port {port} on 127.0.0.1 is in use by another program"):
                attempt("127.0.0.1", port)


def test_no_answer_waits_for_the_caller_s_acknowledgement() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname(), 2):
        caller, _ = listening.accept()
        with caller:
            assert caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_of_another_machine_can_t_be_listened_on() -> None:
    with pytest.raises(UsageError, match="no address of this machine"):
        listen("192.0.2.1", 0)


def test_a_viewer_s_connection_holds_little_that_is_not_sent() -> None:
    with door.listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname(), 2):
        viewer, _ = listening.accept()
        with viewer:
            sizes = [one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) for one in (listening, viewer)]
            # The kernel doubles what it is told, or gives less where it allows no more.
            assert sizes[0] == sizes[1] <= 2 * door.UNSENT_BYTES
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert viewer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == door.SILENT_MS


@pytest.mark.parametrize(
    ("host", "name", "loopback"),
    [
        ("localhost:8000", "localhost", True),
        ("LOCALHOST.", "localhost", True),
        ("[::1]:8000", "::1", True),
        ("127.0.0.1.evil.example", "127.0.0.1.evil.example", False),
        ("192.0.2.7:1", "192.0.2.7", False),
        ("[", "", False),
        ("", "", False),
    ],
)
def test_what_a_request_names(host: str, name: str, loopback: bool) -> None:
    assert (named_host(host), is_loopback(named_host(host))) == (name, loopback)
