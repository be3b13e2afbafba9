"""The documentation at `/api/docs`: a plain page made from the OpenAPI document, without anything from other hosts."""

from collections.abc import Iterator
from html import escape
from re import sub
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api.access import ACCESS, PUBLIC
from api.console import policy
from storage.identity import Role


def attach(app: FastAPI) -> None:
    """Add it."""

    @app.get("/api/docs", include_in_schema=False)
    def get_reference() -> HTMLResponse:
        return HTMLResponse("".join(_page(app.openapi())), headers={"Content-Security-Policy": policy()})


def _page(document: dict[str, Any]) -> Iterator[str]:
    title = escape(document["info"]["title"])
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{title} API</title>'
        '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/page.css"></head>'
        f'<body class="reference"><header><h1>{title} API</h1></header><main>'
        f"<p>{escape(document['info']['description'])} The whole contract, for programs: "
        '<a href="/api/openapi.json">openapi.json</a>. Errors are problem details (RFC 9457). Times are UTC, ISO 8601.</p>'
    )
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _operation(method.upper(), path, operation)
    yield "<h2>Shapes</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield from _shape(name, schema)
    yield "</main></body></html>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<section><h3><code>{method} {escape(path)}</code></h3><p>{_text(operation['summary'])}. "
    yield f"{_text(operation.get('description', ''))}</p>"
    yield f"<p>{_needed(operation[ACCESS])}</p>"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        yield f"<p>Body: {_kind(body)}</p>"
    parameters = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    if parameters:
        yield from _table(
            (one["name"], _kind(one["schema"]), one.get("description") or one["schema"].get("description", ""))
            for one in parameters
        )
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            kinds = [
                f"{escape(kind)} {_kind(one.get('schema', {}))}" for kind, one in answer.get("content", {}).items()
            ]
            yield f"<p>Answer {status}: {', '.join(kinds) or 'nothing'}</p>"
    yield "</section>"


def _needed(least: str) -> str:
    """Who may, in words."""
    if least == PUBLIC:
        return "Anybody may."
    others = [f"<code>{escape(role)}</code>" for role in Role if role.rank > Role(least).rank]
    more = f", or {', '.join(others)}" if others else ""
    return f"Needs the role <code>{escape(least)}</code>{more}."


def _shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<section id="{escape(name)}"><h3><code>{escape(name)}</code></h3>'
    yield f"<p>{_text(schema.get('description', ''))}</p>"
    if "enum" in schema:
        yield f"<p>{_kind(schema)}</p>"
    yield from _table(
        (one, _kind(kind), kind.get("description", "")) for one, kind in schema.get("properties", {}).items()
    )
    yield "</section>"


def _table(rows: Any) -> Iterator[str]:
    lines = [
        f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{_text(text)}</td></tr>"
        for name, kind, text in rows
    ]
    if lines:
        yield f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _text(text: str) -> str:
    return sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"<code>{escape(str(one))}</code>" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    parts = [escape(schema.get("format", schema.get("type", "")))]
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "default": "default"}
    parts += [f"{words} {escape(str(schema[key]))}" for key, words in limits.items() if schema.get(key) is not None]
    return ", ".join(parts)
