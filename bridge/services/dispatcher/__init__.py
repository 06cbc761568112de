"""
The dispatcher: fault tickets, journey signals and operator decisions become calls to the gateway. The only service
that calls it.
"""

import time
import uuid
from collections.abc import Mapping
from datetime import timedelta

from bridge.adapters.clock import uptime
from bridge.adapters.gateway.client import HttpGateway
from bridge.adapters.gateway.profiles import address
from bridge.adapters.gateway.wire import route
from bridge.adapters.kafka_connection import connection_options
from bridge.adapters.kafka_outbox import KafkaOutbox
from bridge.adapters.prometheus import DispatcherTelemetry, SupplierState, TokenState
from bridge.adapters.streams.lanes import still_going
from bridge.domain.admission import Admission, AdmissionPolicy
from bridge.domain.answers import Answer
from bridge.domain.breaker import BreakerPolicy, BucketPolicy
from bridge.domain.commands import Command, name_of
from bridge.domain.journey.state import TicketState
from bridge.domain.limits import problem_type_violations
from bridge.domain.policy import DEFAULT_PROBLEM_TYPES, JourneyPolicy, ProblemType
from bridge.flows.handle_ticket import (
    FAULT_TICKETS,
    JOURNEY_SIGNALS,
    OPERATOR_DECISIONS,
    HandleTicket,
    ticket_of,
)
from bridge.ports import Kept
from bridge.services.streaming import Streaming, wire
from bridge.settings import DispatcherSettings, GatewaySettings, Settings, SettingsError, read
from bridge.topics import Party, physical_name

PUBLISH_TIMEOUT = timedelta(seconds=10)

# Of the session time-out: how long an intent permits its call. Nobody else owns a worker's tickets before it is over.
PERMIT_SHARE = 0.5


def main(environ: Mapping[str, str]) -> int:
    """Run the dispatcher until it is told to stop."""
    settings = read(environ, "KAFKA", "SCHEMA", "GATEWAY", "DISPATCHER", "MANAGEMENT", "LOG", "TRACING")
    policy = journey_policy(settings.dispatcher)
    check(settings, policy)
    streaming = wire(
        settings,
        Party.DISPATCHER,
        sources=(FAULT_TICKETS, JOURNEY_SIGNALS, OPERATOR_DECISIONS),
        table="dispatcher-journeys",
        kept=Kept[TicketState],
        max_pulled=settings.dispatcher.max_pulled,
        longest_call=settings.gateway.total_timeout_seconds,
        telemetry=DispatcherTelemetry,
        problem_types=policy.problem_types,
    )
    tracing = streaming.tracing
    gateway = HttpGateway(settings.gateway, streaming.clock)
    admission = Admission(admission_policy(settings.gateway))
    outbox = outbox_of(streaming)
    streaming.telemetry.watch_gateway(
        suppliers=lambda: supplier_states(admission),
        token=lambda: TokenState(gateway.tokens.age, gateway.tokens.failures),
    )
    flow = HandleTicket(
        intake=streaming.intake(key_of=ticket_of, dead_letters_per_minute=settings.dispatcher.dead_letters_per_minute),
        gateway=tracing.gateway(
            TimedGateway(gateway, streaming.telemetry), server=address(settings.gateway), route=route
        ),
        admission=admission,
        outbox=tracing.outbox(outbox),
        wakes=streaming.stream,
        clock=streaming.clock,
        telemetry=streaming.telemetry,
        policy=policy,
        new_request_id=lambda: str(uuid.uuid4()),
        monotonic=uptime,
        permit_seconds=PERMIT_SHARE * settings.kafka.session_timeout_seconds.total_seconds(),
    )

    async def start() -> None:
        await outbox.start()

    streaming.connect(flow, before=[start], after=[gateway.aclose, outbox.stop])
    return streaming.run()


