"""The OpenAPI document of what the simulator serves under its base path, drawn from the tables that the checks use."""

from typing import Any, Final, assert_never

from bridge.simulator import answers
from bridge.simulator.limits import Flag, Kind, Listing, Number, Shape, Text
from bridge.simulator.operations import TABLE, TOKEN_PATH, Operation

Json = dict[str, Any]

_WITHOUT_BODY: Final = {403, 503}
_HEADERS: Final = ("X-Request-ID", "X-Conversation-ID")


def document(base_path: str) -> Json:
    """The whole document, OpenAPI 3.1."""
    schemas: Json = {}
    _schema(answers.ERROR, schemas)
    paths: Json = {TOKEN_PATH: {"post": _token(schemas)}}
    for operation in TABLE:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    flows = {"clientCredentials": {"tokenUrl": base_path + TOKEN_PATH, "scopes": {}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Fibre Cafe Tenant API, trouble to resolve (simulator)", "version": "1.17"},
        "servers": [{"url": base_path}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"oauth2": {"type": "oauth2", "flows": flows}}},
    }


def _operation(operation: Operation, schemas: Json) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [{"oauth2": []}],
        "parameters": [_header(name) for name in _HEADERS],
        "responses": {
            str(operation.success): _answer("As asked.", operation.answer, schemas),
            **{str(status): _refusal(status) for status in operation.refusals},
        },
    }
    if "{id}" in operation.path:
        described["parameters"].append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    if operation.request is not None:
        content = {"application/json": {"schema": _schema(operation.request, schemas)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _token(schemas: Json) -> Json:
    form = {
        "type": "object",
        "required": ["grant_type"],
        "properties": {
            "grant_type": {"const": "client_credentials"},
            "client_id": {"type": "string"},
            "client_secret": {"type": "string"},
            "scope": {"type": "string"},
        },
    }
    return {
        "operationId": "token",
        "summary": "An access token, for credentials in the form or by HTTP Basic.",
        "security": [],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {"200": _answer("A token.", answers.TOKEN, schemas), "400": _refusal(400), "503": _refusal(503)},
    }


def _header(name: str) -> Json:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string", "minLength": 1}}


def _refusal(status: int) -> Json:
    if status in _WITHOUT_BODY:
        return {"description": "Refused, without a body."}
    reference = {"$ref": f"#/components/schemas/{answers.ERROR.name}"}
    return {"description": "Refused.", "content": {"application/json": {"schema": reference}}}


def _answer(meaning: str, shape: Shape, schemas: Json) -> Json:
    return {"description": meaning, "content": {"application/json": {"schema": _schema(shape, schemas)}}}


def _schema(kind: Kind, schemas: Json) -> Json:
    """The JSON schema of a kind; an object's goes to the components, once, and is referred to."""
    match kind:
        case Text():
            return _text(kind)
        case Number():
            return {"type": "integer"} | ({} if kind.least is None else {"minimum": kind.least})
        case Flag():
            return {"type": "boolean"}
        case Listing():
            return {"type": "array", "items": _schema(kind.items, schemas), "minItems": kind.fewest}
        case Shape():
            if kind.name not in schemas:
                schemas[kind.name] = {}
                schemas[kind.name] = _object(kind, schemas)
            return {"$ref": f"#/components/schemas/{kind.name}"}
    assert_never(kind)


def _text(kind: Text) -> Json:
    described: Json = {"type": "string"}
    if kind.shortest:
        described["minLength"] = kind.shortest
    if kind.longest is not None:
        described["maxLength"] = kind.longest
    if kind.pattern is not None:
        described["pattern"] = f"^{kind.pattern}$"
    if kind.form is not None:
        described["format"] = kind.form
    if kind.one_of:
        described["enum"] = list(kind.one_of)
    return described


def _object(shape: Shape, schemas: Json) -> Json:
    return {
        "type": "object",
        "required": [field.name for field in shape.fields if field.required],
        "properties": {field.name: _schema(field.kind, schemas) for field in shape.fields},
        "additionalProperties": not shape.strict,
    }
