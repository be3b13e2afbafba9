"""How names of files say when their footage began: which patterns can be used, and what looks like them."""

import re
from datetime import UTC, datetime
from typing import Final

from storage.errors import UsageError

_MONTH: Final = r"[^\W\d_]{3,9}\.?"
_WRITTEN: Final = {
    "Y": r"\d{4}",
    "m": r"\d{1,2}",
    "d": r"\d{1,2}",
    "H": r"\d{1,2}",
    "M": r"\d{1,2}",
    "S": r"\d{1,2}",
    "y": r"\d{2}",
    "j": r"\d{1,3}",
    "I": r"\d{1,2}",
    "p": r"[AaPp][Mm]",
    "f": r"\d{1,6}",
    "%": "%",
    "b": _MONTH,
    "B": _MONTH,
    "z": r"(?:Z|[+-]\d{2}:?\d{2})",
}
"""Directives of `datetime.strptime` that tell a moment, and what they look like."""

_SOME_DAY: Final = datetime(2026, 3, 1, 8, 30, 15, tzinfo=UTC)


def name_shape(pattern: str) -> re.Pattern[str]:
    """What looks like a pattern; digits beside it belong to some other number.

    >>> name_shape("%Y%m%d").search("door-20260301.mp4")[1]
    '20260301'

    Args:
        pattern: as for `datetime.strptime`, for a part of a name.

    Raises:
        UsageError: it can't be used, or tells no day.
    """
    parts, told = [], set()
    for literal, directive in re.findall(r"([^%]+)|%(.?)", pattern, re.DOTALL):
        if literal:
            parts.append(re.escape(literal))
        elif directive not in _WRITTEN:
            known = " ".join(f"%{one}" for one in _WRITTEN)
            raise UsageError(f"the name pattern {pattern!r} holds %{directive}; what it may hold is {known}")
        else:
            parts.append(_WRITTEN[directive])
            told.add(directive)
    if not (told & {"Y", "y"} and (told & {"j"} or (told & {"m", "b", "B"} and "d" in told))):
        raise UsageError(
            f"the name pattern {pattern!r} tells no day: it needs a year, a month and a day, e.g. %Y%m%d-%H%M%S"
        )
    try:
        datetime.strptime(_SOME_DAY.strftime(pattern), pattern)  # noqa: DTZ007 nothing comes of it
    except (ValueError, re.error) as error:
        raise UsageError(f"the name pattern {pattern!r} can't be used: {error}") from None
    # Looked for at each place: what looks like it may begin within what only nearly does.
    return re.compile(rf"(?<!\d)(?=({''.join(parts)})(?!\d))")
