"""User name and password as HTTP cameras ask for them: Basic (RFC 7617) or Digest (RFC 7616)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import SplitResult, unquote

_CHALLENGE: Final = re.compile(r"(?:^|,\s*)(?=(?:basic|digest)\s)", re.IGNORECASE)
_FIELD: Final = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

_HASHES: Final[dict[str, Callable[[bytes], str]]] = {
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"""Best first. RFC 7616 keeps MD5, which most cameras know alone."""


class Login:
    """Answers to a server's challenges, with what it asked for last.

    Neither user name nor password is in its repr.
    """

    def __init__(self, parts: SplitResult) -> None:
        """Take user name and password out of an address, where they are percent-encoded."""
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._known = parts.username is not None
        self._basic = False
        self._digest: dict[str, str] | None = None
        self._count = 0

    def challenged(self, challenges: Sequence[str]) -> bool:
        """Take in what the server asks for.

        Args:
            challenges: its WWW-Authenticate headers.

        Returns:
            Whether another try makes sense: there is a user name, and the last answer was not the same one.
        """
        if not self._known:
            return False
        fields: dict[str, dict[str, str]] = {}
        basic = False
        for challenge in (part for header in challenges for part in _CHALLENGE.split(header)):
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() == "basic":
                basic = True
            elif scheme.lower() == "digest":
                found = {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(rest)}
                fields[found.get("algorithm", "MD5").lower().removesuffix("-sess")] = found
        known = next((fields[name] for name in _HASHES if name in fields), None)
        if known is not None:
            fresh = self._digest is None or known.get("stale", "").lower() == "true"
            self._digest, self._count = known, 0
            return fresh
        fresh = basic and not self._basic
        self._basic = basic
        return fresh

    def answer(self, method: str, target: str) -> str | None:
        """The Authorization header for a request; None before a challenge."""
        if self._digest is not None:
            return self._digested(self._digest, method, target)
        if self._basic:
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        return None

    def _digested(self, asked: dict[str, str], method: str, target: str) -> str:
        algorithm = asked.get("algorithm", "MD5")
        hashed = _HASHES[algorithm.lower().removesuffix("-sess")]
        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
        self._count += 1
        client, count = secrets.token_hex(8), f"{self._count:08x}"
        secret = hashed(f"{self._user}:{realm}:{self._password}".encode())
        if algorithm.lower().endswith("-sess"):
            secret = hashed(f"{secret}:{nonce}:{client}".encode())
        request = hashed(f"{method}:{target}".encode())
        protected = "auth" in re.split(r"\s*,\s*", asked.get("qop", "").lower())
        middle = f"{nonce}:{count}:{client}:auth" if protected else nonce
        user = self._user.replace("\\", "\\\\").replace('"', '\\"')
        fields = [
            f'username="{user}"',
            f'realm="{realm}"',
            f'nonce="{nonce}"',
            f'uri="{target}"',
            f'response="{hashed(f"{secret}:{middle}:{request}".encode())}"',
            f"algorithm={algorithm}",
        ]
        if "opaque" in asked:
            fields.append(f'opaque="{asked["opaque"]}"')
        if protected:
            fields += ["qop=auth", f"nc={count}", f'cnonce="{client}"']
        return "Digest " + ", ".join(fields)
