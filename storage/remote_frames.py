"""The frame store over Redis: for workers on machines that share no memory.

It keeps what `storage.frames` keeps, in the same words. A picture is a key of its own, under the prefix of the bus; how
many bytes are held, and until when, is written down beside it, and changed by scripts alone: no two writers can take
the same room. Live pictures go by age at the latest. One of footage stays from the moment it is `sent` until it is
released; before that it goes by age as well, since its writer may have died.
"""

import secrets
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import StorageError
from storage.frames import LIVE_LIFE_S, FrameGoneError
from storage.keys import Keys
from storage.link import BusError, Link
from storage.messages import FrameRef

REMOTE: Final = "redis"
"""`FrameRef.store` of pictures in Redis."""

MOST_HELD: Final = 1000
"""Pictures at once: a queue that long is looked through whole when a sample is to be taken back."""

SHARE_OF_REDIS: Final = 0.5
"""Of the memory that Redis may use at most: the messages need the rest."""

UNSENT_LIFE_S: Final = 600.0
"""A writer sends within a minute, or gives up."""

# All of these: KEYS sizes, due, used. The key of a picture that is due is gone by itself; what the books say of it is
# forgotten here, when its room is needed.
_FORGET: Final = """
local function forget(token)
  local size = redis.call('HGET', KEYS[1], token)
  if not size then return 0 end
  redis.call('HDEL', KEYS[1], token)
  redis.call('ZREM', KEYS[2], token)
  redis.call('DECRBY', KEYS[3], size)
  redis.call('UNLINK', ARGV[1] .. token)
  return 1
end
"""
_RESERVE: Final = (
    _FORGET
    + """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local token, size, most_bytes, most, life_ms = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local function full()
  return tonumber(redis.call('GET', KEYS[3]) or 0) + size > most_bytes or redis.call('HLEN', KEYS[1]) >= most
end
if full() then
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now_ms)) do forget(old) end
  if full() then return 0 end
end
redis.call('HSET', KEYS[1], token, size)
redis.call('ZADD', KEYS[2], now_ms + life_ms, token)
redis.call('INCRBY', KEYS[3], size)
return 1
"""
)
_RELEASE: Final = (
    _FORGET
    + """
local count = 0
for i = 2, #ARGV do count = count + forget(ARGV[i]) end
return count
"""
)
_SENT: Final = """
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
return redis.call('PERSIST', ARGV[1] .. ARGV[2])
"""


