"""Building blocks of the page. Whatever comes from data passes `escaped`."""

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.labels import LABELS
from training.scores import Figure

MAX_ROWS: Final = 40
"""Of a table of data; a longer one ends with a note, and is whole in `report.json`."""

MANY_FACTS: Final = 12
"""More plain values of one kind stand in a paragraph instead of a table; of those, `MAX_FACTS` at most."""

MAX_FACTS: Final = 80
MANY_COLUMNS: Final = 6
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
TILE_PX: Final = 112


class Raw(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(value: object) -> Raw:
    """A value as text of the page."""
    return value if isinstance(value, Raw) else Raw(html.escape(printable(text_of(value)), quote=True))


def printable(text: str) -> str:
    """The text with a mark in place of each character that no page and no drawing may hold.

    >>> printable("a" + chr(1) + "b")
    'a\N{REPLACEMENT CHARACTER}b'
    """
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def text_of(value: object) -> str:
    """A value in words: nothing for None, few digits for numbers."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 the one value unlike itself
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text_of(one)}" for key, one in value.items()) or "-"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(map(text_of, value)) or "-"
    return str(value)


def percent(figure: Figure) -> str:
    """A proportion with its interval: `97.9 % (96.9-98.6)`."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "-"
    return f"{100 * figure.value:.1f} % ({100 * figure.low:.1f}-{100 * figure.high:.1f})"


def decimal(figure: Figure) -> str:
    """A figure with its interval: `0.790 (0.712-0.856)`."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "-"
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"


def section(title: str, *parts: str) -> Raw:
    """A part of the page under a heading; nothing where all of its parts are empty."""
    content = "".join(part for part in parts if part)
    return Raw(f"<section><h2>{escaped(title)}</h2>{content}</section>") if content else Raw("")


def paragraph(text: object) -> Raw:
    """A paragraph."""
    return Raw(f"<p>{escaped(text)}</p>")


def grid(*parts: str) -> Raw:
    """Parts side by side where there is room."""
    inner = "".join(f"<div>{part}</div>" for part in parts if part)
    return Raw(f'<div class="grid">{inner}</div>') if inner else Raw("")


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> Raw:
    """A table; the first cell of a row is its name, numbers stand to the right."""
    rows = list(rows)
    if not rows:
        return Raw("")
    lines = []
    for row in rows[:MAX_ROWS]:
        cells = [f'<th scope="row">{escaped(row[0])}</th>']
        cells += [f'<td class="{_kind(cell)}">{escaped(cell)}</td>' for cell in row[1:]]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if len(rows) > MAX_ROWS:
        note = f"and {len(rows) - MAX_ROWS} more, which are in report.json"
        lines.append(f'<tr><td colspan="{len(head)}">{note}</td></tr>')
    heading = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    titled = f"<caption>{escaped(caption)}</caption>" if caption else ""
    body = f"<thead><tr>{heading}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return Raw(f'<div class="scroll"><table>{titled}{body}</table></div>')


def _kind(cell: object) -> str:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return "n"
    # A figure and its interval belong on one line.
    return "f" if isinstance(cell, str) and cell[:1].isdigit() and cell.endswith(")") else "t"


def facts(rows: Iterable[tuple[str, object]], *, caption: str = "") -> Raw:
    """A table of names and values."""
    lines = "".join(f'<tr><th scope="row">{escaped(name)}</th><td>{escaped(value)}</td></tr>' for name, value in rows)
    titled = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return Raw(f'<div class="scroll"><table>{titled}<tbody>{lines}</tbody></table></div>') if lines else Raw("")


def bullets(items: Sequence[object], kind: str = "") -> Raw:
    """A list; `kind` is `warning` for warnings."""
    if not items:
        return Raw("")
    lines = [f"<li>{escaped(item)}</li>" for item in items[:MAX_ROWS]]
    if len(items) > MAX_ROWS:
        lines.append(f"<li>and {len(items) - MAX_ROWS} more, which are in report.json</li>")
    return Raw(f'<ul class="{escaped(kind)}">{"".join(lines)}</ul>')


def tile(rgb: NDArray[np.uint8], *lines: object, says: str) -> Raw:
    """A small picture, (side, side, 3) RGB, with lines beneath it; it travels within the page."""
    return Raw(f"<figure>{image(rgb, says)}<figcaption>{'<br>'.join(map(escaped, lines))}</figcaption></figure>")


def image(rgb: NDArray[np.uint8], says: str) -> Raw:
    """A picture as an `<img>` of `TILE_PX`."""
    small = cv2.resize(rgb, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
    source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return Raw(f'<img width="{TILE_PX}" height="{TILE_PX}" alt="{escaped(says)}" src="{source}">')


def tables_of(name: str, value: Any) -> Raw:
    """Nested plain data as tables and lists, whatever it is made of.

    Args:
        name: heading of it, and before the headings of its parts; "" for none.
        value: of dicts, lists, strings, numbers and None.
    """
    if isinstance(value, Mapping):
        return _tables_of_mapping(_title(name), value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and all(isinstance(item, Mapping) for item in value):
            head = list(dict.fromkeys(str(key) for item in value for key in item))
            rows = ([item.get(key) for key in head] for item in value)
            return table([_title(key) for key in head], rows, caption=_title(name))
        if value and all(isinstance(item, str) for item in value):
            return Raw(f"<div><h3>{escaped(_title(name))}</h3>{bullets(value)}</div>")
    return facts([(_title(name), value)]) if value not in (None, [], {}, ()) else Raw("")


def _tables_of_mapping(title: str, value: Mapping[str, Any]) -> Raw:
    flat = {key: one for key, one in value.items() if not _nested(one)}
    deep = {key: one for key, one in value.items() if _nested(one)}
    if len(flat) > MANY_FACTS and not deep:
        return Raw(f"<div><h3>{escaped(title)}</h3>{paragraph(_in_a_row(flat))}</div>")
    parts = [facts(((_title(key), one) for key, one in flat.items()), caption=title)] if flat else []
    columns = list(dict.fromkeys(str(key) for one in deep.values() if isinstance(one, Mapping) for key in one))
    alike = len(deep) > 1 and not flat and len(columns) <= MANY_COLUMNS
    if alike and all(isinstance(one, Mapping) and not any(map(_nested, one.values())) for one in deep.values()):
        lines = ([key, *(one.get(column, 0) for column in columns)] for key, one in deep.items())
        parts.append(table([title, *map(_title, columns)], lines))
    else:
        parts += [tables_of(f"{title}: {_title(key)}" if title else str(key), one) for key, one in deep.items()]
    return Raw(f'<div class="flow">{"".join(parts)}</div>') if parts else Raw("")


def _title(name: object) -> str:
    return str(name) if name in LABELS else str(name).replace("_", " ")


def _in_a_row(value: Mapping[str, Any]) -> str:
    shown = [f"{key}: {text_of(one)}" for key, one in list(value.items())[:MAX_FACTS]]
    more = f", and {len(value) - MAX_FACTS} more, which are in report.json" if len(value) > MAX_FACTS else ""
    return ", ".join(shown) + more


def _nested(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(isinstance(item, Mapping | str | list | tuple) for item in value)
    return False
