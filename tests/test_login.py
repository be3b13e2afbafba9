"""Logging in as people, browsers and programs do it, and as those do who may not."""

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from sqlalchemy import update

from api.login_setup import LoginSetup
from api.tokens import TOKEN_S
from infra.listening import listen
from infra.web import serve_api
from storage.bus import Bus
from storage.database.account_rows import AccountChanges
from storage.database.accounts import Accounts
from storage.database.api_keys import ApiKeys
from storage.database.audit import AuditLog, AuditWanted
from storage.database.engine import writing
from storage.database.models import AccountSessionRow
from storage.identity import Caller, Role
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.tries import FREE_BY_NAME, Tries
from tests.api_server import CHEAP, Api, _running, api_fixture, migrated_fixture, problem, serve, still_fixture  # noqa: F401

SECRET = "correct horse 47"  # noqa: S105
OTHER = "another horse 48"
HERE = Caller("local", "dana", "local", Role.ADMIN)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Reading the list of authorities takes longer than a test."""

NORTH = {"name": "North", "timezone": "UTC"}


class House:
    """An API where everybody has to log in, and the people who may."""

    def __init__(self, api: Api, address: str) -> None:
        self.api, self.address = api, address
        self.accounts = Accounts(api.context.engine, CHEAP).for_(HERE)
        self.keys = ApiKeys(api.context.engine).for_(HERE)
        self.accounts.add("admin", Role.ADMIN, None, SECRET)
        self.accounts.add("vera", Role.VIEWER, None, SECRET)
        self._opened: list[httpx.Client] = []

    def client(self, **headers: str) -> httpx.Client:
        """A new browser or program."""
        client = httpx.Client(base_url=f"{self.address}/api/v1", timeout=30, headers=headers, verify=NO_TLS)
        self._opened.append(client)
        return client

    def token(self, name: str = "admin", password: str = SECRET) -> str:
        """A token of a program."""
        answer = self.client().post("/auth/token", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def program(self, name: str = "admin") -> httpx.Client:
        """A program that is logged in."""
        return self.client(Authorization=f"Bearer {self.token(name)}")

    def browser(self, name: str = "admin") -> tuple[httpx.Client, dict[str, str]]:
        """A browser that is logged in, and what its page sends with changes."""
        client = self.client()
        answer = client.post("/auth/token", json={"name": name, "password": SECRET, "cookie": True})
        assert answer.status_code == 200, answer.text
        assert answer.json()["access_token"] is None
        return client, {"X-CSRF-Token": answer.json()["csrf_token"]}

    def noted(self, action: str) -> list[Any]:
        """Entries of the audit log."""
        return AuditLog(self.api.context.engine).entries(AuditWanted(action=action), 50)[0]

    def close(self) -> None:
        for client in self._opened:
            client.close()


@contextmanager
def another(api: Api, login: LoginSetup) -> Iterator[str]:
    """The address of a second API on the same database."""
    # Two applications that are put together at one moment disturb each other's warnings.
    api.get("/health/live")
    pulse = Pulse()
    address, _ = serve(replace(api.context, login=login), pulse)
    try:
        yield address
    finally:
        pulse.stop()


@pytest.fixture(name="house")
def house_fixture(tmp_path: Path, redis: str, migrated: Path) -> Iterator[House]:
    with _running(tmp_path, redis, migrated, LoginSetup("always", passwords=CHEAP)) as api:
        house = House(api, str(api.client.base_url).rstrip("/"))
        yield house
        house.close()


@pytest.fixture
def long_wait(monkeypatch: pytest.MonkeyPatch) -> float:
    """The first wait is so long, in seconds, that it is not over before it is asked about."""
    monkeypatch.setattr("storage.tries.FIRST_WAIT_S", 30.0)
    return 30.0


def test_without_a_login_there_is_nothing_but_the_way_to_one(house: House) -> None:
    with house.client() as client:
        answer = client.get("/cameras")
        problem(answer, 401, "login-required")
        assert answer.headers["www-authenticate"] == 'Bearer realm="Maskwatch"'
        problem(client.post("/buildings", json=NORTH), 401, "login-required")
        assert client.get("/health/live").status_code == 200


def test_a_program_logs_in_renews_its_token_and_logs_out(house: House) -> None:
    with house.program() as client:
        me = client.get("/me").json()
        assert me | {"id": ""} == {
            "id": "",
            "name": "admin",
            "kind": "account",
            "role": "admin",
            "buildings": None,
            "csrf_token": None,
            "login_required": True,
        }
        assert client.post("/buildings", json=NORTH).status_code == 201
        new = client.post("/auth/refresh").json()
        assert (new["token_type"], new["expires_in"], new["csrf_token"]) == ("bearer", TOKEN_S, None)
        again = house.client(Authorization=f"Bearer {new['access_token']}")
        assert again.get("/me").status_code == 200
        assert client.post("/auth/logout").status_code == 204
        # One login: all its tokens end at once.
        for ended in (client, again):
            problem(ended.get("/me"), 401, "login-required")
            problem(ended.post("/auth/refresh"), 401, "login-required")
    assert [one.action for one in house.noted("login")] == ["login"]
    assert [one.address for one in house.noted("logout")] == ["127.0.0.1"]


def test_a_browser_logs_in_with_cookies_that_no_script_reads(house: House) -> None:
    client = house.client()
    answer = client.post("/auth/token", json={"name": "vera", "password": SECRET, "cookie": True})
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    for one in cookies:
        assert "; HttpOnly; SameSite=Strict" in one
        assert "Secure" not in one
    assert cookies[0].startswith("mw_access=")
    assert "; Path=/;" in cookies[0]
    assert "; Path=/api/v1/auth/;" in cookies[1]
    me = client.get("/me").json()
    assert (me["name"], me["csrf_token"]) == ("vera", answer.json()["csrf_token"])
    problem(client.post("/buildings", json=NORTH), 403, "csrf-token")


def test_a_change_by_a_cookie_needs_the_page_s_token(house: House) -> None:
    client, csrf = house.browser()
    _, others = house.browser("vera")
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}, others, {"X-CSRF-Token": "ä"}):
        sent = {name: value.encode() for name, value in headers.items()}
        problem(client.post("/buildings", json=NORTH, headers=sent), 403, "csrf-token")  # type: ignore[arg-type]
    problem(client.post("/auth/logout"), 403, "csrf-token")
    assert client.post("/buildings", json=NORTH, headers=csrf).status_code == 201
    foreign = {"Origin": "http://evil.example", **csrf}
    problem(client.post("/buildings", json=NORTH, headers=foreign), 403, "cross-site")
    answer = client.post("/auth/logout", headers=csrf)
    assert answer.status_code == 204
    assert all("Max-Age=0" in one for one in answer.headers.get_list("set-cookie"))
    problem(client.get("/me"), 401, "login-required")


def signed(house: House, claims: dict[str, Any], key: bytes | None = None, algorithm: str | None = "HS256") -> str:
    keys = house.api.context.sites.derived_keys("login tokens")
    return jwt.encode(claims, key if key is not None else keys[0], algorithm)


def test_a_token_that_is_not_ours_is_refused(house: House) -> None:
    good = house.token()
    claims = jwt.decode(good, options={"verify_signature": False})
    now = int(time.time())
    head, body, signature = good.split(".")
    nobody = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    raised = base64.urlsafe_b64encode(json.dumps(claims | {"sid": "0" * 32}).encode()).rstrip(b"=").decode()
    forged = {
        "another key": signed(house, claims, b"x" * 32),
        "an empty key": signed(house, claims, b"\0" * 32),
        "no algorithm": f"{nobody}.{body}.",
        "no algorithm, signed": f"{nobody}.{body}.{signature}",
        "another algorithm": signed(
            house, claims, house.api.context.sites.derived_keys("login tokens")[0] * 2, "HS512"
        ),
        "other claims": f"{head}.{raised}.{signature}",
        "too old": signed(house, claims | {"exp": now - 1}),
        "without an end": signed(house, {name: value for name, value in claims.items() if name != "exp"}),
        "a cookie's": signed(house, claims | {"use": "cookie"}),
        "for renewal": signed(house, claims | {"use": "refresh"}),
        "a session that there is not": signed(house, claims | {"sid": "0" * 32}),
        "a session that is a list": signed(house, claims | {"sid": ["a"]}),
        "cut": good[:-2],
        "no token": "abc",
        "long": "a." * 5000,
    }
    for what, token in forged.items():
        answer = house.client().get("/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, what
        assert token not in answer.text
        cookies = house.client().get("/me", headers={"Cookie": f"mw_access={token}"})
        assert cookies.status_code == (200 if what == "a cookie's" else 401), what
    for header in (f"Basic {good}", "Bearer", good, f"Bearer {good} x"):
        problem(house.client().get("/me", headers={"Authorization": header}), 401, "login-required")
    twice = [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")]
    problem(house.client().get("/me", headers=twice), 401, "login-required")
    assert house.client().get("/me", headers={"Authorization": f"bearer {good}"}).status_code == 200


def test_nothing_is_made_for_a_token_that_is_none(house: House, tmp_path: Path) -> None:
    problem(house.client().get("/me", headers={"Authorization": "Bearer a.b.c"}), 401, "login-required")
    assert not (tmp_path / "secret.key").exists()


def test_a_browser_is_renewed_by_the_way_and_after_a_pause(house: House) -> None:
    client, _ = house.browser()
    access = client.cookies["mw_access"]
    assert "set-cookie" not in client.get("/me").headers
    claims = jwt.decode(access, options={"verify_signature": False})
    aged = signed(house, claims | {"iat": claims["iat"] - TOKEN_S // 2})
    answer = house.client().get("/me", headers={"Cookie": f"mw_access={aged}"})
    assert [one.partition("=")[0] for one in answer.headers.get_list("set-cookie")] == ["mw_access", "mw_refresh"]
    old = signed(house, claims | {"iat": claims["iat"] - 2 * TOKEN_S, "exp": claims["exp"] - 2 * TOKEN_S})
    late = house.client()
    answer = late.get("/me", headers={"Cookie": f"mw_access={old}"})
    assert "auth/refresh" in problem(answer, 401, "login-required")["detail"]
    # It is not forgotten: the other cookie gets a new one.
    assert "set-cookie" not in answer.headers
    refresh = client.cookies["mw_refresh"]
    answer = late.post("/auth/refresh", headers={"Cookie": f"mw_access={old}; mw_refresh={refresh}"})
    assert answer.status_code == 200
    assert late.get("/me").json()["csrf_token"] == answer.json()["csrf_token"]
    # What renews is taken for nothing else.
    problem(house.client().get("/me", headers={"Cookie": f"mw_access={refresh}"}), 401, "login-required")
    problem(house.client().post("/auth/refresh", headers={"Cookie": f"mw_refresh={access}"}), 401, "login-required")


def test_disabling_an_account_ends_what_it_is_doing(house: House) -> None:
    browser, _ = house.browser("vera")
    with house.program("vera") as program:
        assert program.get("/me").status_code == browser.get("/me").status_code == 200
        vera = house.accounts.named("vera")
        house.accounts.change(vera.id, AccountChanges(role=Role.REVIEWER))
        for client in (program, browser):
            answer = client.get("/me")
            problem(answer, 401, "login-required")
        assert all("Max-Age=0" in one for one in answer.headers.get_list("set-cookie"))
        house.accounts.change(vera.id, AccountChanges(enabled=False))
    answer = house.client().post("/auth/token", json={"name": "vera", "password": SECRET})
    assert problem(answer, 401, "login-failed")["detail"] == "name or password is wrong"
    assert house.noted("login.failed")[0].detail == {"why": "disabled"}


def test_a_session_that_is_over_is_over(house: House) -> None:
    with house.program() as client:
        with writing(house.api.context.engine) as connection:
            connection.execute(update(AccountSessionRow).values(expires_at_ns=time.time_ns() - NS_PER_S))
        problem(client.get("/me"), 401, "login-required")


def test_the_own_password_is_changed_and_the_browser_stays_in(house: House) -> None:
    browser, csrf = house.browser("vera")
    other, _ = house.browser("vera")
    wrong = {"old_password": OTHER, "new_password": OTHER}
    problem(browser.patch("/me", json=wrong, headers=csrf), 403, "not-allowed")
    short = {"old_password": SECRET, "new_password": "short"}
    assert (
        "at least 12 characters"
        in problem(browser.patch("/me", json=short, headers=csrf), 422, "invalid-request")["detail"]
    )
    right = {"old_password": SECRET, "new_password": OTHER}
    answer = browser.patch("/me", json=right, headers=csrf)
    assert answer.status_code == 200
    assert browser.get("/me").json()["csrf_token"] == answer.json()["csrf_token"] != csrf["X-CSRF-Token"]
    problem(other.get("/me"), 401, "login-required")
    house.token("vera", OTHER)


def test_who_guesses_has_to_wait_longer_and_longer(house: House, long_wait: float) -> None:
    client = house.client()
    for _ in range(FREE_BY_NAME):
        answer = client.post("/auth/token", json={"name": "Vera", "password": OTHER})
        problem(answer, 401, "login-failed")
    before = CHEAP.made
    for name in ("vera", "VERA "):
        answer = client.post("/auth/token", json={"name": name, "password": SECRET})
        problem(answer, 429, "too-many-tries")
        assert 1 <= int(answer.headers["retry-after"]) <= long_wait
    assert CHEAP.made == before
    # Others, from the same place, are let in.
    house.token("admin")
    assert len(house.noted("login.failed")) == FREE_BY_NAME


@pytest.mark.usefixtures("long_wait")
def test_who_guesses_the_old_password_is_noted_and_has_to_wait(house: House) -> None:
    browser, csrf = house.browser("vera")
    guess = {"old_password": OTHER, "new_password": "a third horse 49"}
    for _ in range(FREE_BY_NAME):
        problem(browser.patch("/me", json=guess, headers=csrf), 403, "not-allowed")
    problem(browser.patch("/me", json=guess, headers=csrf), 429, "too-many-tries")
    assert len(house.noted("account.password_refused")) == FREE_BY_NAME


@pytest.mark.parametrize("redis_away", [False, True])
def test_the_wait_doubles_up_to_a_minute_and_success_forgets_it(redis: str, redis_away: bool, long_wait: float) -> None:
    bus = Bus("unix:///nowhere/redis.sock" if redis_away else redis)
    tries = Tries(bus)
    for _ in range(FREE_BY_NAME):
        assert tries.begin("a", None) == 0
    assert 0 < tries.begin("A", None) <= long_wait
    assert tries.begin("b", None) == 0
    tries.succeeded("a", None)
    assert tries.begin("a", None) == 0
    for _ in range(20):
        assert tries.begin(None, "2001:db8::1") == 0
    # A customer has more than one address.
    assert 0 < tries.begin(None, "2001:db8::2") <= long_wait
    assert tries.begin(None, "2001:db8:0:1::1") == 0
    bus.close()


def test_unknown_names_take_as_long_as_known_ones(house: House) -> None:
    before = CHEAP.made
    client = house.client()
    answers = []
    for name in ("vera", "nobody", "<script>", "x" * 200):
        answers.append(client.post("/auth/token", json={"name": name, "password": OTHER}))
        problem(answers[-1], 401, "login-failed")
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert CHEAP.made - before in {4, 5}
    # Only of accounts that there are it is written down: what is typed as a name may be a password.
    assert len(house.noted("login.failed")) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "admin"},
        {"name": 1, "password": SECRET},
        {"name": "admin", "password": "x" * 1001},
        {"name": "admin", "password": SECRET, "role": "admin"},
    ],
)
def test_what_is_no_login_is_refused_without_repeating_it(house: House, body: dict[str, Any]) -> None:
    answer = house.client().post("/auth/token", json=body)
    problem(answer, 422, "invalid-request")
    assert SECRET not in answer.text


def test_a_key_is_shown_once_and_opens_what_it_says(house: House) -> None:
    with house.program() as admin:
        building = admin.post("/buildings", json=NORTH).json()["id"]
        made = admin.post("/api-keys", json={"name": "grafana", "role": "viewer", "buildings": [building]})
        assert made.status_code == 201
        key = made.json()["key"]
        assert key.startswith("mwk_")
        listed = admin.get("/api-keys")
        assert key not in listed.text
        assert listed.json()["items"][0] == admin.get(f"/api-keys/{made.json()['id']}").json()
        program = house.client(Authorization=f"Bearer {key}")
        me = program.get("/me").json()
        assert (me["kind"], me["role"], me["buildings"]) == ("key", "viewer", [building])
        problem(program.post("/buildings", json=NORTH), 403, "not-allowed")
        problem(program.get("/api-keys"), 403, "not-allowed")
        assert admin.delete(f"/api-keys/{made.json()['id']}").status_code == 204
        answer = program.get("/me")
        problem(answer, 401, "login-required")
        assert key not in answer.text


def test_users_are_managed_with_versions(house: House) -> None:
    with house.program() as admin:
        made = admin.post("/users", json={"name": "kim", "role": "operator", "buildings": None})
        assert (made.status_code, made.headers["etag"]) == (201, '"1"')
        user = made.json()
        assert not user["has_password"]
        path = f"/users/{user['id']}"
        assert admin.get(path).json() == user
        changed = admin.patch(path, json={"role": "reviewer"}, headers={"If-Match": '"1"'})
        assert changed.json()["role"] == "reviewer"
        problem(admin.patch(path, json={"role": "admin"}, headers={"If-Match": '"1"'}), 412, "version-mismatch")
        link = admin.post(f"{path}/link").json()["link"]
        assert link.startswith(f"{house.address}/#/link/")
        secret = link.rpartition("/")[2]
        body = {"token": secret, "password": OTHER}
        assert house.client().post("/auth/link", json=body).json()["access_token"]
        problem(house.client().post("/auth/link", json=body), 401, "login-failed")
        assert admin.get(path).json()["has_password"]
        assert admin.delete(path).status_code == 204
        problem(admin.get(path), 404, "not-found")
        me = admin.get("/me").json()["id"]
        problem(admin.delete(f"/users/{me}"), 403, "not-allowed")
        problem(admin.patch(f"/users/{me}", json={"buildings": []}), 403, "not-allowed")
        assert len(admin.get("/users", params={"limit": 1}).json()["items"]) == 1
        # Who forgets to say which buildings lets nobody in everywhere.
        for path in ("/users", "/api-keys"):
            refused = problem(admin.post(path, json={"name": "lou", "role": "viewer"}), 422, "invalid-request")
            assert refused["errors"][0]["location"] == "body.buildings"
    with house.program("vera") as viewer:
        for path in ("/users", "/api-keys", "/audit"):
            problem(viewer.get(path), 403, "not-allowed")


def test_the_audit_log_is_read_and_exported(house: House) -> None:
    with house.program() as admin:
        name = "=1+1"
        admin.post("/api-keys", json={"name": name, "role": "viewer", "buildings": None})
        first = admin.get("/audit", params={"limit": 1}).json()
        assert first["items"][0]["action"] == "key.added"
        assert first["items"][0]["caller_name"] == "admin"
        second = admin.get("/audit", params={"limit": 1, "cursor": first["next_cursor"]}).json()
        assert second["items"][0]["action"] == "login"
        rows = admin.get("/audit", params={"format": "csv"})
        assert rows.headers["content-type"].startswith("text/csv")
        lines = rows.text.splitlines()
        assert lines[0].startswith("id,at,caller_id,caller_name")
        assert "audit.exported" in lines[1]
        objects = [json.loads(line) for line in admin.get("/audit", params={"format": "jsonl"}).text.splitlines()]
        assert [one["action"] for one in objects[:2]] == ["audit.exported", "audit.exported"]
        assert len(admin.get("/audit", params={"action": "audit"}).json()["items"]) == 2
        for wrong in ({"cursor": "x"}, {"format": "xml"}, {"from": "never"}, {"who": "me"}):
            problem(admin.get("/audit", params=wrong), 422, "invalid-request")


def local(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.get("/api/v1/me", headers=headers)


def test_at_the_machine_itself_no_login_is_needed(still: Api) -> None:
    me = local(still.client).json()
    assert (me["id"], me["kind"], me["role"], me["login_required"]) == ("local", "local", "admin", False)
    assert local(still.client, Host="localhost").status_code == 200


def test_who_comes_through_a_proxy_is_not_at_the_machine(still: Api) -> None:
    for header in (
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Anything",
        "Forwarded",
        "Via",
        "X-Real-IP",
        "CF-Connecting-IP",
    ):
        problem(local(still.client, **{header: "127.0.0.1"}), 401, "login-required")


def test_who_comes_through_a_proxy_that_names_nobody_is_not_at_the_machine(still: Api) -> None:
    """nginx as it comes: HTTP/1.0, its own name for us as the host, and not a word of who asks."""
    url = still.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(b"GET /api/v1/me HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ", 2)[1] == b"401", answer


def test_whatever_is_shown_counts_also_at_the_machine(still: Api) -> None:
    for headers in (
        {"Authorization": "Bearer mwk_k0_x"},
        {"Authorization": "Bearer x"},
        {"Authorization": ""},
        {"Cookie": "mw_access=x"},
        {"Cookie": "mw_access="},
        {"Cookie": "mw_access=a; mw_access=b"},
    ):
        problem(local(still.client, **headers), 401, "login-required")
    assert local(still.client, Cookie="other=x").status_code == 200


def test_with_an_address_set_a_proxy_may_pass_on_others_and_everybody_logs_in(api: Api) -> None:
    login = LoginSetup(public_url="https://watch.example:8443", passwords=CHEAP)
    Accounts(api.context.engine, CHEAP).add("admin", Role.ADMIN, None, SECRET)
    body = {"name": "admin", "password": SECRET, "cookie": True}
    with another(api, login) as address, httpx.Client(base_url=address, verify=NO_TLS) as client:
        problem(local(client), 401, "login-required")
        problem(local(client, Host="evil.example"), 421, "host-not-allowed")
        own = {"Host": "watch.example:8443", "Origin": "https://watch.example:8443"}
        answer = client.post("/api/v1/auth/token", json=body, headers=own)
        assert answer.status_code == 200
        assert all(one.endswith("; Secure") for one in answer.headers.get_list("set-cookie"))
        passed_on = {"Origin": "https://watch.example:8443"}
        assert client.post("/api/v1/auth/token", json=body, headers=passed_on).status_code == 200
        foreign = {"Origin": "https://watch.example"}
        problem(client.post("/api/v1/auth/token", json=body, headers=foreign), 403, "cross-site")


def test_cookies_are_for_https_alone_where_it_is_spoken(house: House) -> None:
    body = {"name": "admin", "password": SECRET, "cookie": True}
    answer = house.client().post("/auth/token", json=body, headers={"X-Forwarded-Proto": "https"})
    assert all(one.endswith("; Secure") for one in answer.headers.get_list("set-cookie"))


def test_from_another_machine_a_login_is_required(api: Api) -> None:
    address, pulse = other_address(), Pulse()
    api.get("/health/live")
    listening = listen(address, 0)
    threading.Thread(target=serve_api, args=(api.context, listening, pulse), daemon=True).start()
    with httpx.Client(verify=NO_TLS, timeout=30, base_url=f"http://{address}:{listening.getsockname()[1]}") as client:
        for host in (address, "watch.example", "localhost"):
            problem(local(client, Host=host), 401, "login-required")
        problem(local(client, Host="a b"), 421, "host-not-allowed")
    pulse.stop()


def other_address() -> str:
    """An address of this machine that is not the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback")
        return str(asking.getsockname()[0])


def test_what_a_client_says_of_itself_gets_into_no_header_or_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    client = house.client(**{"User-Agent": "a\tb" + "x" * 5000})
    answer = client.post("/auth/token", json={"name": "admin\r\nSet-Cookie: a=b", "password": SECRET})
    problem(answer, 401, "login-failed")
    assert "set-cookie" not in answer.headers
    assert client.post("/auth/token", json={"name": "admin", "password": SECRET}).status_code == 200
    assert SECRET not in caplog.text


def test_without_a_key_nobody_logs_in_and_it_is_said_why(house: House, tmp_path: Path) -> None:
    house.api.context.sites.add_credential("guards", "admin", "geheim")
    (tmp_path / "secret.key").unlink()
    client = house.client()
    answer = client.post("/auth/token", json={"name": "admin", "password": SECRET})
    assert "MASKWATCH_SECRET_KEY" in problem(answer, 503, "setup-incomplete")["detail"]
    problem(client.get("/me", headers={"Authorization": "Bearer a.b.c"}), 401, "login-required")
    assert not (tmp_path / "secret.key").exists()
