"""Two views of the same thing laid over each other, so that nothing either of them told is lost."""

from typing import TypeVar

from msgspec import MsgspecError, Raw, json
from msgspec.structs import asdict, replace

from bridge.domain.entities import Entity, Request, Resolution, TestResult

Overlaid = TypeVar("Overlaid", bound=Entity | Request | Resolution | TestResult)

_OBJECT: json.Decoder[dict[str, Raw]] = json.Decoder(dict[str, Raw])


def merge(known: Entity, told: Entity, *, newer: bool) -> Entity:
    """
    What is known, with what was told: told values win if they are newer, else they only fill what is not known.

    The status and the requests stay as known: they have rules of their own (`moves.py`, `requests.py`).
    """
    upper, lower = (told, known) if newer else (known, told)
    merged = overlay(lower, upper)
    return replace(
        merged,
        status=known.status,
        resolution=known.resolution,
        amendment=known.amendment,
        cancellation=known.cancellation,
        result=_overlay_result(lower.result, upper.result),
    )


def overlay(lower: Overlaid, upper: Overlaid) -> Overlaid:
    """The upper one, with the lower one's values where it has none; the JSON in `other` is laid over by members."""
    fields = {name: value for name, value in asdict(upper).items() if value is not None and value != ()}
    fields["other"] = _overlay_json(lower.other, upper.other)
    return replace(lower, **fields)


def _overlay_result(lower: TestResult | None, upper: TestResult | None) -> TestResult | None:
    if lower is None or upper is None:
        return upper or lower
    return overlay(lower, upper)


def _overlay_json(lower: str | None, upper: str | None) -> str | None:
    if lower is None or upper is None or lower == upper:
        return lower if upper is None else upper
    try:
        return json.encode({**_OBJECT.decode(lower), **_OBJECT.decode(upper)}).decode()
    except (MsgspecError, RecursionError):
        return upper  # not two JSON objects, so they cannot be mixed
