"""The Kafka of a scenario: one broker or three, and, where the network is the subject, a link before it per service."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bridge.sandbox.broker import BrokerPlace
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from tests.chaos.link import Link
from tests.chaos.stage import SERVICES
from tests.kafka_broker import fresh_kafka


@contextmanager
def cluster(root: Path, *, brokers: int, linked: bool) -> Iterator[tuple[EmbeddedKafka, Mapping[str, Link]]]:
    """
    Start a cluster. With links its one broker has a listener more for each service, which it advertises as the port of
    that service's link: the service goes that way, and the judge goes straight.
    """
    if not linked:
        with fresh_kafka(root, brokers=brokers) as kafka:
            yield kafka, {}
        return
    ports = {service: free_port() for service in SERVICES}
    links = {service: Link(f"{service} to Kafka", free_port(), [port]) for service, port in ports.items()}

    def with_a_listener_for_each(place: BrokerPlace) -> Mapping[str, str]:
        straight = f"PLAINTEXT://127.0.0.1:{place.port}"
        listeners = [f"{service.upper()}://127.0.0.1:{port}" for service, port in ports.items()]
        advertised = [f"{service.upper()}://127.0.0.1:{link.port}" for service, link in links.items()]
        protocols = [f"{name}:PLAINTEXT" for name in ("CONTROLLER", "PLAINTEXT", *map(str.upper, SERVICES))]
        return {
            "listeners": ",".join([straight, *listeners, f"CONTROLLER://127.0.0.1:{place.controller_port}"]),
            "advertised.listeners": ",".join([straight, *advertised]),
            "listener.security.protocol.map": ",".join(protocols),
        }

    with fresh_kafka(root, extra_properties=with_a_listener_for_each) as kafka, ExitStack() as stack:
        for link in links.values():
            link.start()
            stack.callback(link.stop)
        yield kafka, links
