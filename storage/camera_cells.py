"""The cells of a list of cameras: what each column takes, and what no spreadsheet is to compute."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from storage.camera_words import parse_hours, parse_labels, parse_number, parse_regions
from storage.errors import InvalidError
from storage.names import NONE, normal_name

_FORMULA: Final = re.compile(r"'*[ \t\r\n]*[=+\-@\t\r\n]")
"""What a spreadsheet would compute, and what was made harmless before."""

_TRUTH: Final = {
    "yes": True,
    "true": True,
    "1": True,
    "on": True,
    "no": False,
    "false": False,
    "0": False,
    "off": False,
}


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; it could be made to send what else is in the sheet somewhere.

    >>> harmless("=1+1"), taken_back("'=1+1")
    ("'=1+1", '=1+1')
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def taken_back(cell: str) -> str:
    """What `harmless` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _transport(cell: str) -> str:
    if cell.lower() not in {"tcp", "udp"}:
        raise InvalidError(f"{cell[:40]!r} is no transport: write tcp or udp")
    return cell.lower()


def _truth(cell: str) -> bool:
    if cell.lower() not in _TRUTH:
        raise InvalidError(f"{cell[:40]!r} is neither yes nor no")
    return _TRUTH[cell.lower()]


def _whole(cell: str) -> int:
    number = parse_number(cell)
    if number != int(number):
        raise InvalidError(f"{cell[:40]!r} is no whole number")
    return int(number)


def _or_none(read: Callable[[str], Any], absent: object = None) -> Callable[[str], Any]:
    return lambda cell: absent if cell.lower() == NONE else read(cell)


READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "name": normal_name,
    "building": normal_name,
    "zone": _or_none(normal_name),
    "url": str,
    "substream_url": _or_none(str),
    "transport": _transport,
    "credential": _or_none(normal_name),
    "analyze_fps": parse_number,
    "min_face_px": _whole,
    "counts": _truth,
    "enabled": _truth,
    "labels": parse_labels,
    "dwell_s": parse_number,
    "hours": _or_none(parse_hours),
    "regions": _or_none(parse_regions, ()),
    "detection": _or_none(parse_number),
    "confidence": _or_none(parse_number),
}
