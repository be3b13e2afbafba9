"""How often somebody may try to log in: the first tries are free, then each wait is twice as long, up to a minute.

Counted by name and by address, in Redis, so that all processes of the API count together and a restart forgets nothing;
while Redis is away, in memory. A try counts as failed before it is made: who tries many at once gains nothing.
"""

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from typing import Final

from storage.bus import Bus
from storage.link import BusError
from storage.names import alike

FREE_BY_NAME: Final = 5
FREE_BY_ADDRESS: Final = 20
"""Several people may come from one address."""

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
MEMORY_S: Final = 900
"""Tries are forgotten so long after the last of them."""

MOST_KEPT: Final = 10_000
"""In memory; those tried longest ago go first."""

# Both at one moment. n: tries so far; until: when the next may be made, in ms.
_TRY: Final = """
local now = tonumber(ARGV[1])
local wait = 0
for i, key in ipairs(KEYS) do
  wait = math.max(wait, tonumber(redis.call('HGET', key, 'until') or '0') - now)
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  local over = redis.call('HINCRBY', key, 'n', 1) - tonumber(ARGV[4 + i])
  if over >= 0 then
    local pause = math.min(tonumber(ARGV[3]), tonumber(ARGV[2]) * 2 ^ math.min(over, 20))
    redis.call('HSET', key, 'until', string.format('%.0f', now + pause))
  end
  redis.call('EXPIRE', key, ARGV[4])
end
return 0
"""


class Tries:
    """Tries to log in; safe for threads. Nothing is raised while Redis is away."""

    def __init__(self, bus: Bus) -> None:
        """Begin.

        Args:
            bus: whose connection and prefix it uses.
        """
        self._link, self._keys = bus._link, bus._keys  # noqa: SLF001 a part of the bus
        self._try = self._link.script(_TRY)
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def begin(self, name: str | None, address: str | None) -> float:
        """Begin a try, unless it comes too early.

        Args:
            name: that is tried; None: by a link, which names nobody.
            address: from where; None: nobody knows.

        Returns:
            How long to wait first, in seconds; 0: the try may be made.
        """
        keys = self._of(name, address)
        try:
            limits = [free for _, free in keys]
            args = [round(time.time() * 1000), *(round(1000 * s) for s in (FIRST_WAIT_S, LONGEST_WAIT_S)), MEMORY_S]
            return float(self._try([key for key, _ in keys], [*args, *limits])) / 1000
        except BusError:
            return self._begin_here(keys)

    def succeeded(self, name: str | None, address: str | None) -> None:
        """The try that was begun last led in: the name's are forgotten, and of the address's this one."""
        for key, free in self._of(name, address):
            by_name = free == FREE_BY_NAME
            with self._lock:
                if by_name:
                    self._kept.pop(key, None)
                elif key in self._kept:
                    tries, until_s = self._kept[key]
                    self._kept[key] = (max(0, tries - 1), until_s)
            try:
                if by_name:
                    self._link.call("DEL", key)
                else:
                    self._link.together([("HINCRBY", key, "n", -1), ("EXPIRE", key, MEMORY_S)])
            except BusError:
                continue

    def _of(self, name: str | None, address: str | None) -> list[tuple[str, int]]:
        keys = []
        if name is not None:
            # Names are what people type: at times it is their password.
            keys.append((self._keys.of("tries", "name", _hidden(alike(name))), FREE_BY_NAME))
        if address is not None:
            keys.append((self._keys.of("tries", "address", network_of(address)), FREE_BY_ADDRESS))
        return keys

    def _begin_here(self, keys: list[tuple[str, int]]) -> float:
        now_s = time.monotonic()
        with self._lock:
            wait_s = max((self._kept.get(key, (0, 0.0))[1] - now_s for key, _ in keys), default=0.0)
            if wait_s > 0:
                return wait_s
            for key, free in keys:
                tries, until_s = self._kept.pop(key, (0, 0.0))
                if now_s - until_s > MEMORY_S and until_s:
                    tries = 0
                over = tries + 1 - free
                if over >= 0:
                    until_s = now_s + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(over, 20))
                self._kept[key] = (tries + 1, until_s)
                if len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return 0.0


def network_of(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 one, of which a customer has 2^64 addresses.

    >>> network_of("2001:db8::1"), network_of("192.0.2.7")
    ('2001:db8::/64', '192.0.2.7')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _hidden(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
