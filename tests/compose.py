"""What `docker-compose.yml` says, with its variables resolved as Compose resolves them."""

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docker-compose.yml"
DOCS = ROOT / "docs" / "operations.md"

VALUES = {
    "MASKWATCH_REDIS_PASSWORD": "a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "MASKWATCH_POSTGRES_PASSWORD": "0f9e8d7c6b5a493827160f5e4d3c2b1a",
    "MASKWATCH_SECRET_KEY": "q0Zk3v7Yt1mB5xW9uJ2eRnDpL8sHcGaFoKiVbNzXwQ4=",
}
"""Of the variables that have to be set."""

_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:-|:\?)([^}]*))?\})")


class MissingVariableError(Exception):
    """A variable that has to be set is not."""


def raw() -> dict[str, Any]:
    """The file as it stands, anchors and merges resolved, variables not."""
    # It has no types, and comes with what the development set needs for other things.
    yaml: Any = import_module("yaml")
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def resolved(values: Mapping[str, str] = VALUES) -> dict[str, Any]:
    """Likewise, with variables.

    Raises:
        MissingVariableError: one that has to be set is not; with what the file says of it.
    """
    done: dict[str, Any] = resolve(raw(), values)
    return done


def resolve(part: Any, values: Mapping[str, str] = VALUES) -> Any:
    """A part of such a file, with variables; raises likewise."""
    if isinstance(part, dict):
        return {key: resolve(value, values) for key, value in part.items()}
    if isinstance(part, list):
        return [resolve(value, values) for value in part]
    return _VARIABLE.sub(lambda found: _value(found, values), part) if isinstance(part, str) else part


def overrides() -> dict[str, dict[str, Any]]:
    """The override files of docs/operations.md, by which boxes they are for; anchors resolved, variables not."""
    yaml: Any = import_module("yaml")
    fenced = re.findall(r"(?ms)^```yaml\n# docker-compose\.override\.yml on (.+?)\n(.+?)^```$", DOCS.read_text("utf-8"))
    return {boxes: yaml.safe_load(text) for boxes, text in fenced}


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    """Of a service."""
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def mib(size: str) -> float:
    """A size such as `512m` or `1g`."""
    return float(size[:-1]) * {"m": 1, "g": 1024}[size[-1]]


def strings(part: Any) -> list[str]:
    """All strings below a part of the file."""
    if isinstance(part, dict):
        return [text for value in part.values() for text in strings(value)]
    if isinstance(part, list):
        return [text for value in part for text in strings(value)]
    return [part] if isinstance(part, str) else []


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    dollar, name, kind, rest = found.groups()
    if dollar:
        return "$"
    value = values.get(name, "")
    if not value and kind == ":?":
        raise MissingVariableError(f"{name}: {rest}")
    return value or (rest if kind == ":-" else "")
