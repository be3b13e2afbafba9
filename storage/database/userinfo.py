"""User and password in a camera's address: shown, put in, taken out."""

import re
from typing import Final
from urllib.parse import quote

HIDDEN: Final = "***"
"""What stands for a password wherever an address is shown."""

_PASSWORD: Final = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")
_USERINFO: Final = re.compile(r"(?<=://)[^/?#]*@")
_SECRET_FIELD: Final = re.compile(
    r"([?&;](?:pass|passwd|password|passphrase|pwd|psw|token|secret|auth|key|api_?key)=)[^&;#]*", re.IGNORECASE
)
_HIDES: Final = re.compile(rf":{re.escape(HIDDEN)}@|={re.escape(HIDDEN)}(?=[&;#]|\Z)")


def shown_address(url: str) -> str:
    """An address as it may be shown: a password, also one in the query, is `***`.

    >>> shown_address("rtsp://user:secret@10.0.0.5/1?channel=2")
    'rtsp://user:***@10.0.0.5/1?channel=2'
    """
    return _SECRET_FIELD.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", url))


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
