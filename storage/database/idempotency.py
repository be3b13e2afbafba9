"""What came of requests that name a key, so that the same one again does nothing again, and is answered alike."""

from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, delete, select, update

from storage.database.engine import writing
from storage.database.models import IdempotencyRow
from storage.database.upsert import upsert
from storage.errors import ConflictError, InvalidError
from storage.identity import Caller
from storage.messages import NS_PER_S

KEPT_NS: Final = 24 * 3600 * NS_PER_S
LONGEST_NS: Final = 300 * NS_PER_S
"""No request takes longer: one that is being answered for longer was cut off, by a crash, say."""

MOST_BYTES: Final = 64 * 1024
"""Of a body; longer ones are not kept."""


class Kept(msgspec.Struct, frozen=True):
    """An answer.

    Attributes:
        status: of HTTP, below 500.
        headers: those that belong to what is answered, by lower-case name.
        body: as it was sent; None where it is not kept: it showed a secret, or was too long.
    """

    status: int
    headers: dict[str, str]
    body: bytes | None


class Idempotency:
    """Remembers requests by who sent them and the key that they named; every method may raise StorageError."""

    def __init__(self, engine: Engine, caller: Caller) -> None:
        """Begin.

        Args:
            engine: of a migrated database.
            caller: whose requests: keys of others are others.
        """
        self._engine = engine
        # An account and an API key are two, whatever they are called.
        self._who = f"{caller.kind}:{caller.id}"[:40]

    def begin(self, key: str, digest: str, now_ns: int) -> Kept | None:
        """Before a request is done: whether it was done before.

        Args:
            key: that it names, hashed.
            digest: tells it from others; keyed with the key itself, since bodies have passwords in them.
            now_ns: Unix time.

        Returns:
            What came of it; None: it is new, and to be done now, then `finish` or `forget` are to be called.

        Raises:
            InvalidError: the key was that of another request.
            ConflictError: it is being answered at this moment, or the answer was not kept.
        """
        new = {"caller_id": self._who, "key": key, "digest": digest, "headers": {}, "created_at_ns": now_ns}
        with writing(self._engine) as connection:
            _tidy(connection, now_ns)
            connection.execute(delete(IdempotencyRow).where(self._mine(key), _cut_off(now_ns)))
            made = upsert(connection, IdempotencyRow.__table__).values(new | {"status": None, "body": None})
            # Counts of rows are not said by every driver.
            if connection.execute(made.returning(IdempotencyRow.key)).first() is not None:
                return None
            row = connection.execute(select(IdempotencyRow.__table__).where(self._mine(key))).one_or_none()
        if row is not None and row.digest != digest:
            raise InvalidError(
                "header.idempotency-key: it was that of another request: give every request its own, such as a new UUID"
            )
        if row is None or row.status is None:
            raise ConflictError("the same request is being answered at this moment: ask what came of it in a moment")
        if row.body is None:
            raise ConflictError(
                "this was done already, and its answer is not kept, since it showed a secret or was too long: look at "
                "what there is, and use a new key to do it once more"
            )
        return Kept(row.status, row.headers, row.body)

    def finish(self, key: str, answer: Kept) -> None:
        """Keep what came of a request."""
        body = None if answer.body is None or len(answer.body) > MOST_BYTES else answer.body
        values = {"status": answer.status, "headers": answer.headers, "body": body}
        with writing(self._engine) as connection:
            connection.execute(update(IdempotencyRow).where(self._mine(key)).values(values))

    def forget(self, key: str) -> None:
        """Nothing came of it: it may be sent again."""
        with writing(self._engine) as connection:
            connection.execute(delete(IdempotencyRow).where(self._mine(key), IdempotencyRow.status.is_(None)))

    def _mine(self, key: str) -> ColumnElement[bool]:
        return (IdempotencyRow.caller_id == self._who) & (IdempotencyRow.key == key)


def _tidy(connection: Connection, now_ns: int) -> None:
    connection.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at_ns < now_ns - KEPT_NS))


def _cut_off(now_ns: int) -> ColumnElement[bool]:
    return IdempotencyRow.status.is_(None) & (IdempotencyRow.created_at_ns < now_ns - LONGEST_NS)
