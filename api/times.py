"""Times as the API writes and reads them: UTC, ISO 8601 with `Z` and milliseconds, nanoseconds inside."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from storage.messages import NS_PER_S

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII
)


def iso(at_ns: int) -> str:
    """Unix time in nanoseconds as text.

    >>> iso(1_700_000_000_123_456_789)
    '2023-11-14T22:13:20.123Z'
    """
    seconds, rest_ns = divmod(at_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1_000_000:03d}Z"


def parse(text: object) -> int:
    """Text as Unix time in nanoseconds.

    Raises:
        ValueError: no such time, none of 1970 to 2199, or without a time zone.
    """
    found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError("give a time such as 2026-03-29T01:30:00Z; a + in an address is written %2B")
    minutes, second, fraction, zone = found.groups()
    try:
        at = datetime.fromisoformat(f"{minutes.upper()}:{second or '00'}{zone.upper()}")
    except ValueError as error:
        raise ValueError(f"there is no such time: {error}") from None
    try:
        if not EARLIEST <= at < LATEST:
            raise OverflowError
    except OverflowError:
        raise ValueError("times lie between 1970 and 2199") from None
    return round(at.timestamp()) * NS_PER_S + int((fraction or "0").ljust(9, "0"))


Time = Annotated[int, BeforeValidator(parse), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in a request, in nanoseconds."""

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in an answer."""
