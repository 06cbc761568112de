"""Ids that the same input always leads to, so that a reader of uncommitted records can tell a repetition."""

from uuid import UUID, uuid5

from msgspec import json

_NAMESPACE = UUID("5d0a8c1e-3a0b-4b7c-9a53-6a2f0f8a2e11")


def made_id(*parts: str | int) -> str:
    """A UUID that depends on nothing but the parts, and differs where any of them does."""
    return str(uuid5(_NAMESPACE, json.encode(parts).decode()))
