"""
A JSON object being read member by member: what is asked for and fits is taken out; what is left is kept.

Rule: nothing here raises anything but `Unreadable`, whatever the JSON is, and no error text holds a value from it.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard, TypeVar

import msgspec

T = TypeVar("T")

# An id longer than this cannot be one; it would become a record key.
LONGEST_ID = 200
# What an Avro long can hold.
LONG = range(-(2**63), 2**63)

# The standard library's takes eight times as long; but msgspec has no bytes for half of a surrogate pair, and writes a
# number beyond the range of a double as null.
_COMPACT = msgspec.json.Encoder(order="sorted").encode
_COMPLETE = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_WHOLE = re.compile(r"(-?\d+)(?:\.0+)?", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,](?P<fraction>\d+))?)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
_FRACTION_DIGITS = 6  # what a datetime keeps


class Unreadable(ValueError):
    """Not a JSON object, or without a usable id, so nobody can say what it tells of."""


class Members:
    """The members of one JSON object that nobody has taken yet; `what` names the object in errors."""

    def __init__(self, body: object, what: str) -> None:
        """Start with all members of the object; anything but an object is Unreadable."""
        if not is_object(body):
            raise Unreadable(f"{what} is not a JSON object")
        self._left: dict[str, Any] = dict(body)
        self._nested: dict[str, Members] = {}
        self._what = what

    def peek(self, name: str) -> object:
        """The member's value, which stays."""
        return self._left.get(name)

    def text(self, name: str) -> str | None:
        """Take a text."""
        value = self._left.pop(name, None)
        if value is None or is_text(value):
            return value
        self._left[name] = value
        return None

    def whole(self, name: str) -> int | None:
        """Take a number without a fraction, which may come as 123, 123.0 or "123" (contract 3.15)."""
        return self._take(name, _whole(self._left.get(name)))

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts; a list with anything else in it stays."""
        value = self._left.get(name)
        fits = isinstance(value, list) and all(is_text(item) for item in value)
        return self._take(name, tuple(value or ()) if fits else None) or ()

    def messages(self, name: str) -> tuple[str, ...]:
        """Take texts for people, however they come: one text, a list, or anything else as compact JSON."""
        value = self._left.pop(name, None)
        items = value if isinstance(value, list) else [] if value is None else [value]
        return tuple(str(item) if is_text(item) else compact(item) for item in items)

    def moment(self, name: str) -> datetime | None:
        """Take an ISO 8601 date and time, as UTC; where that had to assume an offset or round, the text stays too."""
        value = self._left.get(name)
        moment, exact = _moment(value) if isinstance(value, str) else (None, True)
        return self._take(name, moment) if exact else moment

    def identifier(self, name: str) -> str:
        """Take an id as text, a number in decimal without a fraction (contract 3.15); without one, Unreadable."""
        identifier = self._take(name, _identifier(self._left.get(name)))
        if identifier is None:
            raise Unreadable(
                f"{self._what} has no usable {name}: give a number without a fraction, or 1..{LONGEST_ID} characters"
            )
        return identifier

    def members(self, name: str) -> "Members | None":
        """A nested object; what nobody takes out of it stays under its name here, unless asked for there first."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not is_object(value):
            self._left[name] = value
            return None
        nested = self._nested[name] = Members(value, f"{self._what}'s {name}")
        return nested

    def rest(self) -> dict[str, Any]:
        """What nobody took, nested objects included; this takes it."""
        rest, self._left = self._left, {}
        for name, nested in self._nested.items():
            left = nested.rest()
            if left:
                rest[name] = left
        return rest

    def other(self) -> str | None:
        """What nobody took, as compact JSON, or None; this takes it."""
        rest = self.rest()
        return compact(rest) if rest else None

    def _take(self, name: str, value: T | None) -> T | None:
        """Remove the member if it fits, or if it is a null, which says the same as its absence."""
        if value is not None or self._left.get(name, ...) is None:
            del self._left[name]
        return value


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether this is a JSON object."""
    # The abstract class is asked only for what is no plain dict: its answer costs ten times as much.
    return type(value) is dict or isinstance(value, Mapping)


def is_text(value: object) -> TypeGuard[str]:
    """Whether this is a text that can be written as UTF-8: JSON can also carry halves of surrogate pairs."""
    if not isinstance(value, str):
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def compact(value: object) -> str:
    """Compact JSON, keys sorted."""
    try:
        try:
            text = _COMPACT(value)
        except UnicodeEncodeError:
            return _COMPLETE(value)
        return _COMPLETE(value) if b"null" in text else text.decode()
    except RecursionError as error:
        raise Unreadable("the JSON is nested too deeply") from error


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, str) and len(value) < LONGEST_ID and (match := _WHOLE.fullmatch(value)):
        value = int(match[1])
    return value if isinstance(value, int) and value in LONG else None


def _identifier(value: object) -> str | None:
    if not isinstance(value, str):
        whole = _whole(value)
        return None if whole is None else str(whole)
    if not is_text(value) or not value.strip() or len(value) > LONGEST_ID:
        return None
    match = _WHOLE.fullmatch(value)
    return match[1] if match else value


def _moment(value: str) -> tuple[datetime | None, bool]:
    """The moment in UTC, and whether nothing had to be assumed or rounded for it."""
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        return None, True
    try:
        moment = datetime.fromisoformat(value)
        exact = moment.tzinfo is not None and len(match["fraction"] or "") <= _FRACTION_DIGITS
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC), exact
    except (ValueError, OverflowError):
        return None, True
