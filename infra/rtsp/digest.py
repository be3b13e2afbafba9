"""Digest authentication with MD5, as RTSP clients use it (RFC 2069; with `qop=auth` as in RFC 7616)."""

import hashlib
import hmac
import re
import secrets
from typing import Final

from storage.errors import UsageError

REALM: Final = "maskwatch camera"

_FIELD: Final = re.compile(r'(\w{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LONGEST: Final = 4096
_USER: Final = re.compile(r'[^\x00-\x1f\x7f":\\]+')


class Digest:
    """Who may watch, and how a connection proves that it is them.

    A new one is made for each connection: its nonce is worth nothing on another.
    """

    def __init__(self, user: str, password: str) -> None:
        """Make one.

        Raises:
            UsageError: a user name that can't be written into a header.
        """
        if not _USER.fullmatch(user):
            raise UsageError(
                "the user name of a camera needs characters, but no quotation mark, colon, backslash or line break"
            )
        self._user = user
        self._password = password
        self._nonce = secrets.token_hex(16)

    def challenge(self) -> str:
        """The value of `WWW-Authenticate`."""
        return f'Digest realm="{REALM}", nonce="{self._nonce}"'

    def admits(self, authorization: str | None, method: str, uri: str) -> bool:
        """Whether a request carries the right answer.

        Args:
            authorization: its header of that name, if it has one.
            method: of the request.
            uri: of the request; some clients (live555) sign the stream's address in requests for its track.
        """
        scheme, _, rest = (authorization or "").partition(" ")
        if scheme.lower() != "digest" or len(rest) > _LONGEST:
            return False
        fields = {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(rest)}
        signed = fields.get("uri", "")
        if not signed or not uri.startswith(signed.rstrip("/")) or fields.get("algorithm", "MD5").upper() != "MD5":
            return False
        given = (fields.get("username", ""), fields.get("realm", ""), fields.get("nonce", ""))
        if given != (self._user, REALM, self._nonce):
            return False
        expected = response(self._user, self._password, method, fields)
        return hmac.compare_digest(expected.encode(), fields.get("response", "").lower().encode())


def response(user: str, password: str, method: str, fields: dict[str, str]) -> str:
    """What a client answers to a challenge: 32 hexadecimal digits.

    Args:
        user: as in `fields["username"]`.
        password: the shared secret.
        method: of the request.
        fields: `realm`, `nonce` and `uri`; `qop`, `nc` and `cnonce` too where the client uses `qop`.
    """
    secret = _md5(f"{user}:{fields['realm']}:{password}")
    request = _md5(f"{method}:{fields['uri']}")
    if fields.get("qop"):
        middle = f"{fields['nonce']}:{fields.get('nc', '')}:{fields.get('cnonce', '')}:{fields['qop']}"
    else:
        middle = fields["nonce"]
    return _md5(f"{secret}:{middle}:{request}")


def _md5(text: str) -> str:
    # The protocol's choice: cameras and clients speak nothing better.
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
