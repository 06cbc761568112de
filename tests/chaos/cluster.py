"""The Kafka of a scenario: one broker or three, and, where the network is the subject, a link before it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bridge.sandbox.broker import BrokerPlace
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from tests.chaos.link import Link
from tests.kafka_broker import fresh_kafka


@contextmanager
def cluster(root: Path, *, brokers: int, linked: bool) -> Iterator[tuple[EmbeddedKafka, Link | None]]:
    """
    Start a cluster. With a link its one broker has a second listener, which it advertises as the link's port: the
    bridge goes that way, and the judge goes straight.
    """
    if not linked:
        with fresh_kafka(root, brokers=brokers) as kafka:
            yield kafka, None
        return
    port = free_port()
    link = Link(free_port(), [port])

    def with_second_listener(place: BrokerPlace) -> Mapping[str, str]:
        return {
            "listeners": f"PLAINTEXT://127.0.0.1:{place.port},LINKED://127.0.0.1:{port},"
            f"CONTROLLER://127.0.0.1:{place.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{place.port},LINKED://127.0.0.1:{link.port}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LINKED:PLAINTEXT",
        }

    with fresh_kafka(root, extra_properties=with_second_listener) as kafka:
        link.start()
        try:
            yield kafka, link
        finally:
            link.stop()
