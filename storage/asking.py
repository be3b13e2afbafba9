"""Asking another room, and waiting for its answer: for what must be known now, and is nobody's state.

A question is a key that ends by itself and its name in a list; an answer is a list of one that ends by itself. So
neither a question whose asker has given up nor an answer that comes late stays for long, and nobody waits for ever. Who
answers a kind of question says so; where nobody does, the asker hears of it at once.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from storage.bus import Bus
from storage.errors import MaskwatchError
from storage.link import LONGEST_BLOCK_MS

MOST_WAITING: Final = 100
"""So many questions of a kind may wait; beyond, the next one is refused."""

PRESENT_S: Final = 10.0
"""Whoever answers says so again before that long."""

LATE_S: Final = 5.0
"""An answer waits so long for an asker that reads it late."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a question or an answer."""

EXPLAIN: Final = "explain"
ANALYZE: Final = "analyze"
"""Kinds of question about pictures; see `storage.looking`."""


class Terms(NamedTuple):
    """What holds for a kind of question.

    Attributes:
        role: of the processes that answer it.
        most_bytes: of a question or an answer.
        most_waiting: questions; see `MOST_WAITING`.
    """

    role: str = "ingest"
    most_bytes: int = MOST_BYTES
    most_waiting: int = MOST_WAITING


_TERMS: Final[Mapping[str, Terms]] = {
    EXPLAIN: Terms("classify", most_waiting=8),
    # As many as take no more of Redis than a few seconds of pictures from cameras.
    ANALYZE: Terms("classify", most_bytes=24 * 1024 * 1024, most_waiting=4),
}
_ORDINARY: Final = Terms()

# All at one moment: a list that was looked at may be full when it is written.
_ASK: Final = """
if redis.call('EXISTS', KEYS[3]) == 0 then return 'nobody' end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], 60000)
return 'asked'
"""


class NoAnswerError(MaskwatchError):
    """Nobody answers: no process for it runs, all are busy, or it takes too long."""


class Request(msgspec.Struct, frozen=True):
    """A question to be answered.

    Attributes:
        id: of this question.
        kind: what it is about.
        body: what is asked.
        left_s: how long the asker still waited when it was taken.
    """

    id: str
    kind: str
    body: bytes
    left_s: float

    def __repr__(self) -> str:
        return f"Request(id={self.id!r}, kind={self.kind!r}, left_s={self.left_s:.1f})"


class Asking:
    """Both ends of it; safe for threads.

    >>> answer = Asking(bus).ask("probe", b"c1", limit_s=10)  # doctest: +SKIP

    Every method raises BusError when Redis is away or full.
    """

    def __init__(self, bus: Bus) -> None:
        """Begin.

        Args:
            bus: whose connection and prefix it uses.
        """
        self._link, self._keys = bus._link, bus._keys  # noqa: SLF001 a part of the bus
        self._ask = self._link.script(_ASK)

    def ask(self, kind: str, body: bytes, limit_s: float) -> bytes:
        """Ask, and wait for the answer.

        Args:
            kind: what it is about.
            body: the question.
            limit_s: longest wait.

        Raises:
            NoAnswerError: nobody answers such questions, too many wait, who took it stops, or there was no answer in time.
            ValueError: the question is larger than is allowed for its kind.
        """
        terms = _TERMS.get(kind, _ORDINARY)
        if len(body) > terms.most_bytes:
            raise ValueError(f"a question has at most {terms.most_bytes} bytes, not {len(body)}")
        name = secrets.token_hex(12)
        queue, question, answer = self._queue(kind), self._keys.of("question", name), self._keys.of("answer", name)
        until_s = time.monotonic() + limit_s
        keys = [queue, question, self._present(kind)]
        most_waiting = min(MOST_WAITING, terms.most_waiting)
        said = self._ask(keys, [name, body, max(1, round(limit_s * 1000)), most_waiting])
        if said != b"asked":
            raise NoAnswerError(
                f"no {terms.role} process answers: see that the system runs "
                f"(`maskwatch up`, or `maskwatch serve {terms.role}`)"
                if said == b"nobody"
                else f"{most_waiting} questions wait already: try again in a moment"
            )
        try:
            left_s = limit_s
            # Looked for once more at the end: an answer in time is one, however late this process gets to read it.
            while left_s > 0:
                left_s = until_s - time.monotonic()
                found = self._link.call("BLPOP", answer, _block_s(left_s))
                if found is not None:
                    answered = bytes(found[1])
                    if not answered:
                        raise NoAnswerError(f"the {terms.role} process is stopping: try again in a moment")
                    return answered
        finally:
            # Answered or given up: nobody is to take it any more.
            self._link.together([("DEL", question), ("LREM", queue, 1, name)])
        raise NoAnswerError(f"there was no answer within {limit_s:g} s: try again")

    def present(self, kinds: Sequence[str]) -> None:
        """Say that such questions are answered here; it holds for `PRESENT_S`."""
        life_ms = round(PRESENT_S * 1000)
        self._link.together([("SET", self._present(kind), b"", "PX", life_ms) for kind in kinds])

    def absent(self, kinds: Sequence[str]) -> None:
        """Say that such questions are no longer answered here; another process that answers them says so again."""
        if kinds:
            self._link.call("DEL", *map(self._present, kinds))

    def next_request(self, kinds: Sequence[str], block_ms: int) -> Request | None:
        """Take the oldest question of the first kind that has one; None when there is none.

        Args:
            kinds: that can be answered now.
            block_ms: how long to wait for one, at most 2000.
        """
        if not kinds:
            return None
        queues = {self._queue(kind): kind for kind in kinds}
        until_s = time.monotonic() + min(block_ms, LONGEST_BLOCK_MS) / 1000
        while True:
            found = self._link.call("BRPOP", *queues, _block_s(until_s - time.monotonic()))
            if found is None:
                return None
            name, question = found[1].decode(), self._keys.of("question", found[1].decode())
            left_ms, body = self._link.together([("PTTL", question), ("GETDEL", question)])
            if body is not None:
                return Request(name, queues[found[0].decode()], bytes(body), max(0, left_ms) / 1000)
            if time.monotonic() >= until_s:
                return None

    def answer(self, request: Request, body: bytes) -> None:
        """Answer a question.

        Args:
            request: the question.
            body: of at most as many bytes as its kind may have; empty: there will be no answer, because this process
                stops.

        Raises:
            ValueError: it is larger.
        """
        most_bytes = _TERMS.get(request.kind, _ORDINARY).most_bytes
        if len(body) > most_bytes:
            raise ValueError(f"an answer has at most {most_bytes} bytes, not {len(body)}")
        answer = self._keys.of("answer", request.id)
        life_ms = round((request.left_s + LATE_S) * 1000)
        self._link.together([("RPUSH", answer, body), ("PEXPIRE", answer, life_ms)])

    def _queue(self, kind: str) -> str:
        return self._keys.of("asked", kind)

    def _present(self, kind: str) -> str:
        return self._keys.of("answers", kind)


def _block_s(left_s: float) -> float:
    # 0 would be for ever.
    return round(min(max(left_s, 0.01), LONGEST_BLOCK_MS / 1000), 3)
