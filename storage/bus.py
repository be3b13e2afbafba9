"""The bus: messages between the rooms, over Redis Streams.

`ingest` sends samples to the stream `frames`, and everything else about its cameras straight to `results:<partition>`,
where the results of its samples arrive too; those of recorded footage go to who sent it (`storage.footage_bus`).
`detect` and `classify` take work from queues (`storage.work`); the aggregator of a partition reads its
results from a position of its own, and trims what it has committed.
Redis holds the way, not the truth: what must survive its loss is in the database.
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from storage.keys import GROUP, Keys, Reader, position
from storage.link import LONGEST_BLOCK_MS, BusError, Command, Link
from storage.messages import Begin, End, Found, Lost, Message, Result, Sample
from storage.pulse import BEAT_LIFE_S, Heartbeat
from storage.status import CameraStatus
from storage.work import CLAIM_IDLE_S, WorkQueue
from storage.work_scripts import COUNT, SHED

if TYPE_CHECKING:
    from storage.footage_bus import FootageBus
    from storage.leftovers import Leftovers
    from storage.releasing import ReleaseRequests
    from storage.remote_frames import RemoteFrames

__all__ = ["Bus", "BusError"]

STATUS_LIFE_S: Final = 10
"""A camera's state that was not renewed for so long is unknown."""

LONGEST_SCAN: Final = 1024
"""Entries looked through for a camera's samples; the frame stores have room for fewer."""

Kept = TypeVar("Kept", Heartbeat, CameraStatus)


