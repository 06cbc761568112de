"""The ingester as in production: a process of its own, configured by the environment, on a real Apache Kafka."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from joserfc import jwt
from joserfc.jwk import RSAKey

from bridge.adapters.avro import AvroCodec
from bridge.domain.dead_letters import QuarantinedKci
from bridge.domain.entities import Kci
from bridge.domain.record import Record
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.schemas import load_schemas
from bridge.topics import data_directory, load_topics
from tests.kafka_broker import fresh_kafka
from tests.webhook_doubles import HEADERS, PASSWORD, USER, a_kci, as_body

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.1
PERSON = "Ada Lovelace"
COMMAND = [sys.executable, "-m", "bridge"]
CODEC = AvroCodec(load_topics(data_directory() / "topics.yaml"), load_schemas(data_directory() / "schemas"))
ISSUER, AUDIENCE = "https://gateway.example/", "bridge"

FreePort = Callable[[], int]


class Ingester:
    """One `bridge run ingester`, its addresses and what it logged."""

    def __init__(self, environ: Mapping[str, str], ports: tuple[int, int], log: Path) -> None:
        self.port, self.management_port = ports
        self.log = log
        own = {
            "BRIDGE_WEBHOOK_LISTEN": f"127.0.0.1:{self.port}",
            "BRIDGE_MANAGEMENT_LISTEN": f"127.0.0.1:{self.management_port}",
        }
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "ingester"], env=environment({**environ, **own}), stderr=stream
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/kcis"

    def management(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.management_port}{path}", timeout=5)

    def wait_until(self, status: int, path: str = "/ready") -> None:
        """Wait until the management address answers this; what was logged tells why when it never does."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.management(path).status_code == status:
                    return
            except httpx.TransportError:
                pass
            time.sleep(POLL_SECONDS)
        pytest.fail(f"{path} never answered {status}:\n{self.log.read_text()}")

    def post(self, body: bytes = b"", **headers: str) -> httpx.Response:
        given = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(self.url, content=body, headers=given, timeout=30)

    def stop(self) -> int:
        """End it as Kubernetes does, and return its exit code."""
        try:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")} | dict(settings)


