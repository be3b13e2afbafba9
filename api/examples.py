"""Examples for the shapes of the OpenAPI document, made from what the shapes say of themselves.

A shape is shown filled: each field by its own example, its default, or the first value that its limits allow.
"""

from typing import Any, Final

DEEPEST: Final = 8
"""Shapes within shapes; what lies deeper is left away."""

BY_FORMAT: Final = {"date-time": "2026-07-01T08:00:00.000Z", "date": "2026-07-01", "uri": "https://example.org"}
BY_NAME: Final = {
    "id": "c1",
    "name": "North door",
    "building_id": "b1",
    "building": "b1",
    "camera_id": "c1",
    "zone_id": "z1",
    "event_id": "c1-e7",
    "track_id": "c1-t7",
    "url": "rtsp://10.0.0.5/1",
    "timezone": "Europe/Berlin",
}


def fill(document: dict[str, Any]) -> None:
    """Give every shape of a document an example that has none.

    Args:
        document: in whose `components` the shapes are; it is changed.
    """
    shapes = document["components"]["schemas"]
    for schema in shapes.values():
        if schema.get("type") != "object" or "properties" not in schema:
            continue
        given = schema.pop("examples", None)
        # A shape that another is made from gives it its own example, which may lack what is new.
        whole = given and all(set(schema.get("required", ())) <= set(one) for one in given)
        schema["examples"] = given if whole else [example(schema, shapes)]


def example(schema: dict[str, Any], shapes: dict[str, Any], name: str = "", deep: int = 0) -> Any:
    """A value that a schema allows.

    Args:
        schema: of it.
        shapes: to which it may refer.
        name: of the field that has it.
        deep: in how many others it is.
    """
    if "$ref" in schema:
        return example(shapes[schema["$ref"].rpartition("/")[2]], shapes, name, deep)
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example(schema[key][0], shapes, name, deep)
    return _of_type(schema, shapes, name, deep)


def _of_type(schema: dict[str, Any], shapes: dict[str, Any], name: str, deep: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return {
            one: example(its, shapes, one, deep + 1)
            for one, its in schema.get("properties", {}).items()
            if one in schema.get("required", ()) or deep < DEEPEST
        }
    if kind == "array":
        return _items(schema, shapes, name, deep)
    if kind in {"integer", "number"}:
        least = schema.get("minimum", schema.get("exclusiveMinimum"))
        return 1 if least is None or least < 1 <= schema.get("maximum", 1) else least
    if kind == "boolean":
        return True
    if kind == "string":
        return _text(schema, name)
    return None


def _items(schema: dict[str, Any], shapes: dict[str, Any], name: str, deep: int) -> list[Any]:
    if "prefixItems" in schema:
        return [example(one, shapes, name, deep + 1) for one in schema["prefixItems"]]
    if "items" not in schema or deep >= DEEPEST:
        return []
    return [example(schema["items"], shapes, name, deep + 1)] * max(1, schema.get("minItems", 1))


def _text(schema: dict[str, Any], name: str) -> str:
    if (text := BY_FORMAT.get(schema.get("format", ""))) is not None:
        return text
    text = BY_NAME.get(name, "text")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", len(text) + 200)]
