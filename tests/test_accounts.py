"""Accounts, logins, keys and the audit log in the database: who may give whom what, and what ends when."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from storage.database.account_rows import AccountChanges, account_record
from storage.database.accounts import Accounts
from storage.database.api_keys import ApiKeys, NewKey
from storage.database.audit import AuditLog, AuditWanted, note
from storage.database.changes import ChangedError
from storage.database.engine import reading, writing
from storage.database.models import AccountLinkRow, AccountRow, AccountSessionRow, ApiKeyRow, AuditRow
from storage.database.sessions import IDLE_S, LONGEST_S, Peer, Session, Sessions, _begin
from storage.database.sites import Sites
from storage.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError
from storage.identity import Caller, Role
from storage.messages import NS_PER_S
from storage.passwords import BusyError, Passwords
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

SECRET = "correct horse 47"  # noqa: S105
OTHER = "another horse 48"
CHEAP = Passwords(memory_kib=8, rounds=1)
HERE = Caller("local", "dana", "local", Role.ADMIN)


@pytest.fixture
def people(database: Engine) -> Accounts:
    """Accounts of a system with two buildings, as a person at the machine has them."""
    sites = Sites(database, Path("/nowhere"))
    sites.add_building("North", "UTC", building_id="north")
    sites.add_building("South", "UTC", building_id="south")
    return Accounts(database, CHEAP).for_(HERE)


def noted(database: Engine) -> list[tuple[str, str, str]]:
    with reading(database) as connection:
        rows = connection.execute(select(AuditRow).order_by(AuditRow.id))
        return [(row.caller_name, row.action, row.object_type) for row in rows]


def caller_of(accounts: Accounts, name: str) -> Caller:
    one = accounts.named(name)
    buildings = None if one.buildings is None else frozenset(one.buildings)
    return Caller(one.id, one.name, "account", one.role, buildings)


def test_an_account_is_added_changed_and_removed(database: Engine, people: Accounts) -> None:
    made = people.add(" Dana ", Role.VIEWER, ("south", "north", "north"), SECRET)
    assert (made.name, made.role, made.buildings, made.version) == ("Dana", Role.VIEWER, ("north", "south"), 1)
    assert made.has_password
    assert made.enabled
    assert people.account(made.id) == people.named("dana") == people.named(made.id) == made
    new = people.change(made.id, AccountChanges(role=Role.OPERATOR, buildings=None), 1)
    assert (new.role, new.buildings, new.version) == (Role.OPERATOR, None, 2)
    assert people.change(made.id, AccountChanges(role=Role.OPERATOR)) == new
    with pytest.raises(ChangedError):
        people.change(made.id, AccountChanges(enabled=False), 1)
    people.remove(made.id)
    with pytest.raises(NotFoundError):
        people.account(made.id)
    assert [what for _, what, _ in noted(database)] == ["account.added", "account.changed", "account.removed"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\x00b"])
def test_a_name_is_printable(people: Accounts, name: str) -> None:
    with pytest.raises(InvalidError, match="printable"):
        people.add(name, Role.VIEWER)


def test_a_name_is_one_account_s(people: Accounts) -> None:
    people.add("Dana", Role.VIEWER)
    # How the other one is written is not said: they may be no one that the caller may see.
    with pytest.raises(ConflictError, match="the name 'DANA' is taken"):
        people.add("DANA", Role.VIEWER)
    other = people.add("Kim", Role.VIEWER)
    with pytest.raises(ConflictError):
        people.change(other.id, AccountChanges(name="dana"))


@pytest.mark.parametrize("password", ["short", "eleven char", "a" * 40, "x" * 1001, "with a tab\there"])
def test_a_password_that_is_easily_guessed_is_refused_in_a_sentence(people: Accounts, password: str) -> None:
    with pytest.raises(InvalidError, match=r"password.*: choose another") as error:
        people.add("Dana", Role.VIEWER, None, password)
    assert password not in str(error.value)


def test_of_a_password_only_a_slow_hash_is_kept(database: Engine, people: Accounts) -> None:
    people.add("Dana", Role.VIEWER, None, SECRET)
    with reading(database) as connection:
        [hashed] = connection.execute(select(AccountRow.password)).scalars()
    assert hashed is not None
    assert hashed.startswith("$argon2id$")
    assert SECRET not in hashed
    assert SECRET not in repr(AccountChanges(password=SECRET))
    # What the product itself takes, whatever tests take.
    assert Passwords().hashed(SECRET).startswith("$argon2id$v=19$m=65536,t=3,p=1$")


def test_no_more_than_two_hashes_are_made_at_once_and_few_wait() -> None:
    passwords = Passwords(memory_kib=8, rounds=1)
    for _ in range(10):
        assert passwords._room.acquire(blocking=False)
    with pytest.raises(BusyError, match="try again"):
        passwords.fits(SECRET, None)


def test_the_last_administrator_of_everything_stays(people: Accounts) -> None:
    first = people.first()
    assert first is not None
    assert people.first() is None
    for changes in (
        AccountChanges(role=Role.OPERATOR),
        AccountChanges(enabled=False),
        AccountChanges(buildings=("north",)),
    ):
        with pytest.raises(ConflictError, match="last administrator"):
            people.change(first.id, changes)
    with pytest.raises(ConflictError, match="last administrator"):
        people.remove(first.id)
    assert people.account(first.id) == first
    people.add("Second", Role.ADMIN)
    people.change(first.id, AccountChanges(enabled=False))
    with pytest.raises(ConflictError):
        people.remove(people.named("Second").id)


def test_an_administrator_of_a_building_manages_who_is_in_it_alone(people: Accounts) -> None:
    people.first()
    people.add("Nora", Role.ADMIN, ("north",))
    guard = people.add("Guard", Role.VIEWER, ("north",))
    both = people.add("Both", Role.VIEWER, ("north", "south"))
    nora = people.for_(caller_of(people, "Nora"))
    assert [one.name for one in nora.accounts()] == ["Nora", "Guard"]
    nora.change(guard.id, AccountChanges(role=Role.REVIEWER))
    for account_id in (both.id, people.named("admin").id, "u0"):
        for do in (nora.account, nora.remove, nora.link):
            with pytest.raises(NotFoundError):
                do(account_id)
        with pytest.raises(NotFoundError):
            nora.change(account_id, AccountChanges(enabled=False))
    with pytest.raises(NotFoundError, match="no building 'south'"):
        nora.add("New", Role.VIEWER, ("north", "south"))
    with pytest.raises(NotFoundError, match="no building 'south'"):
        nora.change(guard.id, AccountChanges(buildings=("south",)))
    with pytest.raises(NotAllowedError):
        nora.add("New", Role.VIEWER)
    with pytest.raises(NotAllowedError):
        nora.change(guard.id, AccountChanges(buildings=None))
    with pytest.raises(InvalidError):
        nora.add("New", Role.VIEWER, ())


def test_nobody_raises_themself(people: Accounts) -> None:
    people.first()
    people.add("Nora", Role.ADMIN, ("north",))
    nora = people.for_(caller_of(people, "Nora"))
    mine = people.named("Nora").id
    for changes in (
        AccountChanges(buildings=None),
        AccountChanges(enabled=False),
        AccountChanges(role=Role.VIEWER),
        AccountChanges(password=SECRET),
    ):
        with pytest.raises(NotAllowedError):
            nora.change(mine, changes)
    with pytest.raises(NotAllowedError):
        nora.remove(mine)
    with pytest.raises(NotAllowedError, match="giving the old one"):
        nora.link(mine)
    assert nora.change(mine, AccountChanges(name="Nora B")).name == "Nora B"
    operator = people.for_(Caller("u9", "op", "account", Role.OPERATOR))
    with pytest.raises(NotAllowedError, match="can't give admin"):
        operator.add("New", Role.ADMIN)
    with pytest.raises(NotAllowedError, match="can't give admin"):
        ApiKeys(people._engine).for_(operator._caller).add(NewKey("k", Role.ADMIN))


def test_a_login_begins_with_the_right_password_alone(database: Engine, people: Accounts) -> None:
    people.add("Dana", Role.VIEWER, ("north",), SECRET)
    sessions = Sessions(database, CHEAP)
    peer = Peer("192.0.2.7", "a browser\n")
    begun = sessions.by_password("dana", SECRET, peer)
    assert begun is not None
    found = sessions.find(begun.id)
    assert found is not None
    assert found.caller("192.0.2.7").buildings == frozenset({"north"})
    assert begun.id not in repr(begun)
    before = CHEAP.made
    assert sessions.by_password("dana", OTHER, peer) is None
    known = CHEAP.made - before
    assert sessions.by_password("nobody", SECRET, peer) is None
    # Whether there is such an account is not told by the time either.
    assert CHEAP.made - before == 2 * known == 2
    assert [what for _, what, _ in noted(database)][1:] == ["login", "login.failed"]
    sessions.end(begun, peer)
    assert sessions.find(begun.id) is None


@pytest.mark.parametrize(
    "changes",
    [
        AccountChanges(enabled=False),
        AccountChanges(role=Role.OPERATOR),
        AccountChanges(buildings=("south",)),
        AccountChanges(password=OTHER),
    ],
)
def test_a_change_of_rights_ends_all_logins_at_once(
    database: Engine, people: Accounts, changes: AccountChanges
) -> None:
    made = people.add("Dana", Role.VIEWER, None, SECRET)
    sessions = Sessions(database, CHEAP)
    begun = [sessions.by_password("Dana", SECRET, Peer()) for _ in range(2)]
    people.change(made.id, AccountChanges(name="Dana B"))
    assert all(one is not None and sessions.find(one.id) for one in begun)
    people.change(made.id, changes)
    assert not any(one is None or sessions.find(one.id) for one in begun)
    if changes.enabled is False:
        assert sessions.by_password("Dana B", SECRET, Peer()) is None


def test_removing_an_account_ends_its_logins(database: Engine, people: Accounts) -> None:
    made = people.add("Dana", Role.VIEWER, None, SECRET)
    sessions = Sessions(database, CHEAP)
    begun = sessions.by_password("Dana", SECRET, Peer())
    assert begun is not None
    people.remove(made.id)
    assert sessions.find(begun.id) is None


def test_the_own_password_is_changed_by_giving_the_old_one(database: Engine, people: Accounts) -> None:
    people.add("Dana", Role.VIEWER, None, SECRET)
    own = people.for_(caller_of(people, "Dana"))
    sessions = Sessions(database, CHEAP)
    begun = sessions.by_password("Dana", SECRET, Peer())
    assert begun is not None
    with pytest.raises(NotAllowedError, match="old password is wrong"):
        own.change_own_password(OTHER, OTHER)
    assert noted(database)[-1] == ("Dana", "account.password_refused", "account")
    with pytest.raises(InvalidError):
        own.change_own_password(SECRET, "short")
    own.change_own_password(SECRET, OTHER)
    assert sessions.find(begun.id) is None
    assert sessions.by_password("Dana", SECRET, Peer()) is None
    assert sessions.by_password("Dana", OTHER, Peer()) is not None
    with pytest.raises(NotAllowedError):
        people.change_own_password(OTHER, SECRET)


def test_a_login_that_begins_while_the_password_changes_ends_with_the_others(
    database: Engine, people: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.add("Dana", Role.VIEWER, None, SECRET)
    link = people.link(people.named("Dana").id)
    sessions, begun, changed = Sessions(database, CHEAP), threading.Event(), threading.Event()
    found: dict[str, Session | None] = {"old": sessions.by_password("Dana", SECRET, Peer())}

    def begin(*given: Any, **more: Any) -> Session:
        begun.set()
        # The password was right a moment ago. It is changed now, unless that has to wait until this login is there.
        changed.wait(0.5)
        return _begin(*given, **more)

    def log_in() -> None:
        found["late"] = sessions.by_password("Dana", SECRET, Peer())

    def change() -> None:
        found["new"] = Sessions(database, CHEAP).by_link(link.secret, OTHER, Peer())
        changed.set()

    threads = [threading.Thread(target=log_in), threading.Thread(target=change)]
    with monkeypatch.context() as patched:
        patched.setattr("storage.database.sessions._begin", begin)
        threads[0].start()
        assert begun.wait(5)
    threads[1].start()
    for thread in threads:
        thread.join()
    valid = {name: one is not None and sessions.find(one.id) is not None for name, one in found.items()}
    assert valid == {"old": False, "late": False, "new": True}


def test_a_login_lives_12_h_after_it_was_used_and_7_days_at_most(database: Engine, people: Accounts) -> None:
    people.add("Dana", Role.VIEWER, None, SECRET)
    sessions = Sessions(database, CHEAP)
    begun = sessions.by_password("Dana", SECRET, Peer())
    assert begun is not None

    def moved(**values: int) -> None:
        with writing(database) as connection:
            connection.execute(update(AccountSessionRow).values(**values))

    now_ns = time.time_ns()
    assert abs(begun.expires_at_ns - now_ns - IDLE_S * NS_PER_S) < 10 * NS_PER_S
    moved(expires_at_ns=now_ns + NS_PER_S * 60, used_at_ns=now_ns - NS_PER_S * 3600)
    again = sessions.find(begun.id)
    assert again is not None
    assert again.expires_at_ns > now_ns + (IDLE_S - 60) * NS_PER_S
    created_ns = now_ns - (LONGEST_S - 3600) * NS_PER_S
    moved(created_at_ns=created_ns, used_at_ns=now_ns - NS_PER_S * 3600)
    last = sessions.find(begun.id)
    assert last is not None
    assert last.expires_at_ns == created_ns + LONGEST_S * NS_PER_S
    moved(expires_at_ns=now_ns - 1)
    assert sessions.find(begun.id) is None


def test_a_login_sweeps_sessions_that_have_ended_and_waits_for_nobody(database: Engine, people: Accounts) -> None:
    sessions = Sessions(database, CHEAP)
    for name in ("Dana", "Kim", "Lou"):
        people.add(name, Role.VIEWER, None, SECRET)
    begun = {name: sessions.by_password(name, SECRET, Peer()) for name in ("Dana", "Kim")}
    with writing(database) as connection:
        connection.execute(update(AccountSessionRow).values(expires_at_ns=1))

    def left() -> set[str]:
        with reading(database) as connection:
            return set(connection.execute(select(AccountSessionRow.account_id)).scalars())

    dana, kim, lou = (people.named(name).id for name in ("Dana", "Kim", "Lou"))
    if database.dialect.name == "postgresql":
        assert begun["Dana"] is not None
        with writing(database) as connection:
            held = select(AccountSessionRow.id).where(AccountSessionRow.id == begun["Dana"].id)
            connection.execute(held.with_for_update())
            assert sessions.by_password("Lou", SECRET, Peer()) is not None
            assert left() == {dana, lou}
    assert sessions.by_password("Kim", SECRET, Peer()) is not None
    assert dana not in left()
    assert kim in left()


def test_a_link_leads_in_once_and_sets_the_password(database: Engine, people: Accounts) -> None:
    made = people.add("Dana", Role.VIEWER)
    sessions = Sessions(database, CHEAP)
    assert sessions.by_password("Dana", SECRET, Peer()) is None
    replaced, link = people.link(made.id), people.link(made.id)
    assert link.secret not in repr(link)
    with reading(database) as connection:
        [kept] = connection.execute(select(AccountLinkRow.digest)).scalars()
    assert kept != link.secret
    assert sessions.by_link(replaced.secret, SECRET, Peer()) is None
    with pytest.raises(InvalidError):
        sessions.by_link(link.secret, "short", Peer())
    begun = sessions.by_link(link.secret, SECRET, Peer())
    assert begun is not None
    assert sessions.find(begun.id) is not None
    assert sessions.by_link(link.secret, OTHER, Peer()) is None
    assert sessions.by_password("Dana", SECRET, Peer()) is not None


def test_a_link_leads_in_for_24_h_and_not_to_who_is_disabled(database: Engine, people: Accounts) -> None:
    made = people.add("Dana", Role.VIEWER)
    sessions = Sessions(database, CHEAP)
    link = people.link(made.id)
    assert abs(link.expires_at_ns - time.time_ns() - 24 * 3600 * NS_PER_S) < 10 * NS_PER_S
    people.change(made.id, AccountChanges(enabled=False))
    assert sessions.by_link(link.secret, SECRET, Peer()) is None
    with pytest.raises(NotAllowedError):
        people.link(made.id)
    people.change(made.id, AccountChanges(enabled=True))
    late = people.link(made.id)
    with writing(database) as connection:
        connection.execute(update(AccountLinkRow).values(expires_at_ns=time.time_ns() - 1))
    assert sessions.by_link(late.secret, SECRET, Peer()) is None


def test_a_key_opens_what_it_says_until_it_is_revoked(database: Engine, people: Accounts) -> None:
    keys = ApiKeys(database).for_(HERE)
    made, secret = keys.add(NewKey("grafana", Role.VIEWER, ("north",)))
    assert secret.startswith(f"mwk_{made.id}_")
    assert made.hint == secret[-4:]
    caller = keys.opened(secret, "192.0.2.7")
    assert caller == Caller(made.id, "grafana", "key", Role.VIEWER, frozenset({"north"}), "192.0.2.7")
    with reading(database) as connection:
        row = connection.execute(select(ApiKeyRow)).one()
    assert secret.split("_", 2)[2] not in str(row)
    for wrong in (secret[:-1], secret + "x", secret.upper(), f"mwk_{made.id}_{'A' * 43}", "mwk_", "", "mwk_k0_ä"):
        assert keys.opened(wrong, None) is None
    used = keys.key(made.id).used_at_ns
    assert used is not None
    keys.opened(secret, None)
    # Written down no more often than once a minute.
    assert keys.key(made.id).used_at_ns == used
    assert keys.revoke(made.id).revoked_at_ns is not None
    assert keys.opened(secret, None) is None
    assert [what for _, what, _ in noted(database)] == ["key.added", "key.revoked"]


def test_a_key_ends(database: Engine, people: Accounts) -> None:
    keys = ApiKeys(database).for_(HERE)
    with pytest.raises(InvalidError):
        keys.add(NewKey("k", Role.VIEWER, None, time.time_ns() - 1))
    _, secret = keys.add(NewKey("k", Role.VIEWER, None, time.time_ns() + 3600 * NS_PER_S))
    assert keys.opened(secret, None) is not None
    with writing(database) as connection:
        connection.execute(update(ApiKeyRow).values(expires_at_ns=time.time_ns() - 1))
    assert keys.opened(secret, None) is None


def test_keys_of_other_buildings_are_not_there(database: Engine, people: Accounts) -> None:
    keys = ApiKeys(database).for_(HERE)
    north, _ = keys.add(NewKey("north", Role.VIEWER, ("north",)))
    every, _ = keys.add(NewKey("all", Role.VIEWER))
    nora = keys.for_(Caller("u1", "Nora", "account", Role.ADMIN, frozenset({"north"})))
    assert [one.name for one in nora.listed()] == ["north"]
    assert nora.key(north.id).name == "north"
    for do in (nora.key, nora.revoke):
        with pytest.raises(NotFoundError):
            do(every.id)
    with pytest.raises(NotAllowedError):
        nora.add(NewKey("k", Role.VIEWER))
    with pytest.raises(NotFoundError):
        nora.add(NewKey("k", Role.VIEWER, ("south",)))


def test_the_audit_log_is_read_by_who_may_with_filters_and_in_pages(database: Engine, people: Accounts) -> None:
    nora = Caller("u1", "Nora", "account", Role.ADMIN, frozenset({"north"}), "192.0.2.7")
    with writing(database) as connection:
        for number in range(5):
            home = "north" if number % 2 else "south"
            note(connection, nora, "camera.changed", ("camera", f"c{number}"), home, number=number)
        note(connection, HERE, "login", ("account", "u1"))
    log = AuditLog(database)
    every, after = log.entries(AuditWanted(), 50)
    assert [one.object_id for one in every] == ["u1", "c4", "c3", "c2", "c1", "c0"]
    assert after is None
    assert every[1].detail == {"number": 4}
    assert every[1].address == "192.0.2.7"
    first, after = log.entries(AuditWanted(), 4)
    second, end = log.entries(AuditWanted(), 4, after)
    assert (first + second, end) == (every, None)
    assert list(log.every(AuditWanted())) == every
    own, _ = log.for_(nora).entries(AuditWanted(), 50)
    assert [one.object_id for one in own] == ["c3", "c1"]
    for wanted, count in (
        (AuditWanted(caller="Nora"), 5),
        (AuditWanted(caller="u1"), 5),
        (AuditWanted(action="camera"), 5),
        (AuditWanted(action="camera.changed"), 5),
        (AuditWanted(action="cam"), 0),
        (AuditWanted(action="%"), 0),
        (AuditWanted(object_type="camera", object_id="c1"), 1),
        (AuditWanted(building="south"), 3),
        (AuditWanted(from_ns=every[0].at_ns), 1),
        (AuditWanted(to_ns=every[0].at_ns), 5),
    ):
        assert len(log.entries(wanted, 50)[0]) == count, wanted
    log.for_(nora).note_export(AuditWanted(building="north"), "csv")
    assert log.entries(AuditWanted(action="audit"), 5)[0][0].detail == {"wanted": {"building": "north"}}
    with pytest.raises(NotFoundError, match="no building 'south'"):
        log.for_(nora).note_export(AuditWanted(building="south"), "csv")
    assert len(log.entries(AuditWanted(action="audit"), 5)[0]) == 1


def test_the_log_is_exported_in_parts(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.audit.PART", 3)
    with writing(database) as connection:
        for number in range(10):
            note(connection, HERE, "camera.changed", ("camera", f"c{number}"))
    found = [one.object_id for one in AuditLog(database).every(AuditWanted())]
    assert found == [f"c{number}" for number in reversed(range(10))]


def test_no_record_of_an_account_has_its_password(database: Engine, people: Accounts) -> None:
    people.add("Dana", Role.VIEWER, None, SECRET)
    with reading(database) as connection:
        record = account_record(connection.execute(select(AccountRow)).one())
    assert "argon2" not in repr(record)
