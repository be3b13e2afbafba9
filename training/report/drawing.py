"""Charts in one style: SVG that takes the page's colours, light or dark.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with any colour vision tell apart;
lines differ in their dashes as well.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from xml.etree import ElementTree as ET

from storage.errors import SetupError
from training.report.markup import Raw, printable

INK: Final = "#20262e"
MUTED: Final = "#5c6773"
RULE: Final = "#d5dae0"
PAPER: Final = "#ffffff"
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
CHART: Final = (4.8, 3.4)
"""Inches of a chart of common size."""

DASHES: Final = ("-", "--", "-.", ":")

VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{place})" for place, colour in enumerate(SERIES)},
}
"""What stands in the page for each colour, so that the page's style can change it."""

_STYLE: Final = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "text.color": INK,
    # A file name with two dollar signs is no formula.
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",
}
_SVG: Final = "{http://www.w3.org/2000/svg}"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"

Draw = Callable[[Any], None]
"""Draws into a `matplotlib.figure.Figure`."""


def svg(name: str, size_inch: tuple[float, float], draw: Draw, *, says: str) -> Raw:
    """A chart as an `<svg>` element to stand in a page.

    It has no style attributes and no identifiers but those it refers to, so that a strict content security policy
    allows it and several fit into one page.

    Args:
        name: no other chart of the page has.
        size_inch: width and height; in the page it grows and shrinks with its place.
        draw: draws it.
        says: its content for who can't see it.

    Raises:
        SetupError: Matplotlib is missing.
    """
    stream = io.StringIO()
    with _figure(size_inch, draw, {"svg.hashsalt": name}) as figure, warnings.catch_warnings():
        # The letters are the page's own; that Matplotlib's typeface lacks some is of no account.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    # A name from the data may hold characters that no XML may.
    root = ET.fromstring(printable(stream.getvalue()))  # noqa: S314 it was made just now
    _strip(root)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", printable(says))
    text = ET.tostring(root, encoding="unicode", short_empty_elements=True)
    for colour, variable in VARIABLES.items():
        text = text.replace(f'"{colour}"', f'"{variable}"')
    return Raw(text)


@contextmanager
def _figure(size_inch: tuple[float, float], draw: Draw, more: dict[str, Any]) -> Iterator[Any]:
    # Not pyplot: that keeps global state and looks for a display.
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SetupError(f"drawing figures needs the training set ({error}): run `make setup-train`") from error
    with mpl.rc_context({**_STYLE, **more}):
        figure = Figure(size_inch, dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        yield figure


def _strip(root: ET.Element) -> None:
    """Take out metadata and style sheets, turn style attributes into plain ones, drop identifiers without use."""
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    used: set[str] = set()
    for element in root.iter():
        _plain_style(element)
        if (target := element.attrib.pop(_LINK, None)) is not None:
            element.set("href", target)
        used |= {value[1:] for value in element.attrib.values() if value.startswith("#")}
        used |= {value[5:-1] for value in element.attrib.values() if value.startswith("url(#")}
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
    ET.register_namespace("", _SVG.strip("{}"))


def _plain_style(element: ET.Element) -> None:
    """`style="fill: red"` becomes `fill="red"`; the typeface is the page's."""
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            sizes = [part for part in value.split() if part.endswith("px")]
            name, value = "font-size", sizes[0] if sizes else ""
        if name and value and name != "font-family":
            element.set(name, value)
