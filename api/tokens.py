"""Signed tokens: what a login gives out. They carry a session's identifier, and the session is asked for every time.

JSON Web Tokens (RFC 7519) with HMAC-SHA-256 and nothing else; the key comes from the one that passwords of cameras are
encrypted with, so there is none that everybody knows.
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

TOKEN_S: Final = 900
"""How long a token of a program, and that of the console, is taken."""

ALGORITHM: Final = "HS256"
LONGEST: Final = 2000
"""Characters; ours have some 250."""

Use = Literal["bearer", "cookie", "refresh"]


class Claims(msgspec.Struct, frozen=True):
    """What a token says.

    Attributes:
        sid: identifier of the session.
        use: what it is for; it is taken for nothing else.
        iat, exp: when it was made and when it ends; Unix time in s.
    """

    sid: str
    use: Use
    iat: int
    exp: int

    def __repr__(self) -> str:
        return f"Claims(use={self.use!r}, exp={self.exp})"


class KeySource(Protocol):
    """Gives the keys for a purpose, the newest first; see `SiteAccess.derived_keys`."""

    def __call__(self, purpose: str, *, make: bool = True) -> Sequence[bytes]: ...


class Tokens:
    """Makes and reads them; safe for threads."""

    def __init__(self, keys: KeySource) -> None:
        """Begin; no key is asked for before it is needed.

        Args:
            keys: gives them.
        """
        self._keys = keys
        self._lock = threading.Lock()
        self._known: dict[str, Sequence[bytes]] = {}

    def check(self) -> None:
        """See that there is a key, before somebody logs in; it is made where that may be.

        Raises:
            SetupError: there is none.
            StorageError: the database can't be reached, or the key's file not be written.
        """
        self._of("login tokens")

    def made(self, session_id: str, use: Use, until_ns: int) -> str:
        """A token.

        Args:
            session_id: of the session.
            use: what for.
            until_ns: end of the session, Unix time; no token outlives it.

        Raises:
            SetupError: there is no key.
            StorageError: the database can't be reached.
        """
        import jwt

        now_s, end_s = int(time.time()), until_ns // 1_000_000_000
        claims = Claims(session_id, use, now_s, end_s if use == "refresh" else min(end_s, now_s + TOKEN_S))
        return jwt.encode(msgspec.to_builtins(claims), self._of("login tokens")[0], ALGORITHM)

    def read(self, token: str, use: Use, *, late: bool = False) -> Claims | None:
        """What a token says; None where it is none of ours, is for something else, or is too old.

        Args:
            token: as it was sent.
            use: what it has to be for.
            late: take one that is too old.

        Raises:
            SetupError: there is no key.
            StorageError: the database can't be reached.
        """
        import jwt

        if len(token) > LONGEST:
            return None
        # The clock may have been set back since it was made.
        options: Any = {"require": ["sid", "use", "iat", "exp"], "verify_exp": not late, "verify_iat": False}
        for key in self._of("login tokens", make=False):
            try:
                claims = msgspec.convert(jwt.decode(token, key, [ALGORITHM], options), Claims)
            except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError):
                continue
            return claims if claims.use == use else None
        return None

    def csrf(self, session_id: str) -> str:
        """What a page of ours sends with every change: only who may read our answers knows it.

        Raises:
            SetupError: there is no key.
            StorageError: the database can't be reached.
        """
        return hmac.digest(self._of("cross-site tokens")[0], session_id.encode(), hashlib.sha256).hex()

    def is_csrf(self, given: str, session_id: str) -> bool:
        """Whether it is that, with any of the keys."""
        return any(
            hmac.compare_digest(
                given.encode("utf-8", "replace"), hmac.digest(key, session_id.encode(), hashlib.sha256).hex().encode()
            )
            for key in self._of("cross-site tokens")
        )

    def _of(self, purpose: str, *, make: bool = True) -> Sequence[bytes]:
        with self._lock:
            if purpose not in self._known:
                self._known[purpose] = self._keys(purpose, make=make)
            return self._known[purpose]
