"""The report that a training or an evaluation leaves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from classify.classifier import FaceClassifier
from storage.files import write_bytes
from training.checkpoint import Epoch
from training.data_report import DataReport
from training.evaluation import Measured

OnData = Callable[[DataReport], None]
"""Called with what the checks found in the pictures, before the training."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says besides the figures: heading, facts, the data, the options, the epochs."""

    title: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    data: DataReport | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Epoch] = ()


def leave_report(
    out: Path,
    measured: Measured,
    told: Told,
    *,
    classifier: FaceClassifier | None = None,
    file: Path | None = None,
) -> None:
    """Write `report.html`, `report.json` and `figures.json` (the figures alone) into `out`.

    Args:
        out: folder.
        measured: figures, and the faces and probabilities they rest on.
        told: the rest.
        classifier: that gave the probabilities, to show what spoke for them; None where there were several.
        file: it was loaded from.

    Raises:
        SetupError: Matplotlib is missing.
        StorageError: `out` can't be written.
    """
    from training.explanation import explained
    from training.report import Run, write_report

    found, crops, probabilities = measured
    heats = [] if classifier is None else explained(classifier, crops, probabilities, file=file)
    write_bytes(out / "figures.json", json_bytes(found))
    write_report(
        out,
        Run(
            told.title, found, crops, probabilities, facts=told.facts, data=told.data, options=told.options,
            history=told.history, heats=heats,
        ),
    )  # fmt: skip


def json_bytes(value: Any) -> bytes:
    """The value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"


def as_table(options: Any) -> dict[str, Any]:
    """The fields of a dataclass, or a struct, by name, as JSON has them."""
    return dict(msgspec.json.decode(msgspec.json.encode(options, enc_hook=str)))
