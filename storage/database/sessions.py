"""Logins: begun with a password or a link, asked for with every request, and ended at once by whoever may.

A session lives for 12 h after it was last used, and for 7 days at most.
"""

import secrets
import time
from contextlib import suppress
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, or_, select, update

from storage.database.account_rows import Account, account_record, digest, end_sessions, held_account
from storage.database.audit import note
from storage.database.engine import reading, writing
from storage.database.models import AccountLinkRow, AccountRow, AccountSessionRow
from storage.database.people_access import concerned
from storage.errors import StorageError
from storage.identity import Caller
from storage.messages import NS_PER_S
from storage.names import normal_name
from storage.passwords import Passwords, check_new_password

IDLE_S: Final = 12 * 3600
LONGEST_S: Final = 7 * 24 * 3600

NOTED_S: Final = 300
"""That a session is used is written down no more often."""

MOST_SESSIONS: Final = 50
"""Of an account; the one used longest ago ends for the next."""

MOST_SWEPT: Final = 1000
"""Sessions of others that have ended: so many are removed with a login."""


class Session(msgspec.Struct, frozen=True):
    """A login.

    Attributes:
        id: unique and not to be guessed.
        account: whose, as it is now.
        expires_at_ns: Unix time; later when it is used.
    """

    id: str
    account: Account
    expires_at_ns: int

    def __repr__(self) -> str:
        return f"Session(account={self.account.name!r}, expires_at_ns={self.expires_at_ns})"

    def caller(self, address: str | None) -> Caller:
        """Who calls within it.

        Args:
            address: where from.
        """
        one = self.account
        buildings = None if one.buildings is None else frozenset(one.buildings)
        return Caller(one.id, one.name, "account", one.role, buildings, address)


class Peer(msgspec.Struct, frozen=True):
    """Where somebody logs in from.

    Attributes:
        address: IP address.
        agent: what their program says it is.
    """

    address: str | None = None
    agent: str | None = None


