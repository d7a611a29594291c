"""/docs: the published description as one readable page; no script, nothing from another host."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from flask import Flask, current_app, render_template
from markupsafe import Markup, escape

from guitaronline.api import json, openapi
from guitaronline.api.errors import FRAMEWORK

STYLE = "api/docs.css"
METHODS = ("get", "post", "put", "patch", "delete")


def init_docs(app: Flask) -> None:
    app.add_url_rule("/docs", "api_docs", page)
    app.jinja_env.filters["code_marks"] = code_marks


def page() -> str:
    """GET /docs"""
    made: dict[str, Any] = current_app.extensions.setdefault("api_docs", {})
    if not made:
        document = openapi.document()
        style = zlib.crc32((Path(current_app.static_folder or "") / STYLE).read_bytes())  # browsers keep it for long
        made.update(document=document, groups=groups(document), codes=codes(document), style=f"{style:08x}")
    return render_template("api/docs.html", **made)


def code_marks(text: str) -> Markup:
    """Words between backticks as code."""
    words, *rest = text.split("`")
    marked = escape(words)
    for number, part in enumerate(rest):
        marked += Markup("<code>{}</code>").format(part) if number % 2 == 0 else escape(part)
    return marked


def groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations by tag, in the order in which they were declared."""
    found: dict[str, dict[str, Any]] = {tag["name"]: {**tag, "operations": []} for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                found[operation["tags"][0]]["operations"].append(_operation(document, path, method, item, operation))
    return list(found.values())


def codes(document: dict[str, Any]) -> dict[str, list[str]]:
    """Every code a problem may carry, with the numbers it comes with."""
    found = {code: {str(status)} for status, (code, _) in FRAMEWORK.items()}
    for item in document["paths"].values():
        for method in METHODS:
            for status, response in item.get(method, {}).get("responses", {}).items():
                for code in response["description"].split("`")[1::2] if status >= "400" else ():
                    found.setdefault(code, set()).add(status)
    return {code: sorted(statuses) for code, statuses in sorted(found.items())}


def _operation(
    document: dict[str, Any], path: str, method: str, item: dict[str, Any], operation: dict[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody")
    return {
        **operation,
        "path": path,
        "method": method.upper(),
        "anchor": f"{method}-{path.strip('/').replace('/', '-')}".replace("{", "").replace("}", ""),
        "asked": [_row(each["name"], each["schema"], each.get("required", False), each.get("description", ""), each["in"])
                  for each in item.get("parameters", []) + operation.get("parameters", [])],
        "fields": _fields(document, body["content"]["application/json"]["schema"]) if body else [],
        "example": json.dumps(_example(document, body["content"]["application/json"]["schema"])) if body else "",
        "given": _given(document, operation),
    }  # fmt: skip


def _given(document: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    for status, response in operation["responses"].items():
        if status < "300" and "content" in response:
            (content, *_) = response["content"].values()
            return _fields(document, content["schema"])
    return []


def _fields(document: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """One row a field; fields of nested objects as `price.currency`, `items[].id`."""
    schema = _resolved(document, schema)
    rows = []
    for name, field in schema.get("properties", {}).items():
        plain = _resolved(document, field)
        rows.append(_row(prefix + name, plain, name in schema.get("required", []), plain.get("description", "")))
        inner = _resolved(document, plain.get("items", {})) if plain.get("type") == "array" else plain
        mark = "[]." if plain.get("type") == "array" else "."
        rows += _fields(document, inner, f"{prefix}{name}{mark}")
    return rows


def _row(name: str, schema: dict[str, Any], required: bool, words: str, place: str = "") -> dict[str, Any]:
    kind = schema.get("type", "object")
    kinds = " or ".join(kind) if isinstance(kind, list) else kind
    return {
        "name": name,
        "kind": f"{kinds} ({schema['format']})" if "format" in schema else kinds,
        "required": required,
        "place": place,
        "words": words or schema.get("description", ""),
        "limits": _limits(schema),
    }


def _limits(schema: dict[str, Any]) -> str:
    ranges = [
        f"{schema.get(least, 0)} to {schema[most]}{what}"
        for least, most, what in (
            ("minLength", "maxLength", " characters"),
            ("minimum", "maximum", ""),
            ("minItems", "maxItems", " of them"),
        )
        if most in schema
    ]
    words = ["one of " + ", ".join(map(str, schema["enum"]))] if "enum" in schema else []
    default = [f"default {schema['default']}"] if "default" in schema else []
    return "; ".join(words + ranges + default)


def _example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A body that shows the required fields and those with an example."""
    schema = _resolved(document, schema)
    if "example" in schema:
        return schema["example"]
    if "properties" in schema:
        shown = {name: _resolved(document, field) for name, field in schema["properties"].items()}
        required = schema.get("required", [])
        return {
            name: _example(document, field) for name, field in shown.items() if name in required or "example" in field
        }
    kind = schema.get("type")
    if schema.get("enum"):
        return schema["enum"][0]
    return {"integer": schema.get("minimum", 1), "boolean": True, "array": []}.get(
        str(kind), f"<{schema.get('format', 'text')}>"
    )


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference, keeping what stands beside the reference; the first of several."""
    for several in ("anyOf", "allOf", "oneOf"):
        if several in schema:
            rest = {name: value for name, value in schema.items() if name != several}
            return {**_resolved(document, schema[several][0]), **rest}
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    return {**document["components"]["schemas"][name], **{key: value for key, value in schema.items() if key != "$ref"}}
