"""The `labels.json` beside exported files: one for all files of a model that lie in a folder."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from classify.labels_file import ModelLabels, read_labels
from storage.errors import MaskwatchError
from storage.files import write_bytes

FILE: Final = "labels.json"


def write_labels(folder: Path, labels: ModelLabels, files: dict[str, str]) -> None:
    """Enter files in the `labels.json` of a folder.

    Files of the same model that are named there and still lie there unchanged stay in it; what was said of another
    model is replaced.

    Args:
        folder: of the files.
        labels: of the model, without sums.
        files: sha256 by name of those just written.

    Raises:
        StorageError: it can't be written.
    """
    kept = {}
    try:
        before = read_labels(folder / FILE)
    except MaskwatchError:
        pass
    else:
        if msgspec.structs.replace(before, files={}, sha256=None) == msgspec.structs.replace(labels, files={}):
            kept = {name: digest for name, digest in before.files.items() if _sha256(folder / name) == digest}
    whole = msgspec.structs.replace(labels, files=dict(sorted({**kept, **files}.items())), sha256=None)
    stated = {name: value for name, value in msgspec.structs.asdict(whole).items() if value is not None}
    write_bytes(folder / FILE, msgspec.json.format(msgspec.json.encode(stated), indent=2) + b"\n")


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