def for_kafka(kafka: EmbeddedKafka, prefix: str) -> dict[str, str]:
    return {"BRIDGE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "BRIDGE_KAFKA_TOPIC_PREFIX": prefix}


def with_basic(settings: Mapping[str, str]) -> dict[str, str]:
    return {**settings, "BRIDGE_WEBHOOK_USERNAME": USER, "BRIDGE_WEBHOOK_PASSWORD": PASSWORD}


def apply_topics(settings: Mapping[str, str]) -> None:
    command = [*COMMAND, "topics", "apply", "--replication-factor", "1"]
    applied = subprocess.run(
        command, env=environment(settings), capture_output=True, text=True, timeout=90, check=False
    )
    assert applied.returncode == 0, applied.stdout + applied.stderr


@pytest.fixture(scope="module")
def cluster(kafka: EmbeddedKafka) -> dict[str, str]:
    """Settings of a cluster that has the topics."""
    settings = for_kafka(kafka, f"ingester-{os.getpid()}-")
    apply_topics(settings)
    return settings


Start = Callable[..., Ingester]


@pytest.fixture
def start(tmp_path: Path, free_port: FreePort) -> Iterator[Start]:
    """Return a function that starts an ingester with these settings, and stop what it started."""
    started: list[Ingester] = []

    def run(settings: Mapping[str, str], *, until: int = 200) -> Ingester:
        log = tmp_path / f"ingester-{len(started)}.log"
        ingester = Ingester(settings, (free_port(), free_port()), log)
        started.append(ingester)
        ingester.wait_until(until)
        return ingester

    yield run
    for ingester in started:
        if ingester.process.poll() is None:
            ingester.stop()


async def records(settings: Mapping[str, str], topic: str) -> list[tuple[str, Record]]:
    """Return every record that a topic has by now, with its key."""
    name = settings["BRIDGE_KAFKA_TOPIC_PREFIX"] + topic
    servers = settings["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"]
    consumer = AIOKafkaConsumer(name, bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False)
    found: list[tuple[str, Record]] = []
    async with asyncio.timeout(30), consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        left = {partition for partition, end in ends.items() if end > 0}
        while left:
            for partition, messages in (await consumer.getmany(*left, timeout_ms=500)).items():
                for each in messages:
                    assert each.key is not None
                    assert each.value is not None
                    found.append((each.key.decode(), await CODEC.decode(topic, each.value)))
                if await consumer.position(partition) >= ends[partition]:
                    left.discard(partition)
    return found


async def kci_ids(settings: Mapping[str, str]) -> list[str]:
    return [value.update.id for _, value in await records(settings, "kcis") if isinstance(value, Kci)]


async def test_every_kind_of_kci_is_on_the_topic_once_it_was_answered(cluster: dict[str, str], start: Start) -> None:
    ingester = start(with_basic(cluster))
    contents = [
        a_kci(id="kind-problem"),
        a_kci(id="kind-test", entityType="SERVICE_TEST", entity={"id": "88", "status": "COMPLETED"}),
        a_kci(id="kind-order", entityType="PROVIDE_ORDER", entity={"id": 5, "status": "NEVER_SEEN"}),
        a_kci(id="kind-new", entityType="SOMETHING_NEW", updateType="NEVER_SEEN", more={"notes": PERSON}),
    ]

    answers = [ingester.post(as_body(content)) for content in contents]

    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 4
    assert {answer.headers["x-request-id"] for answer in answers} == {"request-1"}
    found = {value.update.id: (key, value) for key, value in await records(cluster, "kcis") if isinstance(value, Kci)}
    keys = {name: key for name, (key, _) in found.items() if name.startswith("kind-")}
    assert keys == {
        "kind-problem": "SERVICE_PROBLEM:4711",
        "kind-test": "SERVICE_TEST:88",
        "kind-order": "PROVIDE_ORDER:5",
        "kind-new": "SOMETHING_NEW:4711",
    }
    assert found["kind-new"][1].update.other == '{"more":{"notes":"Ada Lovelace"}}'
    assert found["kind-problem"][1].conversation_id == "conversation-1"


async def test_what_cannot_be_a_kci_is_in_the_quarantine_with_its_bytes(cluster: dict[str, str], start: Start) -> None:
    ingester = start(with_basic(cluster))
    person = PERSON.encode()
    refused: list[tuple[bytes, dict[str, str], int, str]] = [
        (b'{"notes":"' + person + b'"', {}, 400, "NOT_JSON"),
        (b'{"notes":"' + person + b'\xff"}', {}, 400, "NOT_JSON"),
        (b"[" * 40, {}, 400, "TOO_DEEP"),
        (as_body({"notes": PERSON}), {}, 422, "NOT_A_KCI"),
        (as_body(a_kci()), {"Content_Type": "text/xml"}, 415, "WRONG_MEDIA_TYPE"),
        (as_body(a_kci()), {"X_Conversation_ID": ""}, 400, "MISSING_HEADERS"),
        (b"x" * 1_048_577, {}, 413, "TOO_LARGE"),
    ]

    answers = [ingester.post(body, **headers) for body, headers, _, _ in refused]

    assert [answer.status_code for answer in answers] == [status for _, _, status, _ in refused]
    kept = {key: value for key, value in await records(cluster, "kci-quarantine") if isinstance(value, QuarantinedKci)}
    for answer, (body, _, _, reason) in zip(answers, refused, strict=True):
        record = kept[answer.json()["uuid"]]
        assert record.body == body[:1_048_576]
        assert record.truncated is (len(body) > 1_048_576)
        assert record.reason.value == reason
        assert [record.error] == answer.json()["messages"]
        assert "authorization" not in {header.name for header in record.headers}
        assert PERSON not in answer.text
    ingester.stop()
    logged = ingester.log.read_text()
    assert "request answered" in logged
    assert PERSON not in logged
    assert PASSWORD not in logged
    assert HEADERS["Authorization"].split()[1] not in logged


def test_without_the_password_nothing_is_taken_and_in_the_end_the_address_must_wait(
    cluster: dict[str, str], start: Start
) -> None:
    ingester = start(with_basic(cluster) | {"BRIDGE_WEBHOOK_AUTH_FAILURES_PER_MINUTE": "2"})

    answers = [ingester.post(as_body(a_kci()), Authorization="Basic d3Jvbmc6d3Jvbmc=") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    metrics = ingester.management("/metrics").text
    assert 'bridge_webhook_authentication_failures_total{why="WRONG"} 2.0' in metrics
    assert 'bridge_webhook_answers_total{code="429",reason="TOO_MANY_FAILURES"} 1.0' in metrics


@contextmanager
def key_publisher(port: int, *keys: RSAKey) -> Iterator[str]:
    """Serve a JWKS, as the gateway does."""
    document = json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/jwks"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_bearer_token_of_the_gateway_opens_the_webhook(
    cluster: dict[str, str], start: Start, free_port: FreePort
) -> None:
    key = RSAKey.generate_key(2048, {"kid": "gateway-1"})
    stranger = RSAKey.generate_key(2048, {"kid": "gateway-1"})

    def token(signer: RSAKey = key, *, aud: str = AUDIENCE, seconds: int = 300) -> str:
        claims = {"iss": ISSUER, "aud": aud, "exp": int(time.time()) + seconds}
        return "Bearer " + jwt.encode({"alg": "RS256", "kid": "gateway-1"}, claims, signer, algorithms=["RS256"])

    with key_publisher(free_port(), key) as url:
        bearer = {
            "BRIDGE_WEBHOOK_AUTH": "bearer",
            "BRIDGE_WEBHOOK_JWKS_URL": url,
            "BRIDGE_WEBHOOK_ISSUER": ISSUER,
            "BRIDGE_WEBHOOK_AUDIENCE": AUDIENCE,
        }
        ingester = start({**cluster, **bearer})
        tokens = [token(), token(stranger), token(aud="other"), token(seconds=-60), HEADERS["Authorization"]]
        answers = [ingester.post(as_body(a_kci(id="bearer")), Authorization=each) for each in tokens]

    assert [answer.status_code for answer in answers] == [200, 401, 401, 401, 401]
    assert answers[1].headers["www-authenticate"].startswith("Bearer")
    assert answers[1].json()["code"] == "NOT_AUTHORISED"


def test_a_request_that_is_under_way_at_sigterm_is_answered_and_the_exit_code_is_0(
    cluster: dict[str, str], start: Start
) -> None:
    ingester = start(with_basic(cluster))
    body = as_body(a_kci(id="at-sigterm"))
    may_end = threading.Event()

    def halves() -> Iterator[bytes]:
        yield body[:20]
        ingester.process.send_signal(signal.SIGTERM)
        assert may_end.wait(20)
        yield body[20:]

    answers: list[httpx.Response] = []
    client = threading.Thread(
        target=lambda: answers.append(httpx.post(ingester.url, content=halves(), headers=HEADERS, timeout=30))
    )
    client.start()
    wait_until_closed(ingester.url)
    may_end.set()
    client.join()

    assert answers[0].status_code == 200
    assert ingester.process.wait(STOP_SECONDS) == 0
    assert "at-sigterm" in asyncio.run(kci_ids(cluster))


def wait_until_closed(url: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=1)
        except httpx.ConnectError:
            return
        except httpx.TransportError:
            pass
        time.sleep(POLL_SECONDS)
    pytest.fail("the webhook still accepts connections")


@pytest.fixture(scope="module")
def own_kafka(pytestconfig: pytest.Config) -> Iterator[EmbeddedKafka]:
    """A cluster that these tests may stop."""
    with fresh_kafka(pytestconfig.rootpath) as running:
        yield running


def test_while_kafka_is_away_kcis_are_refused_and_afterwards_none_that_was_answered_is_missing(
    own_kafka: EmbeddedKafka, start: Start
) -> None:
    settings = for_kafka(own_kafka, "outage-")
    apply_topics(settings)
    ingester = start(with_basic(settings) | {"BRIDGE_WEBHOOK_PUBLISH_TIMEOUT_SECONDS": "2"})
    assert ingester.post(as_body(a_kci(id="before"))).status_code == 200

    own_kafka.kill(1)
    for body in (as_body(a_kci(id="during")), b"no json"):
        started = time.monotonic()
        answer = ingester.post(body)
        assert time.monotonic() - started < 5
        assert (answer.status_code, answer.json()["code"]) == (503, "TENANT_FAULT")
        assert int(answer.headers["retry-after"]) > 0
    ingester.wait_until(503)
    assert ingester.management("/live").status_code == 200
    own_kafka.start_broker(1)
    ingester.wait_until(200)

    assert wait_for_success(ingester, "after") == 200
    ids = asyncio.run(kci_ids(settings))
    assert {"before", "after"} <= set(ids)
    assert set(ids) <= {"before", "during", "after"}


def wait_for_success(ingester: Ingester, kci_id: str) -> int:
    """Send until it is taken, as the gateway does."""
    deadline = time.monotonic() + READY_SECONDS
    while (status := ingester.post(as_body(a_kci(id=kci_id))).status_code) == 503 and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return status


def test_an_ingester_that_starts_before_kafka_asks_for_repeats_until_kafka_is_there(
    own_kafka: EmbeddedKafka, start: Start
) -> None:
    settings = for_kafka(own_kafka, "early-")
    apply_topics(settings)
    own_kafka.stop_broker(1)
    ingester = start(with_basic(settings), until=503)

    answer = ingester.post(as_body(a_kci(id="early")))
    own_kafka.start_broker(1)

    assert answer.status_code == 503
    ingester.wait_until(200)
    assert ingester.post(as_body(a_kci(id="later"))).status_code == 200
    assert asyncio.run(kci_ids(settings)) == ["later"]


async def shorten(settings: Mapping[str, str], topic: str, max_message_bytes: int) -> None:
    """Let the broker refuse longer records for good."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        name = settings["BRIDGE_KAFKA_TOPIC_PREFIX"] + topic
        configs = {"max.message.bytes": str(max_message_bytes)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])
    finally:
        await admin.close()


def test_a_record_that_the_broker_refuses_for_good_does_not_block_those_after_it(
    own_kafka: EmbeddedKafka, start: Start
) -> None:
    settings = for_kafka(own_kafka, "refused-")
    apply_topics(settings)
    asyncio.run(shorten(settings, "kcis", 20_000))
    ingester = start(with_basic(settings))
    assert ingester.post(as_body(a_kci(id="first"))).status_code == 200

    body = as_body(a_kci(id="long", more="x" * 30_000))
    refused = ingester.post(body)

    assert (refused.status_code, refused.json()["code"]) == (500, "TENANT_FAULT")
    assert wait_for_success(ingester, "second") == 200
    assert [ingester.post(as_body(a_kci(id=f"next-{n}"))).status_code for n in range(3)] == [200] * 3
    ((_, kept),) = asyncio.run(records(settings, "kci-quarantine"))
    assert isinstance(kept, QuarantinedKci)
    assert kept.body == body
    assert sorted(set(asyncio.run(kci_ids(settings)))) == ["first", "next-0", "next-1", "next-2", "second"]


def run_to_its_end(settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "run", "ingester"]
    return subprocess.run(command, env=environment(settings), capture_output=True, text=True, timeout=60, check=False)


def test_without_its_topics_it_does_not_start_and_names_them_and_the_command(
    kafka: EmbeddedKafka, free_port: FreePort
) -> None:
    listen = {
        "BRIDGE_WEBHOOK_LISTEN": f"127.0.0.1:{free_port()}",
        "BRIDGE_MANAGEMENT_LISTEN": f"127.0.0.1:{free_port()}",
    }

    ended = run_to_its_end(with_basic(for_kafka(kafka, "no-topics-")) | listen)

    assert ended.returncode == 1
    assert "no-topics-kcis" in ended.stderr
    assert "no-topics-kci-quarantine" in ended.stderr
    assert "bridge topics apply" in ended.stderr


def test_settings_that_cannot_be_used_are_all_named() -> None:
    ended = run_to_its_end({"BRIDGE_WEBHOOK_AUTH": "bearer", "BRIDGE_WEBHOOK_PORT": "1"})

    assert ended.returncode == 2
    for name in ("BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "BRIDGE_WEBHOOK_JWKS_URL", "BRIDGE_WEBHOOK_PORT"):
        assert name in ended.stderr
