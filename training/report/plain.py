"""Anything that is measured as plain data: what JSON has, and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np


def plain(value: Any) -> Any:
    """Dataclasses, arrays and paths as dicts, lists, text and numbers; text that can't be encoded is replaced."""
    return _clean(msgspec.to_builtins(value, enc_hook=_builtin))


def _builtin(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return dict(value) if isinstance(value, Mapping) else str(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        # A file name need not be text.
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(key): _clean(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_clean(one) for one in value]
    return value