class Bus:
    """All that travels, by one Redis; safe for threads.

    Every method raises `BusError` when Redis is away or full, within 5 s, and works again once Redis does.

    >>> bus = Bus("unix:///dev/shm/maskwatch-0/redis.sock")
    >>> bus.partition("entrance")
    0
    """

    def __init__(self, url: str, *, prefix: str = "maskwatch", partitions: int = 1) -> None:
        """Take an address; the connection is made when it is first needed.

        Args:
            url: `redis://`, `rediss://` or `unix://`.
            prefix: of all keys, so that several systems can share a Redis.
            partitions: into which cameras are divided; each has one aggregator.

        Raises:
            BusError: it is no such address.
        """
        self._link = Link(url)
        self._keys = Keys(prefix, partitions)
        self._count = self._link.script(COUNT)
        self._shed = self._link.script(SHED)
        decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Begin | Result | Lost | End)
        self._samples = Reader(self._keys.frames, msgspec.msgpack.Decoder(Sample))
        self._readers = [Reader(self._keys.results(number), decoder) for number in range(partitions)]

    def ping(self) -> None:
        """See that Redis is there.

        Raises:
            BusError: it is not; after 5 s at most.
        """
        self._link.call("PING")

    def identity(self) -> str:
        """A random word that Redis keeps: another one means that it lost all it held."""
        key = self._keys.of("identity")
        kept = self._link.call("GET", key)
        if kept is None:
            # A Redis that is full takes no writing: only the first one to ask writes.
            _, kept = self._link.together([("SET", key, secrets.token_hex(16), "NX"), ("GET", key)])
        return str(kept.decode())

    def partition(self, camera: str) -> int:
        """Where a camera's results go."""
        return self._keys.partition(camera)

    def send_sample(self, sample: Sample) -> None:
        """Send a sample to be looked at."""
        self._link.call(*self._keys.add_sample(sample))

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages to their cameras' partitions, in this order, all or none."""
        commands = [command for message in messages for command in self._keys.add_result(message)]
        if len(commands) == 1:
            self._link.call(*commands[0])
        elif commands:
            self._link.together(commands)

    def shed_oldest(self, camera: str, *, keep: int = 0) -> Sample | None:
        """Take back the oldest sample of a camera that no worker was given yet.

        Looked for and removed at one moment: what is taken back, no worker is ever given.

        Args:
            camera: whose.
            keep: nothing is taken back while no more than so many wait; with that, no need to ask `waiting` first.

        Returns:
            The sample, or None when there is none to take back.
        """
        while (entry := self._shed([self._keys.frames], [GROUP, camera, LONGEST_SCAN, keep])) is not None:
            sample = self._samples.read(entry[0].decode(), entry[1])
            if sample is not None:
                return sample
        return None

    def waiting(self, camera: str) -> int:
        """How many samples of a camera no worker was given yet."""
        return int(self._count([self._keys.frames], [GROUP, camera, LONGEST_SCAN]))

    def results_length(self, partition: int) -> int:
        """How many results have not been trimmed."""
        return int(self._link.call("XLEN", self._keys.results(partition)))

    def lengths(self) -> tuple[dict[str, int], tuple[int, ...]]:
        """How many entries each queue has, by its name, and the results of each partition."""
        queues = {"frames": self._keys.frames, "faces": self._keys.faces}
        results = [self._keys.results(number) for number in range(len(self._readers))]
        found = [int(length) for length in self._link.together([("XLEN", key) for key in (*queues.values(), *results)])]
        return dict(zip(queues, found, strict=False)), tuple(found[len(queues) :])

    def read(self, partition: int, after: str, *, count: int, block_ms: int) -> list[tuple[str, Message]]:
        """Read results after a position; what can't be understood is passed over, with a line in the log.

        Args:
            partition: whose.
            after: id of the last entry taken in, "0-0" for the start.
            count: at most so many.
            block_ms: how long to wait when there is none, at most 2000; 0 not to wait.
        """
        key = self._keys.results(partition)
        while True:
            blocking: Command = ("BLOCK", min(block_ms, LONGEST_BLOCK_MS)) if block_ms > 0 else ()
            reply = self._link.call("XREAD", "COUNT", count, *blocking, "STREAMS", key, after)
            entries = reply[0][1] if reply else []
            reader = self._readers[partition]
            messages = [(name.decode(), reader.read(name.decode(), fields)) for name, fields in entries]
            understood = [(name, message) for name, message in messages if message is not None]
            if understood or not messages:
                return understood
            after = messages[-1][0]

    def trim(self, partition: int, upto: str) -> None:
        """Remove the entries up to and including a position."""
        milliseconds, number = position(upto)
        self._link.call("XTRIM", self._keys.results(partition), "MINID", "=", f"{milliseconds}-{number + 1}")

    def frames_queue(self, consumer: str, *, claim_idle_s: float = CLAIM_IDLE_S) -> WorkQueue[Sample]:
        """The samples to be looked at, for a worker of that name; see `WorkQueue`."""
        return WorkQueue(self._link, self._keys, "frames", consumer, self._samples, claim_idle_s=claim_idle_s)

    def faces_queue(self, consumer: str, *, claim_idle_s: float = CLAIM_IDLE_S) -> WorkQueue[Found]:
        """The faces to be classified, for a worker of that name; see `WorkQueue`."""
        reader = Reader(self._keys.faces, msgspec.msgpack.Decoder(Found))
        return WorkQueue(self._link, self._keys, "faces", consumer, reader, claim_idle_s=claim_idle_s)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Say that a worker is alive; it holds for `BEAT_LIFE_S`."""
        workers, key = self._keys.of("workers"), self._keys.of("beat", heartbeat.worker)
        body = msgspec.msgpack.encode(heartbeat)
        self._link.together([("SADD", workers, heartbeat.worker), ("SET", key, body, "PX", round(BEAT_LIFE_S * 1000))])

    def heartbeats(self) -> dict[str, Heartbeat]:
        """The last word of every worker that is alive, by name."""
        workers = self._keys.of("workers")
        names = sorted(name.decode() for name in self._link.call("SMEMBERS", workers))
        beats = self._kept("beat", names, Heartbeat)
        if gone := [name for name in names if name not in beats]:
            self._link.call("SREM", workers, *gone)
        return beats

    def leave(self, worker: str) -> None:
        """Say that a worker has ended in order: nobody needs to wait for its heartbeat to run out."""
        self._link.together([("DEL", self._keys.of("beat", worker)), ("SREM", self._keys.of("workers"), worker)])

    def stores_seen(self) -> dict[str, str]:
        """The frame store in shared memory that every living worker sees, by its name."""
        return {name: beat.store for name, beat in self.heartbeats().items()}

    def remote_frames(self, size_mib: int) -> "RemoteFrames":
        """The frame store in this Redis."""
        from storage.remote_frames import RemoteFrames

        return RemoteFrames(self._link, self._keys, size_mib)

    def release_requests(self) -> "ReleaseRequests":
        """What others are asked to release."""
        from storage.releasing import ReleaseRequests

        return ReleaseRequests(self._link, self._keys)

    def leftovers(self) -> "Leftovers":
        """What is in the queues."""
        from storage.leftovers import Leftovers

        return Leftovers(self._link, self._keys)

    def footage(self) -> "FootageBus":
        """The results of recorded footage."""
        from storage.footage_bus import FootageBus

        return FootageBus(self._link, self._keys)

    def shed_by_classify(self, cameras: Sequence[str]) -> dict[str, int]:
        """How many samples of those cameras `classify` shed, see `WorkQueue.done`; of others none is known of."""
        counts = self._link.call("MGET", *map(self._keys.shed, cameras)) if cameras else ()
        return {camera: int(count) for camera, count in zip(cameras, counts, strict=True) if count is not None}

    def forget_shed(self, cameras: Sequence[str]) -> None:
        """Count anew what `classify` sheds of those cameras: who watches them begins."""
        if cameras:
            self._link.call("DEL", *map(self._keys.shed, cameras))

    def put_status(self, camera: str, status: CameraStatus) -> None:
        """Say how a camera fares; it holds for `STATUS_LIFE_S`."""
        self._link.call("SET", self._keys.of("status", camera), msgspec.msgpack.encode(status), "EX", STATUS_LIFE_S)

    def statuses(self, cameras: Sequence[str]) -> dict[str, CameraStatus]:
        """How those cameras fare of which that is known."""
        return self._kept("status", cameras, CameraStatus)

    def clear(self) -> None:
        """Remove everything that is under the prefix."""
        cursor = b"0"
        pattern = self._keys.everything()
        while True:
            cursor, keys = self._link.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            if keys:
                self._link.call("DEL", *keys)
            if cursor == b"0":
                return

    def close(self) -> None:
        """Drop the connections; they are made again when needed."""
        self._link.close()

    def _kept(self, kind: str, names: Sequence[str], what: type[Kept]) -> dict[str, Kept]:
        """What is kept under these names and has not expired."""
        kept: dict[str, Kept] = {}
        if not names:
            return kept
        bodies = self._link.call("MGET", *(self._keys.of(kind, name) for name in names))
        for name, body in zip(names, bodies, strict=True):
            # What another version wrote is as good as unknown.
            with suppress(msgspec.MsgspecError):
                if body is not None:
                    kept[name] = msgspec.msgpack.decode(body, type=what)
        return kept
