"""A list of cameras as a file of comma-separated values: forty are set up at once, and taken to another system.

One camera a line, by name. A column that is not there and a cell that is empty leave a camera as it is, and give a new one
the default; `none` takes away. Passwords are not in the file that is written: `***` stands for them, which keeps the
password of a camera that is there.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from storage.camera_cells import READ, harmless, taken_back
from storage.camera_words import (
    show_hours,
    show_labels,
    show_number,
    show_regions,
)
from storage.database.records import Camera, Transport
from storage.database.userinfo import shown_address
from storage.errors import InputError, InvalidError
from storage.hours import Hours
from storage.names import NONE, normal_name
from storage.regions import Region
from storage.words import Label

MOST_BYTES: Final = 1024 * 1024
MOST_CAMERAS: Final = 500
"""They are taken in at one go, and meanwhile nothing else is written: half a second for these."""
DELIMITERS: Final = (",", ";", "\t")


class Listed(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One camera of a list; what is not set stays as it is.

    Attributes:
        line: of the file, from 1; of other lists its place, from 1.
        name: of the camera.
        building, zone: identifier or name.
        labels, dwell_s, hours: of its policy.
        detection, confidence: of its thresholds.
        url, substream_url, transport, credential, analyze_fps, min_face_px, counts, enabled, regions: see `NewCamera`.
    """

    line: int
    name: str
    building: str | UnsetType = UNSET
    zone: str | UnsetType | None = UNSET
    url: str | UnsetType = UNSET
    substream_url: str | UnsetType | None = UNSET
    transport: Transport | UnsetType = UNSET
    credential: str | UnsetType | None = UNSET
    analyze_fps: float | UnsetType = UNSET
    min_face_px: int | UnsetType = UNSET
    counts: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    labels: tuple[Label, ...] | UnsetType = UNSET
    dwell_s: float | UnsetType = UNSET
    hours: tuple[Hours, ...] | UnsetType | None = UNSET
    regions: tuple[Region, ...] | UnsetType = UNSET
    detection: float | UnsetType | None = UNSET
    confidence: float | UnsetType | None = UNSET

    def __repr__(self) -> str:
        # Addresses carry passwords, and a repr ends up in logs.
        return f"Listed(line={self.line}, name={self.name!r})"


class Mistake(msgspec.Struct, frozen=True):
    """Why a line of a list can't be taken.

    Attributes:
        line: which, from 1; 0 for the list as a whole.
        message: what is wrong there.
    """

    line: int
    message: str


COLUMNS: Final = tuple(name for name in Listed.__struct_fields__ if name != "line")

_WORD: Final = re.compile(r"[a-z_]{1,40}")


def mistake_of(line: int, message: str) -> Mistake:
    """A mistake, told without the password of an address that stands in a wrong cell."""
    return Mistake(line, shown_address(message))


def read_list(data: bytes) -> tuple[list[Listed], list[Mistake]]:
    """Read a list.

    Args:
        data: UTF-8 with or without a mark at its beginning, or UTF-16 with one; separated by commas, semicolons or tabs.

    Returns:
        What can be read, and what is wrong with the rest.

    Raises:
        InputError: it is no such list.
    """
    text = _text(data)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    listed: list[Listed] = []
    mistakes: list[Mistake] = []
    header: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(cells)
            elif len(listed) + len(mistakes) >= MOST_CAMERAS:
                raise InputError(f"a list has at most {MOST_CAMERAS} cameras: divide it")
            else:
                _take(line, header, cells, listed, mistakes)
    except csv.Error as error:
        raise InputError(f"line {begins} of the list can't be read ({error}): check its quotation marks") from None
    if header is None:
        raise InputError(f"the list is empty: its first line names the columns, such as {','.join(COLUMNS[:4])}")
    return listed, mistakes + doubled(listed)


def doubled(listed: Iterable[Listed]) -> list[Mistake]:
    """Names that stand in a list twice."""
    first: dict[str, int] = {}
    return [
        mistake_of(one.line, f"{one.name!r} is the name of line {first[normal_name(one.name)]} already")
        for one in listed
        if first.setdefault(normal_name(one.name), one.line) != one.line
    ]


