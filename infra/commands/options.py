"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results only, one object a line.")]
Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="FILE", help="Classifier, with labels.json beside it.", show_default=False),
]
Detector = Annotated[
    str | None,
    typer.Option("--detector", metavar="NAME", help="Face detector (blazeface-full-range).", show_default=False),
]
MinFace = Annotated[
    int | None,
    typer.Option(
        "--min-face", metavar="PX", help="Smallest face that is judged, longer side (24).", show_default=False
    ),
]
Dwell = Annotated[
    float | None,
    typer.Option("--dwell", metavar="S", help="Seconds that a breach must last (1.0).", show_default=False),
]
