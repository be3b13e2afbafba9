"""Passwords of people: Argon2id hashes, no more than two being made at once, and the same time for whom there is not.

Cameras' passwords are another thing: they have to be read back, see `storage.secrets`.
"""

import threading
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from storage.errors import InvalidError, MaskwatchError

if TYPE_CHECKING:
    from pwdlib.hashers.argon2 import Argon2Hasher

SHORTEST: Final = 12
LONGEST: Final = 1000
"""Characters."""

MEMORY_KIB: Final = 64 * 1024
ROUNDS: Final = 3
"""With the above 0.1 s on a core of 2020, as RFC 9106 asks of machines with little memory."""

T = TypeVar("T")

AT_ONCE: Final = 2
WAIT_S: Final = 5.0
MOST_WAITING: Final = 8
"""Beyond, the next one is told to come again."""


class BusyError(MaskwatchError):
    """Too many log in at this moment."""


class Passwords:
    """Makes and checks hashes; safe for threads.

    >>> passwords = Passwords(memory_kib=8, rounds=1)
    >>> passwords.fits("correct horse", passwords.hashed("correct horse"))
    True
    """

    def __init__(self, *, memory_kib: int = MEMORY_KIB, rounds: int = ROUNDS, at_once: int = AT_ONCE) -> None:
        """Begin; nothing is loaded before it is needed.

        Args:
            memory_kib: that a hash takes, in KiB; 8 or more.
            rounds: over that memory.
            at_once: so many are made at the same time; who comes then waits for 5 s at most.
        """
        self._cost = (rounds, memory_kib)
        self._turn = threading.BoundedSemaphore(at_once)
        self._room = threading.BoundedSemaphore(at_once + MOST_WAITING)
        self._lock = threading.Lock()
        self._hasher: Argon2Hasher | None = None
        self._nobodys = ""
        self.made = 0
        """How many hashes were computed, for checks included."""

    def hashed(self, password: str) -> str:
        """The hash of a new password.

        Raises:
            InvalidError: it is too short or too long.
            BusyError: too many wait already.
        """
        return self._hash(check_new_password(password))

    def fits(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password.

        Args:
            password: as it was given.
            hashed: of the right one; None where there is none: that is found out in the same time.

        Raises:
            BusyError: too many wait already.
        """
        # Made with the first check, of whomever: it takes as long as one.
        if not self._nobodys:
            self._nobodys = self._hash("nobody has this password")
        given = _normal(password[:LONGEST])
        fits = self._timed(lambda hasher: hasher.verify(given, hashed or self._nobodys))
        return fits and hashed is not None

    def _hash(self, password: str) -> str:
        return self._timed(lambda hasher: hasher.hash(_normal(password)))

    def _timed(self, work: "Callable[[Argon2Hasher], T]") -> T:
        if not self._room.acquire(blocking=False):
            raise BusyError("too many log in at this moment: try again in a second")
        try:
            if not self._turn.acquire(timeout=WAIT_S):
                raise BusyError("too many log in at this moment: try again in a second")
            try:
                with self._lock:
                    self.made += 1
                return work(self._opened())
            finally:
                self._turn.release()
        finally:
            self._room.release()

    def _opened(self) -> "Argon2Hasher":
        if self._hasher is None:
            from pwdlib.hashers.argon2 import Argon2Hasher

            rounds, memory_kib = self._cost
            self._hasher = Argon2Hasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)
        return self._hasher


def check_new_password(password: str) -> str:
    """The password that somebody chose. What it is, is never repeated.

    Raises:
        InvalidError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidError(f"a password has at least {SHORTEST} characters, and at most {LONGEST}: choose another")
    if len(set(password)) < 4:
        raise InvalidError("a password of one or two characters over and over is guessed at once: choose another")
    if not password.isprintable():
        raise InvalidError("a password has printable characters alone: choose another")
    return password


def _normal(password: str) -> str:
    # Keyboards differ in how they write one and the same letter.
    return unicodedata.normalize("NFC", password)