def outbox_of(streaming: Streaming[DispatcherTelemetry]) -> KafkaOutbox:
    """What is published outside any transaction: answers that came too late for their worker."""
    kafka = streaming.settings.kafka
    return KafkaOutbox(
        connection_options(kafka),
        lambda name: physical_name(kafka.topic_prefix, name),
        streaming.codec,
        streaming.telemetry,
        client_id=physical_name(kafka.topic_prefix, Party.DISPATCHER.value),
        publish_timeout=PUBLISH_TIMEOUT,
        max_record_bytes=max(topic.max_message_bytes for topic in streaming.topics.written_by(Party.DISPATCHER)),
    )


class TimedGateway:
    """The `Gateway` port, with each call told to the metrics."""

    def __init__(self, gateway: HttpGateway, telemetry: DispatcherTelemetry) -> None:
        """Take the gateway that is really called."""
        self._gateway = gateway
        self._telemetry = telemetry

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        """As the port says."""
        started = time.monotonic()
        answer = await self._gateway.call(
            command, supplier=supplier, request_id=request_id, conversation_id=conversation_id
        )
        still_going()
        self._telemetry.gateway_called(name_of(command), answer, time.monotonic() - started)
        return answer


def supplier_states(admission: Admission) -> list[SupplierState]:
    """Every supplier at the door to the gateway."""
    now = uptime()
    return [
        SupplierState(name, admission.position(name, now), admission.in_flight(name)) for name in admission.suppliers()
    ]


def journey_policy(settings: DispatcherSettings) -> JourneyPolicy:
    """The policy that the settings describe."""
    types = settings.problem_types
    return JourneyPolicy(
        problem_types=DEFAULT_PROBLEM_TYPES
        if types is None
        else {
            word: ProblemType(test=pair.get("test", ""), problem=pair.get("problem", ""))
            for word, pair in types.items()
        },
        amend_statuses=frozenset(settings.amend_statuses),
        cancel_statuses=frozenset(settings.cancel_statuses),
        denied_test_codes=frozenset(settings.denied_test_codes),
        accept_resolution_codes=frozenset(settings.accept_resolution_codes),
        max_tests=settings.max_tests,
        test_result_wait=settings.test_result_wait_seconds,
        test_give_up=settings.test_give_up_seconds,
        test_validity_margin=settings.test_validity_margin_seconds,
        unknown_test_wait=settings.unknown_test_wait_seconds,
        unknown_check_wait=settings.unknown_check_wait_seconds,
        unknown_checks=settings.unknown_checks,
        reraise_unknown=settings.reraise_unknown,
        unknown_raise_wait=settings.unknown_raise_wait_seconds,
        max_raises=settings.max_raises,
        retry_first=settings.retry_first_seconds,
        retry_longest=settings.retry_longest_seconds,
        retry_for=settings.retry_for_seconds,
        max_queued=settings.max_queued,
        remember_ended=settings.remember_ended_seconds,
    )


def admission_policy(settings: GatewaySettings) -> AdmissionPolicy:
    """The limits that the settings describe; a second's worth of calls may come at once."""
    return AdmissionPolicy(
        max_in_flight=settings.max_in_flight,
        supplier_max_in_flight=settings.supplier_max_in_flight,
        bucket=BucketPolicy(rate=settings.supplier_rate, burst=max(1.0, settings.supplier_rate)),
        breaker=BreakerPolicy(
            failures=settings.breaker_failures, open_seconds=settings.breaker_open_seconds.total_seconds()
        ),
    )


def check(settings: Settings, policy: JourneyPolicy) -> None:
    """
    Refuse settings that are each right and together wrong.

    Raises:
        SettingsError: with every problem.

    """
    problems = [
        f"BRIDGE_DISPATCHER_PROBLEM_TYPES: {violation.field}: {violation.value_class}, not {violation.limit}"
        for violation in problem_type_violations(policy)
    ]
    if settings.gateway.total_timeout_seconds >= settings.kafka.rebalance_timeout_seconds * 0.7:
        problems.append(
            "BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS: must be shorter than 0.7 of BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS, "
            "or a worker is put out of its group while a call is under way"
        )
    if problems:
        raise SettingsError(problems)
