"""The kinds of values that settings have, each with the sentence that says what would be right."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

HIGHEST_PORT = 65_535


class Broken(NamedTuple):
    """A rule over several fields of a group that does not hold: the fields that it reads, the one to mend first."""

    fields: tuple[str, ...]
    what: str


class Group(BaseModel):
    """A group of settings: frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def rules(self) -> Iterator[Broken]:
        """The rules over several fields that do not hold."""
        yield from ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if broken := list(self.rules()):
            raise ValueError("\n".join(f"{rule.fields[0]}: {rule.what}" for rule in broken))
        return self


@dataclass(frozen=True)
class Kind:
    """What the reference calls this kind of value."""

    name: str


def _number_of_seconds(value: object) -> object:
    if not isinstance(value, str | int | float):
        return value
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        # Without the value: whoever mixes variables up may have put a secret here.
        raise ValueError("must be a number of seconds, such as 30 or 0.5") from None


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("must be 0 or more seconds")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be more than 0 seconds")
    return value


def _words(value: object) -> object:
    return _split(value) if isinstance(value, str) else value


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def pair(text: str) -> tuple[str, str]:
    """
    The name and the value of `name=value`.

    Raises:
        ValueError: it is something else; the text is not quoted, since it may be a secret.

    """
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise ValueError("write name=value, separated by commas")
    return name.strip(), value.strip()


def pairs(text: str) -> dict[str, str]:
    """The values by name of `name=value`, separated by commas."""
    return dict(map(pair, _split(text)))


def _pairs(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        pair(value)
    return values


def _address(value: str) -> str:
    host, found, port = value.rpartition(":")
    if not found or not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
        raise ValueError("must be host:port, such as 0.0.0.0:8080")
    return value


def _servers(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("name at least one broker as host:port")
    for number, value in enumerate(values, 1):
        try:
            _address(value)
        except ValueError:
            raise ValueError(f"entry {number} is not host:port, such as kafka-1:9092") from None
    return values


def _networks(value: object) -> object:
    return (
        tuple(_network(text, number) for number, text in enumerate(_split(value), 1))
        if isinstance(value, str)
        else value
    )


def _network(text: str, number: int) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"entry {number} is no network; write addresses or ranges such as 10.1.0.0/16 or fd00::/8"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(
            f"entry {number} is everyone, and a header that anyone can write would count; name the proxies alone"
        )
    return network


def _url(value: str) -> str:
    try:
        place = urlsplit(value)
        port_is_a_number = place.port is None or place.port > 0
    except ValueError:
        port_is_a_number = False
        place = urlsplit("")
    if "@" in place.netloc:
        raise ValueError("must not hold a user and a password: URLs are logged; there are settings for credentials")
    if place.scheme not in ("http", "https") or not place.hostname or not port_is_a_number:
        raise ValueError("must be a URL, such as https://gateway.example.com/v1")
    return value


# A length of time, more than none; and one that may be none.
Seconds = Annotated[timedelta, Kind("number"), BeforeValidator(_number_of_seconds), AfterValidator(_positive)]
SecondsOrNone = Annotated[timedelta, Kind("number"), BeforeValidator(_number_of_seconds), AfterValidator(_not_negative)]
Words = Annotated[tuple[str, ...], Kind("list, separated by commas"), BeforeValidator(_words)]
Pairs = Annotated[
    tuple[str, ...], Kind("list of name=value, separated by commas"), BeforeValidator(_words), AfterValidator(_pairs)
]
Servers = Annotated[
    tuple[str, ...], Kind("list of host:port, separated by commas"), BeforeValidator(_words), AfterValidator(_servers)
]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...],
    Kind("list of addresses and CIDR ranges, separated by commas"),
    BeforeValidator(_networks),
]
Address = Annotated[str, Kind("host:port"), AfterValidator(_address)]
Url = Annotated[str, Kind("URL"), AfterValidator(_url)]
