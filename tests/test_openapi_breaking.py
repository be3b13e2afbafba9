"""Whoever has written a program for the API can go on using it: the document may grow, and breaks nothing that was committed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from api.access import ACCESS
from api.examples import example
from api.openapi import text as document_text

COMMITTED: Final = json.loads((Path(__file__).parent.parent / "docs" / "openapi.json").read_text())
CURRENT: Final = json.loads(document_text())


def broken(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What programs that were written for one document can't do, or don't find, with another."""
    return [*_operations(old, new), *_shapes(old, new)]


def _operations(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for path, operations in old["paths"].items():
        for method, was in operations.items():
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{method.upper()} {path} is gone"
                continue
            yield from (f"{method.upper()} {path}: {one}" for one in _parameters(was, now))
            gone = {one for one in was["responses"] if one.startswith("2")} - set(now["responses"])
            yield from (f"{method.upper()} {path}: no answer {one} any more" for one in sorted(gone))


def _parameters(was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    before = {(one["in"], one["name"]) for one in was.get("parameters", ())}
    after = {(one["in"], one["name"]): one.get("required", False) for one in now.get("parameters", ())}
    yield from (f"parameter {name} is gone" for where, name in sorted(before - set(after)) if where != "path")
    yield from (
        f"parameter {name} is required now"
        for (where, name), needed in after.items()
        if needed and (where, name) not in before
    )
    if now.get("requestBody", {}).get("required") and "requestBody" not in was:
        yield "a body is required now"


def _shapes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    sent = _sent(new)
    for name, was in old["components"]["schemas"].items():
        now = new["components"]["schemas"].get(name)
        if now is None:
            # It may have another name: what counts is where it is used.
            continue
        for one in sorted(set(was.get("properties", {})) - set(now.get("properties", {}))):
            yield f"{name}.{one} is gone"
        if name in sent:
            fresh = set(now.get("required", ())) - set(was.get("required", ()))
            yield from (f"{name}.{one} is required now" for one in sorted(fresh))
            yield from (
                f"{name}: no {one!r} any more" for one in was.get("enum", ()) if one not in now.get("enum", (one,))
            )


def _sent(document: dict[str, Any]) -> set[str]:
    """Names of the shapes that programs send."""
    found: set[str] = set()
    bodies = [
        operation["requestBody"]
        for operations in document["paths"].values()
        for operation in operations.values()
        if "requestBody" in operation
    ]
    waiting = list(_named(bodies))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _named(document["components"]["schemas"][name])
    return found


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        for one in part.values():
            yield from _named(one)
    elif isinstance(part, list):
        for one in part:
            yield from _named(one)


def test_nothing_that_was_committed_breaks() -> None:
    assert broken(COMMITTED, CURRENT) == []


PATH: Final = "/api/v1/cameras"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ((), None, "GET /api/v1/cameras is gone"),
        (("get", "parameters", 0, "name"), "most", "GET /api/v1/cameras: parameter limit is gone"),
        (("get", "responses", "200"), None, "GET /api/v1/cameras: no answer 200 any more"),
    ],
)
def test_what_would_break_is_said(path: tuple[Any, ...], value: object, said: str) -> None:
    changed = json.loads(json.dumps(CURRENT))
    at, last = changed["paths"], PATH
    for step in path:
        at, last = at[last], step
    if value is None:
        del at[last]
    else:
        at[last] = value
    assert said in broken(CURRENT, changed)


def test_a_new_field_that_has_to_be_sent_would_break() -> None:
    changed = json.loads(json.dumps(CURRENT))
    changed["components"]["schemas"]["CameraIn"]["required"].append("enabled")
    del changed["components"]["schemas"]["Camera"]["properties"]["enabled"]
    assert broken(CURRENT, changed) == ["Camera.enabled is gone", "CameraIn.enabled is required now"]


def test_every_route_says_who_may_and_every_shape_shows_an_example() -> None:
    for path, operations in CURRENT["paths"].items():
        for operation in operations.values():
            assert operation[ACCESS] in {"public", "viewer", "reviewer", "operator", "admin"}, path
    for name, schema in CURRENT["components"]["schemas"].items():
        if "properties" in schema:
            assert schema["examples"], name
            for one in schema["examples"]:
                jsonschema_rs.validate(schema | {"components": CURRENT["components"]}, one)


def test_examples_are_what_the_limits_allow() -> None:
    shape = {
        "type": "object",
        "required": ["share", "name", "corners"],
        "properties": {
            "share": {"type": "number", "minimum": 0.2, "maximum": 0.8},
            "name": {"type": "string", "minLength": 12},
            "corners": {"type": "array", "minItems": 2, "items": {"$ref": "#/components/schemas/Corner"}},
            "kind": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]},
            "wide": {"type": "integer", "minimum": 8, "maximum": 1000},
        },
    }
    shapes = {"Corner": {"type": "array", "prefixItems": [{"type": "integer"}, {"const": 7}]}}
    assert example(shape, shapes) == {
        "share": 0.2,
        "name": "North doorxx",
        "corners": [[1, 7], [1, 7]],
        "kind": "a",
        "wide": 8,
    }
