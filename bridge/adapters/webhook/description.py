"""The webhook's OpenAPI description: what it takes, and every way in which it answers."""

import json
from http import HTTPStatus
from typing import Any

from bridge.adapters.webhook import wire
from bridge.settings import WebhookAuth

SECURITY_SCHEMES: dict[WebhookAuth, dict[str, str]] = {
    WebhookAuth.BASIC: {"type": "http", "scheme": "basic"},
    WebhookAuth.BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}

# Each with the Error body (contract 1.9), and what became of the request.
REFUSALS = {
    HTTPStatus.BAD_REQUEST: "A header is missing, or the body is not JSON, or too deep. Kept in the quarantine.",
    HTTPStatus.UNAUTHORIZED: "No credentials, or not valid ones. Nothing of the body was read.",
    HTTPStatus.REQUEST_TIMEOUT: "The body was not complete in time. Nothing was kept.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too long. Its beginning is kept in the quarantine.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Not application/json, or compressed. Kept in the quarantine.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "JSON, but no KCI: no id, entityType or entity.id. Kept in the quarantine.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many failed authentications from this address.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "Too many headers. Kept in the quarantine.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The bridge failed on this request. Kept in the quarantine.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The record could not be stored, or there are too many requests. Send it again.",
}
WITH_RETRY_AFTER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

KCI: dict[str, Any] = {
    "type": "object",
    "description": "One update (contract 4.3). Anything else is taken and kept as well: enums and fields grow.",
    "required": ["id", "entityType", "entity"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[0-9A-Za-z-]+$"},
        "supplier": {"type": "string"},
        "sequenceNumber": {"type": "number"},
        "issuedOn": {"type": "string", "format": "date-time"},
        "receivedOn": {"type": "string", "format": "date-time"},
        "deliveredOn": {"type": "string", "format": "date-time"},
        "updateType": {"type": "string", "example": "INFORMATIONAL"},
        "entityType": {"type": "string", "pattern": r"^[A-Z_]+$", "example": "SERVICE_PROBLEM"},
        "entity": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "integer", "minimum": 1}, "status": {"type": "string"}},
        },
        "information": {"type": "object"},
        "action": {"type": "object"},
        "error": {"type": "object"},
    },
}
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["uuid", "code", "messages"],
    "additionalProperties": False,
    "properties": {
        "uuid": {"type": "string", "description": "Also the id of the quarantined record, where there is one."},
        "code": {"type": "string", "enum": [code.value for code in wire.ErrorCode]},
        "messages": {"type": "array", "items": {"type": "string"}},
    },
}


def describe(*, path: str, auth: WebhookAuth, version: str) -> bytes:
    """Write the description of a webhook at this path, as JSON (OpenAPI 3.0)."""
    scheme = SECURITY_SCHEMES.get(auth)
    operation: dict[str, Any] = {
        "summary": "Deliver one KCI",
        "parameters": [_required_header(name) for name in wire.REQUIRED_HEADERS.values()],
        "requestBody": {
            "required": True,
            "content": {wire.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Kci"}}},
        },
        "responses": _responses(),
    }
    components: dict[str, Any] = {"schemas": {"Kci": KCI, "Error": ERROR}}
    if scheme is not None:
        components["securitySchemes"] = {auth.value: scheme}
        operation["security"] = [{auth.value: []}]
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Fibre fault bridge: KCI webhook", "version": version},
        "paths": {served: {"post": operation} for served in (path, path + path)},
        "components": components,
    }
    return json.dumps(document).encode()


def _responses() -> dict[str, Any]:
    published = {"description": "All in-sync replicas of Kafka have the KCI. No body."}
    return {str(int(HTTPStatus.OK)): published} | {
        str(int(status)): _refusal(status, sentence) for status, sentence in REFUSALS.items()
    }


def _refusal(status: HTTPStatus, sentence: str) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": sentence,
        "content": {wire.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status in WITH_RETRY_AFTER:
        response["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
    return response


def _required_header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string", "minLength": 1}}
