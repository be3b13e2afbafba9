"""The aggregator's side of the database: facts, its own state and its position in one transaction.

A partition has one owner at a time, by lease. Who takes it over gets a larger fencing token, and whoever commits shows
the token inside the transaction: an owner that was only slow, and does not know that it has been replaced, changes
nothing any more (Kleppmann, "How to do distributed locking", 2016).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.database.batch import Batch, Key, Written
from storage.database.booking import apply
from storage.database.engine import reading, writing
from storage.database.left_open import LeftOpen, left_open
from storage.database.models import CameraStateRow, CandidateRow, CheckpointRow, JobRow, SnapshotRow
from storage.database.pictures import announce, forget
from storage.database.spot_drawing import drawing, wipe_old
from storage.errors import MaskwatchError
from storage.messages import NS_PER_S, nanoseconds
from storage.snapshots import Picture
from storage.spot_checks import Drawing

__all__ = ["Batch", "LeaseHeldError", "LeaseLostError", "Ledger", "Restored", "Written"]

BEGINNING: Final = "0-0"
"""Before the first entry of a stream."""

LONGEST_LEASE_NS: Final = 60 * NS_PER_S
"""A lease that ends later than this from now was given by a clock that has been set back since."""

MOST_OBSOLETE: Final = 1000


class LeaseHeldError(MaskwatchError):
    """Another aggregator owns the partition and is alive; its lease has to run out first."""


class LeaseLostError(MaskwatchError):
    """Another aggregator has taken the partition over; what was to be committed is left to it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Where the last owner of a partition stopped.

    Attributes:
        token: the fencing token of the new owner.
        position: the last entry taken in; `BEGINNING` when the stream is another one than it was then.
        states: of each camera, as committed.
        candidates: best pictures so far of breaches that are no events yet.
    """

    token: int
    position: str
    states: dict[str, bytes]
    candidates: dict[Key, Picture]


class Ledger:
    """One partition's results in the database. Times are Unix time in nanoseconds.

    >>> ledger = Ledger(engine, partition=0, owner="aggregate-0")  # doctest: +SKIP
    >>> restored = ledger.acquire(bus.identity(), now_ns)  # doctest: +SKIP
    >>> ledger.commit(Batch("1700000000000-0", states={"c1": b"..."}), now_ns)  # doctest: +SKIP

    Every method raises StorageError when the database can't be reached or written (a full disk, a lock held for more
    than 5 s): nothing of the call is applied then. Only a PostgreSQL that is lost in the very moment of a commit leaves
    open whether it was, so after a failed commit begin again with `acquire`, which tells.
    """

    def __init__(
        self,
        engine: Engine,
        partition: int,
        owner: str,
        lease_s: float = 3.0,
        mine: Callable[[str], bool] | None = None,
    ) -> None:
        """Begin without a lease.

        Args:
            engine: of a migrated database.
            partition: whose results.
            owner: name of this worker; two that are alive at once must not share it.
            lease_s: how long after the last commit or renewal another one may take over.
            mine: whether a camera belongs to the partition, for when the number of partitions has changed since; without
                it, the cameras that were in this partition last time.
        """
        self._engine = engine
        self._partition = partition
        self._owner = owner
        self._lease_ns = nanoseconds(lease_s)
        self._mine = mine
        self._token = 0

    def acquire(self, bus: str, now_ns: int) -> Restored:
        """Become the owner: at once when nobody is, the lease has run out, or it was given to the same name.

        Args:
            bus: identity of the Redis that holds the results stream.
            now_ns: the time.

        Raises:
            LeaseHeldError: another owner's lease still runs.
        """
        with writing(self._engine) as connection:
            row = self._locked(connection)
            if row.owner != self._owner and now_ns < row.lease_until_ns <= now_ns + LONGEST_LEASE_NS:
                left_s = (row.lease_until_ns - now_ns) / NS_PER_S
                raise LeaseHeldError(
                    f"partition {self._partition} belongs to {row.owner} for another {left_s:.1f} s: "
                    "wait, or stop that aggregator"
                )
            token = row.token + 1
            position = row.position if row.bus == bus else BEGINNING
            values = {"token": token, "owner": self._owner, "bus": bus, "position": position}
            connection.execute(
                update(CheckpointRow)
                .where(CheckpointRow.partition == self._partition)
                .values(values | {"lease_until_ns": now_ns + self._lease_ns})
            )
            states = self._states(connection)
            restored = Restored(token, position, states, self._candidates(connection, states))
        self._token = token
        return restored

    def renew(self, now_ns: int) -> None:
        """Keep the lease while there is nothing to commit.

        Raises:
            LeaseLostError: another one has it.
        """
        with writing(self._engine) as connection:
            self._fence(connection, {"lease_until_ns": now_ns + self._lease_ns})

    def commit(self, batch: Batch, now_ns: int) -> Written:
        """Take in a batch and keep the lease: all of it, or nothing.

        Returns:
            What came of it.

        Raises:
            LeaseLostError: another owner has the partition.
        """
        with writing(self._engine) as connection:
            # First of all: on PostgreSQL, this row's lock makes a successor wait until the transaction is over.
            self._fence(connection, {"lease_until_ns": now_ns + self._lease_ns, "position": batch.position})
            return apply(connection, batch, self._partition, now_ns)

    def announce(self, names: Mapping[str, str], now_ns: int) -> None:
        """Say which snapshot files are about to be written, by name with their camera; the commit that follows keeps them.

        Without that commit they are among the obsolete ones.
        """
        with writing(self._engine) as connection:
            self._fence(connection, {"lease_until_ns": now_ns + self._lease_ns})
            announce(connection, names, now_ns)

    def left_open(self, camera: str) -> LeftOpen:
        """The passages and events of a camera that are not closed, as last committed."""
        return left_open(self._engine, camera)

    def drawing(self) -> Drawing:
        """How passages are drawn for people to check, as it is now."""
        return drawing(self._engine)

    def wipe_old(self, now_ns: int) -> None:
        """Remove pictures of drawn passages that nobody checked in time."""
        wipe_old(self._engine, now_ns)

    def obsolete(self) -> list[str]:
        """Names of snapshot files of this partition that nothing needs any more, at most `MOST_OBSOLETE`.

        Remove them, then `forget` them. Those of a job are not among them: it may be writing them at this moment.
        """
        of_job = exists().where(JobRow.id == SnapshotRow.camera_id)
        query = select(SnapshotRow.name, SnapshotRow.camera_id).where(SnapshotRow.obsolete, ~of_job)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(SnapshotRow.name).limit(MOST_OBSOLETE)).all()
        # Another partition's may be written at this moment.
        return [row.name for row in rows if self._mine is None or self._mine(row.camera_id)]

    def forget(self, names: Collection[str]) -> None:
        """Their files are gone, so the rows go."""
        if names:
            with writing(self._engine) as connection:
                forget(connection, names)

    def _locked(self, connection: Connection) -> Any:
        """The partition's checkpoint, made if there is none, and locked until the transaction ends."""
        make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        first = {"token": 0, "owner": "", "lease_until_ns": 0, "bus": "", "position": BEGINNING}
        connection.execute(make(CheckpointRow).values(partition=self._partition, **first).on_conflict_do_nothing())
        query = select(CheckpointRow).where(CheckpointRow.partition == self._partition)
        return connection.execute(query.with_for_update()).one()

    def _fence(self, connection: Connection, values: dict[str, Any]) -> None:
        done = connection.execute(
            update(CheckpointRow)
            .where(CheckpointRow.partition == self._partition, CheckpointRow.token == self._token)
            .values(values)
        )
        if done.rowcount != 1:
            raise LeaseLostError(
                f"partition {self._partition} was taken over by another aggregator: {self._owner} stops, nothing is lost"
            )

    def _states(self, connection: Connection) -> dict[str, bytes]:
        query = select(CameraStateRow.camera_id, CameraStateRow.partition, CameraStateRow.state)
        if self._mine is None:
            query = query.where(CameraStateRow.partition == self._partition)
        return {
            row.camera_id: row.state
            for row in connection.execute(query)
            if row.state and (self._mine is None or self._mine(row.camera_id))
        }

    def _candidates(self, connection: Connection, cameras: Collection[str]) -> dict[Key, Picture]:
        # There are only as many as people in breach at this moment.
        rows = connection.execute(select(CandidateRow))
        return {
            (row.camera_id, row.number): Picture(row.jpeg, None if row.box is None else tuple(row.box), row.at_ns)
            for row in rows
            if row.camera_id in cameras
        }
