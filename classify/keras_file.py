"""What is in a `.keras` file of a stranger, looked at before Keras opens it."""

import builtins
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from storage.errors import InputError, SetupError

MAX_CONFIG_BYTES: Final = 50_000_000
MAX_UNPACKED_BYTES: Final = 2 * 1024**3
MAX_RATIO: Final = 100
"""Of what is in the file to the file itself, from `RATIO_FROM_BYTES` on: weights hardly get smaller by packing."""

RATIO_FROM_BYTES: Final = 64 * 1024**2

CALCULATES: Final = frozenset(
    {"activations", "constraints", "initializers", "losses", "metrics", "ops", "regularizers"}
)
"""Modules of Keras whose functions and classes calculate, and do nothing else."""

CLASSES: Final = frozenset({"dtype_policies", "layers", "optimizers", "quantizers"})
"""Modules of Keras of which a network needs the classes alone. Losses, metrics and optimizers stand in files that were
saved after training; `keras.utils` and the like do other things."""

WHOLE: Final = frozenset({"DTypePolicy", "Functional", "Model", "Sequential", "Variable"})
"""What may come from `keras` itself and from `keras.models`, which also opens files."""

READS_FILES: Final = frozenset({"StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"})
RUNS_CODE: Final = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
"""Layers that bring code of their own, or load it from elsewhere."""


def refuse_code(path: Path) -> None:
    """Refuse a file that is more than a network: it needs code to run, or would fill the memory.

    Raises:
        InputError: it is such a file, or no `.keras` file.
        SetupError: it can't be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
                raise InputError(f"{path} is not a Keras model: what describes it is larger than any network needs")
            _refuse_bomb(path, sum(member.file_size for member in archive.infolist()))
            config = json.loads(archive.read("config.json"))
    except OSError as error:
        raise SetupError(f"the classifier model {path} can't be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is not a .keras file: save the model with model.save('model.keras')") from error
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
            _refuse_part(path, item)


def _refuse_bomb(path: Path, unpacked: int) -> None:
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * path.stat().st_size):
        raise InputError(f"{path} is not a Keras model: unpacked it would take {unpacked / 1e6:.0f} MB")


def _refuse_part(path: Path, part: dict[str, Any]) -> None:
    kind, module = part.get("class_name"), part.get("module")
    if kind in RUNS_CODE:
        raise InputError(
            f"{path} has a {str(kind).strip('_').capitalize()} layer, which runs code that is in the file or elsewhere; "
            "build the model from plain Keras layers (Rescaling instead of a Lambda)"
        )
    if kind is None and module is None:
        return
    name = part.get("config") if kind == "function" else kind
    if kind in READS_FILES or (module is not None and not _known(str(module), str(name), function=kind == "function")):
        raise InputError(
            f"{path} needs {module}.{name}, which is not part of Keras' networks for pictures: build the model from plain "
            "Keras layers"
        )


def _known(module: str, name: str, *, function: bool) -> bool:
    """Whether a name is one of a network's parts."""
    if module == "builtins":
        # Keras' own functions are named so; of Python's not one is wanted.
        return function and not hasattr(builtins, name)
    room, _, rest = module.partition(".")
    inner = rest.removeprefix("src").removeprefix(".").partition(".")[0]
    if room != "keras" or not name.isidentifier():
        return False
    if inner in ("", "models"):
        return name in WHOLE
    return inner in CALCULATES or (inner in CLASSES and not function and name[0].isupper())
