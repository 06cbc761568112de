"""The ingester's outbox, which is there before Kafka is."""

import asyncio
from collections.abc import Iterable

import structlog

from bridge.adapters.kafka_admin import KafkaUnreachable
from bridge.adapters.kafka_connection import connection_options
from bridge.adapters.kafka_outbox import KafkaOutbox, PublishTelemetry
from bridge.ports import Outgoing, PublishFailed, SchemaUnavailable
from bridge.services.codec import codec_for
from bridge.services.start import check_cluster
from bridge.settings import Settings
from bridge.topics import Party, Topics, physical_name

PAUSE_SECONDS = 2.0

log = structlog.get_logger(__name__)


class ConnectingOutbox:
    """The `Outbox` port: refuses to publish until the cluster's topics and the schemas were found to be right."""

    def __init__(self, settings: Settings, topics: Topics, telemetry: PublishTelemetry) -> None:
        """Connect nothing yet."""
        self._settings = settings
        self._topics = topics
        self._telemetry = telemetry
        self._outbox: KafkaOutbox | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._waiting_for = "the cluster's topics have not been checked yet"

    async def connect(self) -> None:
        """
        Check the cluster, as often as it takes for it to answer, and connect.

        Raises:
            TopicsError: the cluster answers, and its topics are not those of topics.yaml.

        """
        while True:
            try:
                await check_cluster(self._settings, self._topics, Party.INGESTER)
                codec = await codec_for(self._settings.kafka, self._settings.schema, self._topics, Party.INGESTER)
            except (KafkaUnreachable, SchemaUnavailable) as error:
                self._waiting_for = str(error)
                log.warning("cannot publish yet", problem=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            written = self._topics.written_by(Party.INGESTER)
            self._outbox = KafkaOutbox(
                connection_options(self._settings.kafka),
                lambda name: physical_name(self._settings.kafka.topic_prefix, name),
                codec,
                self._telemetry,
                client_id=physical_name(self._settings.kafka.topic_prefix, Party.INGESTER.value),
                publish_timeout=self._settings.webhook.publish_timeout_seconds,
                max_record_bytes=max(topic.max_message_bytes for topic in written),
            )
            self._keeper = await self._outbox.start()
            return

    async def stop(self) -> None:
        """Let go of the cluster, if there is one."""
        if self._outbox is not None:
            await self._outbox.stop()

    def problem(self) -> str | None:
        """Tell why nothing can be published, or None."""
        return self._waiting_for if self._outbox is None else self._outbox.problem()

    def fault(self) -> str | None:
        """Tell why nothing can ever be published again by this process, or None."""
        return "the connection is no longer looked after" if self._keeper is not None and self._keeper.done() else None

    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Publish, as the port says."""
        if self._outbox is None:
            raise PublishFailed(f"no connection to Kafka: {self._waiting_for}")
        await self._outbox.publish(records)