class RemoteFrames:
    """Pictures in Redis; safe for any number of threads, processes and machines.

    Every method but `release` and `close` raises BusError while Redis is away.
    """

    def __init__(self, link: Link, keys: Keys, size_mib: int, *, live_life_s: float = LIVE_LIFE_S) -> None:
        """Take part; nothing has to be made.

        Args:
            link: to Redis.
            keys: of the bus.
            size_mib: room for pixels; at most half of what Redis may use.
            live_life_s: age at which live pictures are rubbish.
        """
        self._link = link
        self._pixels = keys.of("pixels", "")
        self._books = [keys.of("pixels-held", book) for book in ("sizes", "due", "used")]
        self._wanted, self._limit = size_mib << 20, 0
        self._life_ms, self._unsent_ms = round(live_life_s * 1000), round(UNSENT_LIFE_S * 1000)
        # A unix socket reaches no further than this machine: nothing is gained by fewer bytes there.
        self._packs = not link.is_local
        self._reserve, self._release, self._sent = (link.script(text) for text in (_RESERVE, _RELEASE, _SENT))
        self._owed: set[int] = set()
        self._turn = threading.Lock()
        self._made = threading.local()

    @property
    def used_bytes(self) -> int:
        """Bytes that are held, with those whose time is over and whose room nobody has needed since."""
        return int(self._link.call("GET", self._books[2]) or 0)

    @property
    def held(self) -> int:
        """Pictures that are held, likewise."""
        return int(self._link.call("HLEN", self._books[0]))

    def sees(self, ref: FrameRef) -> bool:
        """Whether it is a reference to this kind of store."""
        return ref.store == REMOTE

    def fits(self, height: int, width: int) -> bool:
        """Whether a frame of this size would fit into the empty store, however little can be saved on it."""
        return height * width * 3 + 1024 <= self._room()

    def put(self, rgb: NDArray[np.uint8], *, live: bool) -> FrameRef | None:
        """Keep a picture: a live one as a JPEG, one of footage bit by bit.

        Args:
            rgb: (height, width, 3) uint8, in any memory layout.
            live: whether it may be forgotten when it is `LIVE_LIFE_S` old; one of footage never is.

        Returns:
            Its reference, to be sent and then declared `sent`, or released; None when there is no room now.

        Raises:
            StorageError: it would not fit into the empty store.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
            raise ValueError(f"a picture is (height, width, 3) uint8, not {rgb.shape} {rgb.dtype}")
        if not self.fits(*rgb.shape[:2]):
            size = f"{rgb.shape[1]}x{rgb.shape[0]}"
            raise StorageError(
                f"Redis has no room for a picture of {size}: raise MASKWATCH_FRAMES_MIB and its maxmemory"
            )
        self._settle()
        data = self._bytes(rgb, live=live)
        # Random, since a Redis that lost its data would begin to count anew: no old reference may ever match.
        token = secrets.randbits(62) | 1
        life_ms = self._life_ms if live else self._unsent_ms
        if not self._reserve(self._books, [self._pixels, token, len(data), self._room(), MOST_HELD, life_ms]):
            return None
        try:
            self._link.call("SET", f"{self._pixels}{token}", data, "PX", life_ms)
        except BaseException:
            self._let_go({token})
            raise
        self._made.last = None
        height, width, _ = rgb.shape
        return FrameRef(token, 0, height, width, REMOTE, live)

    def sent(self, ref: FrameRef) -> None:
        """Declare that the message that names it is on the bus: from now on one of footage goes by `release` alone."""
        if not ref.live:
            self._sent(self._books, [self._pixels, ref.token])

    def view(self, ref: FrameRef) -> NDArray[np.uint8]:
        """The picture, fetched: read-only (height, width, 3) uint8.

        Raises:
            FrameGoneError: it is not held under this token, or what is there is damaged.
        """
        from storage.pixels import from_bytes

        data = self._link.call("GET", f"{self._pixels}{ref.token}") if self.sees(ref) else None
        if data is None:
            raise FrameGoneError(f"the picture {ref.token} is no longer in Redis: its sample is lost")
        try:
            return from_bytes(data, ref.height, ref.width)
        except StorageError as error:
            raise FrameGoneError(str(error)) from error

    def holds(self, ref: FrameRef) -> bool:
        """Whether exactly this picture is held."""
        return self.sees(ref) and bool(self._link.call("EXISTS", f"{self._pixels}{ref.token}"))

    def release(self, refs: Iterable[FrameRef]) -> None:
        """Give room back; what is not held is passed over. While Redis is away it is done later, by the next call."""
        self._let_go({ref.token for ref in refs if self.sees(ref)})

    def close(self) -> None:
        """Let go."""
        self._settle()

    def _let_go(self, tokens: set[int]) -> None:
        with self._turn:
            self._owed |= tokens
        self._settle()

    def _settle(self) -> None:
        """Release what is owed."""
        with self._turn, suppress(BusError):
            if self._owed:
                self._release(self._books, [self._pixels, *self._owed])
                self._owed.clear()

    def _room(self) -> int:
        """The limit in bytes; where Redis has one of its own, no more than its `SHARE_OF_REDIS`."""
        if not self._limit:
            try:
                own = _number(self._link.call("INFO", "memory"), b"maxmemory:")
            except BusError:
                # Away, or not allowed to ask.
                return self._wanted
            self._limit = min(self._wanted, round(own * SHARE_OF_REDIS)) if own else self._wanted
        return self._limit

    def _bytes(self, rgb: NDArray[np.uint8], *, live: bool) -> bytes:
        """As bytes, made once, however often there is no room for them."""
        # Takes long to import, and most never need it.
        from storage.pixels import Way, to_bytes

        last: tuple[NDArray[np.uint8], bool, bytes] | None = getattr(self._made, "last", None)
        way = Way.JPEG if live else Way.PACKED if self._packs else Way.RAW
        if last is None or last[0] is not rgb or last[1] != live:
            last = self._made.last = (rgb, live, to_bytes(rgb, way))
        return last[2]


def _number(text: bytes, name: bytes) -> int:
    """The value of a line of INFO; 0 where there is none."""
    found = next((line for line in text.splitlines() if line.startswith(name)), b"")
    digits = found.removeprefix(name).strip()
    return int(digits) if digits.isdigit() else 0