class Sessions:
    """All logins, whoever asks. Every method raises StorageError when the database can't be reached or written."""

    def __init__(self, engine: Engine, passwords: Passwords) -> None:
        """Begin.

        Args:
            engine: of a migrated database.
            passwords: checks hashes.
        """
        self._engine = engine
        self._passwords = passwords

    def by_password(self, name: str, password: str, peer: Peer) -> Session | None:
        """Log in; None where name or password is wrong, or the account disabled: it takes the same time.

        Raises:
            BusyError: too many log in at this moment.
        """
        given = normal_name(name)
        with reading(self._engine) as connection:
            same = or_(AccountRow.name == given, func.lower(AccountRow.name) == given.lower())
            row = connection.execute(select(AccountRow).where(same)).first()
        fits = self._passwords.fits(password, None if row is None else row.password)
        # Also for nobody, so that it takes the same time.
        with writing(self._engine) as connection:
            # What has been changed while the hash was computed counts, and a change that comes now ends this login, too.
            account_id = "" if row is None else row.id
            now = connection.execute(held_account(account_id)).one_or_none()
            if now is None or row is None:
                return None
            account = account_record(now)
            if not fits or not account.enabled or now.password != row.password:
                why = "disabled" if fits and not account.enabled else "password"
                _note(connection, "login.failed", account, peer, why=why)
                return None
            return _begin(connection, account, peer, how="password")

    def by_link(self, secret: str, password: str, peer: Peer) -> Session | None:
        """Log in by a one-time link, and choose a password; all other sessions end. None where it leads in no more.

        Raises:
            InvalidError: the password can't be accepted; the link stays.
            BusyError: too many log in at this moment.
        """
        check_new_password(password)
        now_ns = time.time_ns()
        valid = (AccountLinkRow.digest == digest(secret)) & (AccountLinkRow.expires_at_ns > now_ns)
        with reading(self._engine) as connection:
            account_id = connection.execute(select(AccountLinkRow.account_id).where(valid)).scalar()
        if account_id is None:
            return None
        hashed = self._passwords.hashed(password)
        with writing(self._engine) as connection:
            row = connection.execute(held_account(account_id)).one_or_none()
            used = connection.execute(delete(AccountLinkRow).where(valid).returning(AccountLinkRow.digest)).first()
            if row is None or used is None or not row.enabled:
                return None
            account = account_record(row)
            end_sessions(connection, account_id)
            mine = AccountRow.id == account_id
            connection.execute(update(AccountRow).where(mine).values(password=hashed, version=AccountRow.version + 1))
            return _begin(connection, account, peer, how="link")

    def find(self, session_id: str) -> Session | None:
        """A session that has not ended; one read by primary keys."""
        now_ns = time.time_ns()
        own = (AccountSessionRow.expires_at_ns, AccountSessionRow.used_at_ns, AccountSessionRow.created_at_ns)
        columns = [column.label(f"session_{column.key}") for column in own]
        query = (
            select(AccountRow, *columns)
            .join(AccountSessionRow, AccountSessionRow.account_id == AccountRow.id)
            .where(AccountSessionRow.id == session_id)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None or not row.enabled or row.session_expires_at_ns <= now_ns:
            return None
        expires_at_ns = row.session_expires_at_ns
        if now_ns - row.session_used_at_ns > NOTED_S * NS_PER_S:
            expires_at_ns = min(now_ns + IDLE_S * NS_PER_S, row.session_created_at_ns + LONGEST_S * NS_PER_S)
            # A database that can only be read at the moment keeps nobody out.
            with suppress(StorageError), writing(self._engine) as connection:
                connection.execute(
                    update(AccountSessionRow)
                    .where(AccountSessionRow.id == session_id)
                    .values(used_at_ns=now_ns, expires_at_ns=expires_at_ns)
                )
        return Session(session_id, account_record(row), expires_at_ns)

    def end(self, session: Session, peer: Peer) -> None:
        """Log out."""
        with writing(self._engine) as connection:
            connection.execute(delete(AccountSessionRow).where(AccountSessionRow.id == session.id))
            _note(connection, "logout", session.account, peer)


def _begin(connection: Connection, account: Account, peer: Peer, *, how: str) -> Session:
    now_ns = time.time_ns()
    mine = AccountSessionRow.account_id == account.id
    newest = (
        select(AccountSessionRow.id).where(mine).order_by(AccountSessionRow.used_at_ns.desc()).limit(MOST_SESSIONS - 1)
    )
    kept = list(connection.execute(newest).scalars())
    ended = AccountSessionRow.expires_at_ns <= now_ns
    connection.execute(delete(AccountSessionRow).where(mine, ended | AccountSessionRow.id.not_in(kept)))
    # Those of others that nobody is at, in one order: two that log in never wait for each other.
    others = select(AccountSessionRow.id).where(ended).order_by(AccountSessionRow.id).limit(MOST_SWEPT)
    swept = list(connection.execute(others.with_for_update(skip_locked=True)).scalars())
    connection.execute(delete(AccountSessionRow).where(AccountSessionRow.id.in_(swept)))
    session = Session(secrets.token_hex(16), account, now_ns + IDLE_S * NS_PER_S)
    agent = "".join(letter for letter in peer.agent or "" if letter.isprintable())[:200]
    connection.execute(
        insert(AccountSessionRow).values(
            id=session.id,
            account_id=account.id,
            created_at_ns=now_ns,
            expires_at_ns=session.expires_at_ns,
            used_at_ns=now_ns,
            address=peer.address,
            agent=agent or None,
        )
    )
    connection.execute(update(AccountRow).where(AccountRow.id == account.id).values(seen_at_ns=now_ns))
    _note(connection, "login", account, peer, how=how)
    return session


def _note(connection: Connection, action: str, account: Account, peer: Peer, **detail: str) -> None:
    caller = Session("", account, 0).caller(peer.address)
    note(connection, caller, action, ("account", account.id), concerned(account.buildings), **detail)