def write_list(cameras: Iterable[Camera], buildings: Mapping[str, str], zones: Mapping[str, str]) -> str:
    """The file that `read_list` reads, with no password in it.

    Args:
        cameras: to be written.
        buildings: words for them (their names), by identifier.
        zones: likewise.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for camera in cameras:
        cells = show_camera(
            camera, buildings[camera.building_id], None if camera.zone_id is None else zones[camera.zone_id]
        )
        writer.writerow([harmless(cells[name]) for name in COLUMNS])
    return out.getvalue()


def show_camera(camera: Camera, building: str, zone: str | None) -> dict[str, str]:
    """The cells of a camera, by column."""
    return {
        "name": camera.name,
        "building": building,
        "zone": zone or NONE,
        "url": camera.shown_url,
        "substream_url": camera.shown_substream_url or NONE,
        "transport": camera.transport,
        # Empty, which leaves it as it is, where an earlier version took `none` for a name.
        "credential": "" if (camera.credential or "").lower() == NONE else camera.credential or NONE,
        "analyze_fps": show_number(camera.analyze_fps),
        "min_face_px": str(camera.min_face_px),
        "counts": "yes" if camera.counts else "no",
        "enabled": "yes" if camera.enabled else "no",
        "labels": show_labels(camera.policy.labels),
        "dwell_s": show_number(camera.policy.dwell_s),
        "hours": show_hours(camera.policy.hours),
        "regions": show_regions(camera.regions) or NONE,
        "detection": NONE if camera.thresholds.detection is None else show_number(camera.thresholds.detection),
        "confidence": NONE if camera.thresholds.confidence is None else show_number(camera.thresholds.confidence),
    }


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise InputError(f"a list of cameras has at most {MOST_BYTES} bytes")
    try:
        text = data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the list is no text in UTF-8: save it as `CSV UTF-8`") from None
    if "\0" in text:
        raise InputError("the list is no text: save it as `CSV UTF-8`")
    return text


def _delimiter(text: str) -> str:
    """What stands between the names of the columns; spreadsheets write semicolons where commas are decimal."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)


def _header(cells: list[str]) -> list[str]:
    header = [cell.strip().lower().replace(" ", "_") for cell in cells]
    while header and not header[-1]:
        header.pop()
    if unknown := [name for name in header if name not in COLUMNS]:
        columns = ", ".join(COLUMNS)
        if not _are_names(header, unknown[0]):
            raise InputError(f"the first line must name the columns: {columns}")
        raise InputError(f"the list has a column {unknown[0]!r}; there are {columns}")
    if len(set(header)) != len(header):
        raise InputError("the list has a column twice")
    if "name" not in header:
        raise InputError(f"the list has no column `name`; the first line names the columns: {', '.join(COLUMNS)}")
    return header


def _are_names(header: list[str], unknown: str) -> bool:
    """Whether a first line names columns, wrong ones too: else it may be a camera, and no cell of it is shown."""
    known = any(name in COLUMNS for name in header) or get_close_matches(unknown, COLUMNS)
    return bool(known) and all(_WORD.fullmatch(name) for name in header if name)


def _take(line: int, header: list[str], cells: list[str], listed: list[Listed], mistakes: list[Mistake]) -> None:
    if any(cell.strip() for cell in cells[len(header) :]):
        mistakes.append(Mistake(line, f"it has {len(cells)} cells, and there are {len(header)} columns"))
        return
    given = {name: taken_back(cell).strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
    values: dict[str, Any] = {}
    for name, cell in given.items():
        try:
            values[name] = READ[name](cell)
        except InvalidError as error:
            mistakes.append(mistake_of(line, f"{name}: {error}"))
            return
    if "name" not in values:
        mistakes.append(Mistake(line, "name: it is empty"))
        return
    listed.append(Listed(line=line, **values))
