"""The connection to Redis: every failure becomes one sentence, every wait ends, no password gets out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from storage.errors import MaskwatchError

CONNECT_LIMIT_S: Final = 2.0
ANSWER_LIMIT_S: Final = 3.0
"""How long Redis may take to answer, beyond the time it was asked to wait; with the above, `ping` ends within 5 s."""

LONGEST_BLOCK_MS: Final = 2000
"""Reads wait no longer than this for something to arrive, below `ANSWER_LIMIT_S`."""

EXPECTED: Final = ("NOGROUP", "BUSYGROUP", "UNBLOCKED")
"""Answers that are no trouble: a stream's group is gone, or there already, or it went while we were waiting."""

Command = tuple[str | bytes | float, ...]


class BusError(MaskwatchError):
    """Redis can't be reached, or refuses to take what it is given."""


class Link:
    """A Redis, addressed by plain commands; safe for threads. It connects when first used, and again after every loss."""

    def __init__(self, url: str) -> None:
        """Take an address.

        Args:
            url: `redis://`, `rediss://` or `unix://`.

        Raises:
            BusError: it is no such address.
        """
        self.shown_url = _redacted(url)
        self.is_local = is_near(url)
        """Whether nobody is on another machine than this Redis."""
        try:
            # No retries in here: a command whose answer was lost may have been carried out, and only the caller knows
            # whether twice is harmless. RESP2 is what all versions speak, and what the replies are parsed as.
            self._redis: Any = redis.Redis.from_url(
                url,
                protocol=2,
                socket_connect_timeout=CONNECT_LIMIT_S,
                socket_timeout=ANSWER_LIMIT_S,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
            )
        except (ValueError, TypeError) as error:
            raise BusError(
                f"{self.shown_url!r} is not the address of a Redis: set MASKWATCH_REDIS_URL to one like "
                "redis://host:6379/0 or unix:///path/to/redis.sock"
            ) from error
        # Replies come as Redis sends them; what they mean is known where they are asked for.
        self._redis.response_callbacks.clear()

    def call(self, *command: str | bytes | float) -> Any:
        """Send one command.

        Returns:
            The reply: bytes, int, None or (nested) lists of these.

        Raises:
            BusError: Redis is away or full.
            redis.exceptions.ResponseError: one of `EXPECTED`; for the caller to deal with.
        """
        with self.explained():
            return self._redis.execute_command(*command)

    def together(self, commands: Iterable[Command]) -> list[Any]:
        """Send several commands in one go; all of them are carried out, at one moment, or none.

        Raises:
            BusError: as above. When the connection was lost on the way they may have been carried out.
        """
        with self.explained(), self._redis.pipeline(transaction=True) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return list(pipe.execute())

    def script(self, source: str) -> "Script":
        """Prepare a Lua script."""
        return Script(self, self._redis, source)

    def close(self) -> None:
        """Drop all connections."""
        self._redis.close()
        self._redis.connection_pool.disconnect()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what goes wrong into a `BusError`, save for what is `EXPECTED`."""
        try:
            yield
        except (exceptions.RedisError, OSError) as error:
            if str(error).startswith(EXPECTED):
                raise
            raise BusError(_sentence(self.shown_url, error)) from error


class Script:
    """A Lua script: Redis runs nothing else meanwhile, so what it reads still holds when it writes."""

    def __init__(self, link: Link, client: Any, source: str) -> None:
        self._link = link
        self._run = client.register_script(source)

    def __call__(self, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Run it; it is loaded when Redis does not know it (any more).

        Raises:
            BusError: Redis is away or full.
        """
        with self._link.explained():
            return self._run(keys=keys, args=args)


def is_near(url: str) -> bool:
    """Whether an address can be reached from one machine alone."""
    return url.lower().startswith("unix:")


def _sentence(url: str, error: Exception) -> str:
    """What happened and what to do."""
    text, mend = str(error).rstrip("."), "correct MASKWATCH_REDIS_URL"
    refusals: tuple[tuple[type[Exception], str, str], ...] = (
        (exceptions.AuthenticationError, "NOAUTH", f"wants another user name or password: {mend}"),
        (exceptions.NoPermissionError, "NOPERM", f"does not permit what is needed ({text}): allow it, or {mend}"),
        (exceptions.BusyLoadingError, "LOADING", "is still loading its data: try again in a moment"),
        (exceptions.ReadOnlyError, "READONLY", "is a read-only replica: set MASKWATCH_REDIS_URL to its primary"),
        (
            exceptions.OutOfMemoryError,
            "OOM command",
            "is full: raise its maxmemory, or see why nobody takes its messages",
        ),
        (exceptions.ResponseError, "ERR", f"refuses a command ({text}): version 6.2 or newer is needed"),
    )
    for kind, code, sentence in refusals:
        # A script's error carries the code of the command that failed somewhere in its text.
        if isinstance(error, kind) or re.search(rf"(^|-){code}\b", text):
            return f"Redis at {url} {sentence}"
    what = "it does not answer" if isinstance(error, exceptions.TimeoutError | TimeoutError) else text
    return f"cannot reach Redis at {url}: {what}; see that it is running there, or {mend}"


def _redacted(url: str) -> str:
    """The address without its password, fit for messages and logs; also when it is no proper address."""
    # Up to the last "@", since a password that should have been escaped may hold anything.
    url = re.sub(r"^(\w+://|(?!\w+://))([^:/@]*):.*@", r"\1\2:***@", url, flags=re.DOTALL)
    return re.sub(r"(password=)[^&]*", r"\1***", url, flags=re.IGNORECASE)
