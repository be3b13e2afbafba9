"""Putting the report together and writing it."""

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from storage.files import make_folder, write_bytes
from training.evaluation import worst
from training.labels import LABELS
from training.report.cases import ERRORS_SHOWN
from training.report.markup import Raw, escaped
from training.report.plain import plain
from training.report.run import Run
from training.report.sections import sections
from training.report.style import STYLE

SCHEMA_VERSION: Final = 1


def write_report(out: Path, run: Run) -> None:
    """Write `report.html` and `report.json`.

    The page is one file that runs no script and loads nothing: its content security policy allows its own style sheet
    and the pictures within it, nothing else. The JSON file has everything that is in it but the pixels.

    Args:
        out: a folder; made where it is missing.
        run: what to show.

    Raises:
        SetupError: Matplotlib is missing.
        StorageError: a file can't be written.
    """
    make_folder(out)
    page = _page(run)
    write_bytes(out / "report.json", _json(run))
    # A file name need not be text; what can't be encoded becomes a question mark.
    write_bytes(out / "report.html", page.encode("utf-8", "replace"))


def _page(run: Run) -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    body = Raw("").join(sections(run))
    found = run.evaluation
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escaped(run.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{escaped(run.title)}</h1><p>{escaped(found.model)} on {escaped(found.split)}</p></header>
<main>
{body}
</main>
<footer>Everything on this page but the pictures is in report.json beside it. The page shows people's faces: keep it as
you keep the data.</footer>
</body>
</html>
"""


def _json(run: Run) -> bytes:
    crops, said = run.crops, run.probabilities
    content = {
        "schema_version": SCHEMA_VERSION,
        "title": run.title,
        "facts": run.facts,
        "data": run.data,
        "options": run.options,
        "history": run.history,
        "evaluation": run.evaluation,
        "errors": [_face(run, place) for place in worst(crops.labels, said, ERRORS_SHOWN).tolist()],
        "explained": [
            {**_face(run, heat.place), "label": LABELS[heat.label], "heat": heat.heat.astype(float).round(4).tolist()}
            for heat in run.heats
        ],
    }
    return msgspec.json.format(msgspec.json.encode(plain(content)), indent=2) + b"\n"


def _face(run: Run, place: int) -> dict[str, Any]:
    crops = run.crops
    return {
        "name": str(crops.names[place]),
        "source": str(crops.sources[place]),
        "width_px": round(float(crops.widths[place]), 1),
        "true": LABELS[crops.labels[place]],
        "probabilities": {
            label: round(float(one), 4) for label, one in zip(LABELS, run.probabilities[place], strict=False)
        },
    }
