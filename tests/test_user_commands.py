"""`maskwatch user`, `key` and `audit` as a person or a script uses them, and how the first one gets in."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from infra.people import check_open, opened_database, welcome
from infra.settings import load_settings
from storage.database.accounts import Accounts
from storage.database.sessions import Peer, Sessions
from storage.errors import SetupError, UsageError
from storage.identity import Role
from storage.passwords import Passwords
from storage.secrets import check_strength

Call = Callable[..., tuple[int, str, str]]

SECRET = "correct horse 47"  # noqa: S105
LINK = re.compile(r"http://127\.0\.0\.1:8000/#/link/([\w-]{43})")


def lines(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give text on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_an_account_is_added_listed_shown_changed_and_removed(maskwatch: Call, typed: Callable[[str], None]) -> None:
    assert maskwatch("building", "add", "North", "--id", "north")[0] == 0
    typed(f"{SECRET}\n")
    call = ("user", "add", "Dana", "--role", "viewer", "--building", "North", "--password-stdin", "--json")
    status, out, err = maskwatch(*call)
    assert (status, err) == (0, "")
    [made] = lines(out)
    assert made["buildings"] == ["north"]
    assert made["has_password"]
    assert SECRET not in out
    assert lines(maskwatch("user", "list", "--json")[1]) == [made]
    assert lines(maskwatch("user", "show", "dana", "--json")[1]) == [made]
    out = maskwatch("user", "change", "Dana", "--role", "reviewer", "--all-buildings", "--disable")[1]
    assert out == "account Dana is changed: reviewer of all buildings, disabled\n"
    assert "reviewer" in maskwatch("user", "show", "Dana")[1]
    assert maskwatch("user", "remove", "Dana")[1] == "account Dana is removed\n"
    assert maskwatch("user", "list")[1] == "none yet\n"


def test_without_a_password_there_is_a_link(maskwatch: Call) -> None:
    status, out, _ = maskwatch("user", "add", "Dana", "--role", "viewer")
    assert status == 0
    found = LINK.search(out)
    assert found
    out = maskwatch("user", "link", "Dana", "--url", "https://watch.example", "--json")[1]
    [link] = lines(out)
    secret = str(link["link"]).removeprefix("https://watch.example/#/link/")
    with opened_database(load_settings()) as engine:
        sessions = Sessions(engine, Passwords(memory_kib=8, rounds=1))
        assert sessions.by_link(found[1], SECRET, Peer()) is None
        assert sessions.by_link(secret, SECRET, Peer()) is not None


@pytest.mark.parametrize(
    ("call", "text", "status", "told"),
    [
        (("add", "Dana", "--role", "viewer", "--password-stdin"), "short\n", 2, "at least 12 characters"),
        (("add", "Dana", "--role", "viewer", "--password-stdin"), "", 2, "no password on standard input"),
        (("add", "Dana", "--role", "king"), "", 2, ""),
        (("add", "Dana", "--role", "viewer", "--building", "b9"), "", 1, "no building 'b9'"),
        (("add", "", "--role", "viewer"), "", 2, "printable"),
        (("show", "Dana"), "", 1, "there is no account 'Dana'"),
        (("change", "Dana"), "", 2, "say what is to be changed"),
        (("change", "Dana", "--building", "a", "--all-buildings"), "", 2, "not both"),
        (("add", "Dana", "--role", "viewer", "--url", "ftp://x"), "", 2, "https://"),
    ],
)
def test_what_can_t_be_done_is_told(
    maskwatch: Call, typed: Callable[[str], None], call: tuple[str, ...], text: str, status: int, told: str
) -> None:
    typed(text)
    ended, out, err = maskwatch("user", *call)
    assert (ended, out) == (status, "")
    assert told in err
    if text.strip():
        assert text.strip() not in err


def test_the_last_administrator_is_not_removed(maskwatch: Call) -> None:
    maskwatch("user", "add", "Dana", "--role", "admin")
    for call in (("remove", "Dana"), ("change", "Dana", "--disable"), ("change", "Dana", "--role", "viewer")):
        status, _, err = maskwatch("user", *call)
        assert status == 1
        assert "last administrator" in err


def test_a_key_is_shown_once_and_revoked(maskwatch: Call) -> None:
    status, out, _ = maskwatch("key", "create", "--role", "viewer", "--name", "grafana", "--expires", "30d", "--json")
    assert status == 0
    [made] = lines(out)
    secret = str(made["key"])
    assert secret.startswith("mwk_")
    out = maskwatch("key", "list", "--json")[1]
    assert lines(out) == [{name: value for name, value in made.items() if name != "key"}]
    assert "until" in maskwatch("key", "list")[1]
    assert maskwatch("key", "revoke", made["id"])[1] == f"key {made['id']} is revoked: grafana\n"
    assert "revoked" in maskwatch("key", "list")[1]
    status, out, err = maskwatch("key", "create", "--role", "admin")
    assert re.fullmatch(r"mwk_k[0-9a-f]{16}_[\w-]{43}\n", out)
    assert "shown this once" in err
    for when in ("soon", "0d", "99999w", "2001-01-01T00:00Z"):
        status, out, err = maskwatch("key", "create", "--role", "viewer", "--expires", when)
        assert (status, out) == (2, ""), when
        assert err


def test_what_is_done_here_is_noted_under_the_name_that_the_system_knows(maskwatch: Call) -> None:
    maskwatch("user", "add", "Dana", "--role", "viewer")
    maskwatch("key", "create", "--role", "viewer")
    found = lines(maskwatch("audit", "list", "--json")[1])
    assert [one["action"] for one in found] == ["audit.exported", "key.added", "account.link_made", "account.added"]
    assert {one["caller_kind"] for one in found} == {"local"}
    assert {one["address"] for one in found} == {None}
    assert len({one["caller_name"] for one in found}) == 1
    out = maskwatch("audit", "list", "--action", "key", "--limit", "5")[1]
    assert "key.added" in out
    assert "account.added" not in out
    status, _, err = maskwatch("audit", "list", "--from", "yesterday")
    assert status == 2
    assert "--from yesterday" in err
    for most in ("0", "99999999999999999999"):
        status, out, err = maskwatch("audit", "list", "--limit", most)
        assert (status, out) == (2, ""), most
        assert "--limit" in err


def test_the_first_start_makes_an_administrator_and_says_how_to_get_in() -> None:
    settings = load_settings()
    first, second = welcome(settings, "http://127.0.0.1:8000", is_open=False)
    found = LINK.search(first)
    assert found
    assert first.startswith("on this machine no login is needed; from elsewhere: http")
    assert "maskwatch user link admin" in second
    # Who is at the machine needs none; nothing is said a second time.
    assert welcome(settings, "http://127.0.0.1:8000", is_open=False) == ()
    # Where everybody has to log in, there is a new link until somebody has a password.
    again, _ = welcome(settings, "http://192.0.2.7:8000", is_open=True)
    secret = again.partition("http://192.0.2.7:8000/#/link/")[2]
    with opened_database(settings) as engine:
        sessions = Sessions(engine, Passwords(memory_kib=8, rounds=1))
        assert sessions.by_link(found[1], SECRET, Peer()) is None
        assert sessions.by_link(secret, SECRET, Peer()) is not None
    assert welcome(settings, "http://192.0.2.7:8000", is_open=True) == ()


def test_where_there_are_accounts_the_first_start_makes_none() -> None:
    settings = load_settings()
    with opened_database(settings) as engine:
        Accounts(engine, Passwords(memory_kib=8, rounds=1)).add("Dana", Role.ADMIN, None, SECRET)
    assert welcome(settings, "http://127.0.0.1:8000", is_open=False) == ()


@pytest.mark.parametrize(
    "key",
    [
        "changeme",
        "secret",
        "password",
        "x" * 32,
        "A" * 43 + "=",
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "Y2hhbmdlbWVjaGFuZ2VtZWNoYW5nZW1lY2hhbmdlbWU=",
        "dGhpcyBpcyBvdXIgc2VjcmV0IGtleSwgZG9uJ3QgdGU=",
        "ä" * 32,
    ],
)
def test_a_key_that_can_be_guessed_is_refused_where_others_can_come_in(
    monkeypatch: pytest.MonkeyPatch, maskwatch: Call, key: str
) -> None:
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", key)
    for call in (("up",), ("serve", "api"), ("demo", "--no-browser")):
        status, out, err = maskwatch(*call, "--host", "0.0.0.0", "--port", "0")  # noqa: S104
        assert (status, out) == (1, "")
        assert "placeholder or a weak key" in err
        assert key not in err
    assert check_open(load_settings(), "127.0.0.1") == ()
    with pytest.raises(SetupError, match="weak key"):
        check_open(load_settings(login="always"), "127.0.0.1")
    monkeypatch.setenv("MASKWATCH_PUBLIC_URL", "https://watch.example")
    with pytest.raises(SetupError, match="weak key"):
        check_open(load_settings(), "127.0.0.1")


def test_a_key_of_random_bytes_is_taken_and_a_network_without_tls_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for _ in range(100):
        check_strength(Fernet.generate_key().decode())
        check_strength(Fernet.generate_key().decode().translate(str.maketrans("-_", "+/")))
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", Fernet.generate_key().decode())
    [warning] = check_open(load_settings(), "0.0.0.0")  # noqa: S104
    assert "put a TLS proxy in front" in warning
    monkeypatch.setenv("MASKWATCH_PUBLIC_URL", "https://Watch.example/")
    settings = load_settings()
    assert settings.public_url == "https://watch.example"
    assert check_open(settings, "0.0.0.0") == ()  # noqa: S104
    for wrong in ("watch.example", "ftp://a", "https://a/b", "https://u@a", "https://", "https://a:x"):
        monkeypatch.setenv("MASKWATCH_PUBLIC_URL", wrong)
        with pytest.raises(UsageError, match="public_url"):
            load_settings()
