"""The ingester: the webhook that takes KCIs and publishes them, one record for each delivery."""

import asyncio
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import version

from prometheus_client import CollectorRegistry

from bridge.adapters import logging
from bridge.adapters.asgi import AsgiServer
from bridge.adapters.clock import WallClock
from bridge.adapters.management import management_app, refuse
from bridge.adapters.prometheus import IngesterTelemetry
from bridge.adapters.webhook.description import describe
from bridge.adapters.webhook.limits import FailureLimit
from bridge.adapters.webhook.server import Webhook, WebhookLimits
from bridge.adapters.webhook.wire import refuse_bytes
from bridge.flows.publish_kci import PublishKci
from bridge.ports import Asgi, Tracing
from bridge.services.ingester.authentication import authenticator_for
from bridge.services.ingester.connecting import ConnectingOutbox
from bridge.services.label_sets import closed_sets
from bridge.services.loop import new_loop
from bridge.services.memory import spare_the_collector
from bridge.services.tracing import tracing_for
from bridge.settings import Settings, SettingsError, WebhookSettings, read
from bridge.topics import Party, Topics, data_directory, load_topics, physical_name

SERVICE = Party.INGESTER.value
# What a quarantined record holds beside the body: headers, reason and the record's own frame.
RECORD_MARGIN_BYTES = 65_536
MANAGEMENT_HEAD_TIMEOUT = timedelta(seconds=10)
MANAGEMENT_GRACE = timedelta(seconds=2)


def main(environ: Mapping[str, str]) -> int:
    """
    Run the ingester until SIGTERM or SIGINT; 0 means that every request in flight was answered.

    Raises:
        SettingsError: the environment cannot be used.
        TopicsError: the cluster's topics are not those of topics.yaml.

    """
    settings = read(environ, "KAFKA", "WEBHOOK", "SCHEMA", "MANAGEMENT", "LOG", "TRACING")
    topics = load_topics(data_directory() / "topics.yaml")
    check(settings.webhook, topics)
    telemetry = IngesterTelemetry(
        CollectorRegistry(), Party.INGESTER, closed_sets(topics, Party.INGESTER), WallClock().now
    )
    tracing = tracing_for(
        settings.tracing,
        telemetry,
        service=SERVICE,
        version=version("fibre-fault-bridge"),
        physical=lambda name: physical_name(settings.kafka.topic_prefix, name),
    )
    logging.configure(
        settings.log,
        service=SERVICE,
        stream=sys.stderr,
        secrets=logging.secrets_in(*vars(settings).values()),
        trace_ids=tracing.ids,
        for_good=True,
    )
    spare_the_collector()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(settings, topics, telemetry, tracing))
    return 0


def check(settings: WebhookSettings, topics: Topics) -> None:
    """
    Refuse a longest body that its topic could not hold.

    Raises:
        SettingsError: with the longest that it can.

    """
    longest = min(topic.max_message_bytes for topic in topics.written_by(Party.INGESTER)) - RECORD_MARGIN_BYTES
    if settings.max_body_bytes > longest:
        problem = (
            f"BRIDGE_WEBHOOK_MAX_BODY_BYTES: at most {longest}; else raise max.message.bytes of the ingester's topics"
        )
        raise SettingsError([problem])


async def serve(settings: Settings, topics: Topics, telemetry: IngesterTelemetry, tracing: Tracing) -> None:
    """Listen first and connect then, so that a delivery meets a 503 that it can repeat, and never a closed port."""
    stopping = _signals()
    async with authenticator_for(settings.webhook, WallClock()) as authenticator:
        outbox = ConnectingOutbox(settings, topics, telemetry)
        webhook = Webhook(
            PublishKci(tracing.outbox(outbox), service=SERVICE, version=version("fibre-fault-bridge")),
            authenticator,
            FailureLimit(settings.webhook.auth_failures_per_minute, time.monotonic),
            WallClock(),
            telemetry,
            path=settings.webhook.path,
            limits=_limits(settings.webhook),
            description=describe(
                path=settings.webhook.path, auth=settings.webhook.auth, version=version("fibre-fault-bridge")
            ),
            trusted_proxies=settings.webhook.trusted_proxies,
            new_id=lambda: str(uuid.uuid4()),
        )
        server = _webhook_server(tracing.webhook(webhook, path=settings.webhook.path), settings.webhook)
        servers = (server, _management_server(server, outbox, telemetry, settings))
        loop_watch = asyncio.create_task(telemetry.watch_loop(), name="loop watch")
        try:
            for server in servers:
                await server.start()
            await _connected_or_told_to_stop(outbox, stopping)
            await stopping.wait()
        finally:
            # The webhook first: what it still answers needs the outbox, and readiness is told to the end.
            await servers[0].stop()
            await outbox.stop()
            await tracing.stop()
            await servers[1].stop()
            loop_watch.cancel()


async def _connected_or_told_to_stop(outbox: ConnectingOutbox, stopping: asyncio.Event) -> None:
    connecting, told = asyncio.create_task(outbox.connect()), asyncio.create_task(stopping.wait())
    await asyncio.wait({connecting, told}, return_when=asyncio.FIRST_COMPLETED)
    if connecting.done():
        connecting.result()
    for task in (connecting, told):
        task.cancel()


def _signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _limits(settings: WebhookSettings) -> WebhookLimits:
    return WebhookLimits(
        max_body_bytes=settings.max_body_bytes,
        max_depth=settings.max_depth,
        max_headers=settings.max_headers,
        read_timeout=settings.read_timeout_seconds,
        max_in_flight=settings.max_in_flight,
    )


def _webhook_server(webhook: Asgi, settings: WebhookSettings) -> AsgiServer:
    return AsgiServer(
        webhook,
        settings.listen,
        head_timeout=settings.read_timeout_seconds,
        # The longest that a request can take which came just before the signal.
        grace=settings.read_timeout_seconds + settings.publish_timeout_seconds,
        refuse=refuse_bytes,
    )


def _management_server(
    webhook: AsgiServer, outbox: ConnectingOutbox, telemetry: IngesterTelemetry, settings: Settings
) -> AsgiServer:
    app = management_app(
        alive={"webhook": webhook.fault, "outbox": outbox.fault},
        ready={"kafka": outbox.problem},
        metrics=telemetry.exposition,
    )
    return AsgiServer(
        app, settings.management.listen, head_timeout=MANAGEMENT_HEAD_TIMEOUT, grace=MANAGEMENT_GRACE, refuse=refuse
    )
