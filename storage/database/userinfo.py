"""User and password in a camera's address: shown, put in, taken out.

Vendors put passwords into queries and into paths, under names of their own. What may be one is hidden: too much rather
than too little, since an address is kept as it was given.
"""

import re
from typing import Final
from urllib.parse import quote, unquote

HIDDEN: Final = "***"
"""What stands for a password wherever an address is shown."""

_PASSWORD: Final = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")
_USERINFO: Final = re.compile(r"(?<=://)[^/?#]*@")

_PATH: Final = re.compile(r"[^?#]*")
_KEY: Final = re.compile(r"(?:^|(?<=[/?&;#=]))([^/?&;#=]*?)(?:=|%3[Dd])")
"""What stands before `=`; in `user=admin_password=x` also a value, which does no harm."""

_SECRET: Final = re.compile(r"pass|pwd|psw|token|secret|auth|key|cred|signature|(?:pas|pw)\Z", re.IGNORECASE)

_NEXT: Final = r"[_,|](?:user|user_?name|usr|login|channel|chn?|(?:real_)?stream|(?:sub)?type|id|profile|port)="
"""How a vendor goes on after a password; what else has `_` in it is a part of it."""

_IN_PATH: Final = re.compile(rf"[^/?&;#]*?(?={_NEXT}|[/?&;#]|\Z)", re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"[^&;#]*?(?={_NEXT}|[&;#]|\Z)", re.IGNORECASE)

_BEFORE: Final = r"/(?:pass|passwd|password|passphrase|passwort|pwd|psw|pw|token|secret)/+"
_SEGMENT: Final = re.compile(rf"({_BEFORE})[^/?#]+", re.IGNORECASE)
_HIDES: Final = re.compile(
    r":\*\*\*@" + rf"|(?:=|%3D)\*\*\*(?={_NEXT}|[/?&;#]|\Z)" + rf"|{_BEFORE}\*\*\*(?=[/?#]|\Z)", re.IGNORECASE
)


def shown_address(url: str) -> str:
    """An address as it may be shown: a password, also one in path or query, is `***`.

    >>> shown_address("rtsp://user:secret@10.0.0.5/1?channel=2")
    'rtsp://user:***@10.0.0.5/1?channel=2'
    >>> shown_address("rtsp://10.0.0.5/user=admin_password=secret_channel=1")
    'rtsp://10.0.0.5/user=admin_password=***_channel=1'
    """
    shown = _PASSWORD.sub(rf"\1:{HIDDEN}@", url)
    if shown[:5].lower() == "file:":
        return shown  # A folder may have any name.
    path = _PATH.match(shown)
    end = 0 if path is None else path.end()
    return _SEGMENT.sub(rf"\1{HIDDEN}", _without(shown[:end], _IN_PATH)) + _without(shown[end:], _IN_QUERY)


def _without(text: str, value: re.Pattern[str]) -> str:
    """The text with what stands for the values of secret keys hidden."""
    parts, done = [], 0
    for key in _KEY.finditer(text):
        # The value is looked for last, and once: looking takes as long as it is.
        if key.start() >= done and _SECRET.search(unquote(key[1])) and (found := value.match(text, key.end())):
            parts += [text[done : key.end()], HIDDEN]
            done = found.end()
    return "".join([*parts, text[done:]])


def hides_password(url: str) -> bool:
    """Whether an address has `***` where a password belongs: it was shown, and is given back.

    >>> hides_password("rtsp://user:***@10.0.0.5/1")
    True
    """
    return _HIDES.search(url) is not None


def has_userinfo(url: str) -> bool:
    """Whether an address names a user, or a password.

    >>> has_userinfo("rtsp://user@10.0.0.5/1"), has_userinfo("rtsp://10.0.0.5/a@b")
    (True, False)
    """
    return _USERINFO.search(url) is not None


def with_userinfo(url: str, user: str, password: str) -> str:
    """The address with user and password put in, whatever characters they have.

    >>> with_userinfo("rtsp://10.0.0.5/1", "admin", "a/b@c")
    'rtsp://admin:a%2Fb%40c@10.0.0.5/1'
    """
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{quote(user, safe='')}:{quote(password, safe='')}@{rest}" if separator else url


def without_userinfo(url: str) -> str:
    """The address without user and password.

    >>> without_userinfo("rtsp://admin:secret@10.0.0.5/1")
    'rtsp://10.0.0.5/1'
    """
    return _USERINFO.sub("", url, count=1)
