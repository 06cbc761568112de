"""
Every metric of the bridge, each with its type, its meaning and its labels. `docs/metrics.md` is made from this table.

Names are `bridge_<thing>_<unit|total>`, units are Prometheus' base units. A histogram also counts, so what has a
duration has no counter beside it.
"""

from enum import StrEnum
from typing import NamedTuple

from bridge.adapters.prometheus import labels as by
from bridge.adapters.prometheus.labels import Label
from bridge.topics import Party

# From a broker next door (1 ms) to the longest time-out that the settings suggest (30 s).
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# What goes by way of the gateway or of suppliers: from half a second to the four hours for which a command is tried.
LONG_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
# What people and engineers do: from a minute to two weeks.
REPAIR_SECONDS = tuple(60.0 * minutes for minutes in (1, 10, 60, 240, 480, 1440, 2880, 5760, 10080, 20160))

ALL = (Party.DISPATCHER, Party.INGESTER, Party.TRACKER)
STREAMING = (Party.DISPATCHER, Party.TRACKER)
DISPATCHER = (Party.DISPATCHER,)
INGESTER = (Party.INGESTER,)
TRACKER = (Party.TRACKER,)
PUBLISHING = (Party.DISPATCHER, Party.INGESTER)


class Kind(StrEnum):
    """Prometheus' types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Definition(NamedTuple):
    """One metric; a label set that is closed is there with 0 from the start, so that `rate` sees the first event."""

    name: str
    kind: Kind
    meaning: str
    services: tuple[Party, ...]
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, meaning: str, services: tuple[Party, ...], *labels: Label) -> Definition:
    return Definition(name, Kind.COUNTER, meaning, services, labels)


def _gauge(name: str, meaning: str, services: tuple[Party, ...], *labels: Label) -> Definition:
    return Definition(name, Kind.GAUGE, meaning, services, labels)


def _histogram(
    name: str, meaning: str, services: tuple[Party, ...], *labels: Label, buckets: tuple[float, ...] = SECONDS
) -> Definition:
    return Definition(name, Kind.HISTOGRAM, meaning, services, labels, buckets)


# -- every service
BUILD_INFO = _gauge("bridge_build_info", "Which build runs; always 1.", ALL, by.SERVICE, by.VERSION)
LOOP_LAG = _histogram(
    "bridge_event_loop_lag_seconds",
    "How much later than asked for the event loop comes back, looked at twice a second. What hangs there holds up all.",
    ALL,
)

SPANS_EXPORTED = _counter("bridge_spans_exported_total", "Spans of traces that the collector took.", ALL)
SPANS_DROPPED = _counter(
    "bridge_spans_dropped_total", "Spans of traces that are lost; the work that they tell of is not.", ALL, by.LOST
)

# -- Kafka, on the way out
PUBLISH_SECONDS = _histogram(
    "bridge_publish_seconds",
    "Time until all in-sync replicas had a record that was published outside a transaction.",
    PUBLISHING,
    by.WRITTEN_TOPIC,
)
PUBLISH_FAILURES = _counter(
    "bridge_publish_failures_total",
    "Records that Kafka did not confirm in time; they may or may not be there.",
    PUBLISHING,
    by.WRITTEN_TOPIC,
)
KAFKA_CONNECTED = _gauge(
    "bridge_kafka_connected", "1 while a broker answers, asked every five seconds, else 0.", PUBLISHING
)
RECORDS_PUBLISHED = _counter(
    "bridge_records_published_total", "Records published, in a transaction or not.", ALL, by.WRITTEN_TOPIC
)

# -- Kafka, on the way in
RECORD_SECONDS = _histogram(
    "bridge_record_seconds",
    "Time to settle an input record, from its turn in its lane to the commit of what follows from it; its count is the "
    "records in.",
    STREAMING,
    by.READ_TOPIC,
)
DEAD_LETTERS = _counter(
    "bridge_dead_letters_total",
    "Input records that can never be processed and went to the dead letters.",
    STREAMING,
    by.READ_TOPIC,
    by.DEAD_LETTER_REASON,
)
LAG_RECORDS = _gauge(
    "bridge_consumer_lag_records",
    "Committed records that the consumer group has not settled, counted by the broker's offsets of the whole group; "
    "every worker shows all partitions, so take the maximum. A transaction's marker counts as a record as long as "
    "records lie before it.",
    STREAMING,
    by.READ_TOPIC,
    by.PARTITION,
)
LAG_SECONDS = _gauge(
    "bridge_consumer_lag_seconds",
    "Age of the oldest committed record that the consumer group has not settled, 0 when there is none. A transaction "
    "without an end, behind which nothing can be read, counts from when it was first seen.",
    STREAMING,
    by.READ_TOPIC,
    by.PARTITION,
)
LAG_SEEN = _gauge(
    "bridge_consumer_lag_seen_timestamp_seconds", "When the broker last told the lag, as Unix time.", STREAMING
)
GROUP_MEMBER = _gauge(
    "bridge_group_member",
    "1 while the worker takes part in its consumer group, else 0 (a rebalance, a start).",
    STREAMING,
)
ASSIGNED_PARTITIONS = _gauge("bridge_assigned_partitions", "Table partitions that the worker owns.", STREAMING)
UNSETTLED_RECORDS = _gauge(
    "bridge_unsettled_records",
    "Records pulled and not settled; BRIDGE_…_MAX_PULLED is the most there can be.",
    STREAMING,
)
REBALANCE_SECONDS = _histogram(
    "bridge_rebalance_seconds",
    "Time from giving partitions up to working on the new ones, tables read; its count is the rebalances.",
    STREAMING,
    buckets=LONG_SECONDS,
)
RECOVERY_SECONDS = _histogram(
    "bridge_table_recovery_seconds",
    "Time to read the tables of newly assigned partitions.",
    STREAMING,
    buckets=LONG_SECONDS,
)
RECOVERED_RECORDS = _counter("bridge_table_recovered_records_total", "Table records read at take-overs.", STREAMING)
TABLE_KEYS = _gauge("bridge_table_keys", "Keys in the worker's table: tickets, or entities.", STREAMING)

# -- the gateway
CALL_SECONDS = _histogram(
    "bridge_gateway_call_seconds",
    "Time of a call to the gateway, by what was asked and what the answer says of it.",
    DISPATCHER,
    by.COMMAND,
    by.ANSWER,
)
CALLS_IN_FLIGHT = _gauge(
    "bridge_gateway_calls_in_flight",
    "Calls under way; BRIDGE_GATEWAY_MAX_IN_FLIGHT is the most there can be.",
    DISPATCHER,
)
SUPPLIER_IN_FLIGHT = _gauge(
    "bridge_supplier_calls_in_flight", "Calls under way for a supplier.", DISPATCHER, by.SUPPLIER
)
SUPPLIER_BREAKER = _gauge(
    "bridge_supplier_breaker",
    "1 for where a supplier's breaker stands, 0 for where not.",
    DISPATCHER,
    by.SUPPLIER,
    by.POSITION,
)
ACCESS_REFUSED = _gauge(
    "bridge_gateway_access_refused",
    "1 while a person must act for the gateway to let us in: an allow-list (403), credentials (401).",
    DISPATCHER,
)
TOKEN_AGE = _gauge("bridge_gateway_token_age_seconds", "Age of the access token; 0 while there is none.", DISPATCHER)
TOKEN_FAILURES = _gauge(
    "bridge_gateway_token_failures", "Requests for an access token that failed in a row.", DISPATCHER
)

# -- journeys
JOURNEYS = _gauge("bridge_journeys", "Journeys that the worker keeps, the ended ones included.", DISPATCHER, by.PHASE)
ATTENTION = _gauge("bridge_journeys_attention", "Journeys that need a person, by what for.", DISPATCHER, by.ATTENTION)
COMMANDS = _gauge(
    "bridge_commands",
    "Commands at the front of their journey's queue, by how they are doing. GETs are not among them.",
    DISPATCHER,
    by.STANDING,
)
OLDEST_COMMAND = _gauge(
    "bridge_oldest_command_seconds",
    "How long the oldest of them has been at the front of its queue, or UNKNOWN; 0 when there is none.",
    DISPATCHER,
    by.STANDING,
)
TAKEN_OVER = _counter(
    "bridge_taken_over_tickets_total",
    "Tickets that take-overs found, by what is known of the command that each stands at.",
    DISPATCHER,
    by.FOUND,
)
OUTCOMES = _counter(
    "bridge_outcomes_total",
    "Outcomes published: what is known of a command, and why.",
    DISPATCHER,
    by.COMMAND,
    by.VERDICT,
    by.REASON,
)
FAULTS = _counter("bridge_faults_total", "Faults reported.", DISPATCHER, by.SUPPLIER, by.PROBLEM_TYPE)
ENDS = _counter("bridge_journeys_ended_total", "Journeys that ended, and how.", DISPATCHER, by.SUPPLIER, by.END)
RAISE_SECONDS = _histogram(
    "bridge_raise_seconds",
    "Time from the ticket's event to the problem on the gateway.",
    DISPATCHER,
    buckets=LONG_SECONDS,
)
REPAIR = _histogram(
    "bridge_repair_seconds",
    "Time from the ticket's event to RESOLVED, or COMPLETED where that was skipped.",
    DISPATCHER,
    by.SUPPLIER,
    buckets=REPAIR_SECONDS,
)

# -- tests and problems
ENTITIES = _gauge("bridge_entities", "Tests and problems that the worker follows.", TRACKER, by.ENTITY_TYPE, by.STATUS)
TRANSITIONS = _counter(
    "bridge_transitions_total",
    "Status transitions published, by who told of them and how they relate to the lifecycle tables.",
    TRACKER,
    by.ENTITY_TYPE,
    by.SOURCE,
    by.MOVE,
)
TRANSITION_SECONDS = _histogram(
    "bridge_transition_seconds", "Time from receiving a KCI to the transition published.", TRACKER
)
SEQUENCE_GAPS = _counter(
    "bridge_kci_sequence_gaps_total", "KCIs that came before others with lower sequence numbers.", TRACKER
)
MISSING_KCIS = _gauge("bridge_missing_kcis", "Sequence numbers that have not come and still may.", TRACKER)
RECONCILIATIONS = _counter(
    "bridge_reconciliations_total", "GETs that the tracker asked a journey for, by why.", TRACKER, by.WHY
)
RECONCILIATION_FINDS = _counter(
    "bridge_reconciliation_finds_total",
    "KCIs that a GET showed before, or without, their delivery.",
    TRACKER,
    by.ENTITY_TYPE,
)
ACTIONS_REQUIRED = _gauge(
    "bridge_actions_required",
    "Actions that people have to take, by how long they still have.",
    TRACKER,
    by.ACTION,
    by.DUE,
)
NEXT_DUE = _gauge(
    "bridge_action_due_in_seconds",
    "Time to the nearest deadline, negative when it has passed; absent when there is none.",
    TRACKER,
    by.ACTION,
)

# -- the webhook
WEBHOOK_ANSWERS = _counter(
    "bridge_webhook_answers_total",
    "Requests that the webhook answered, by HTTP status and by why.",
    INGESTER,
    by.CODE,
    by.ANSWER_REASON,
)
WEBHOOK_SECONDS = _histogram(
    "bridge_webhook_answer_seconds", "Time from a request's head to its answer.", INGESTER, by.CODE
)
WEBHOOK_IN_FLIGHT = _gauge(
    "bridge_webhook_requests_in_flight",
    "Authenticated requests that are not answered yet; BRIDGE_WEBHOOK_MAX_IN_FLIGHT is the most there can be.",
    INGESTER,
)
AUTHENTICATION_FAILURES = _counter(
    "bridge_webhook_authentication_failures_total", "Requests without valid credentials.", INGESTER, by.FAILURE
)
QUARANTINED = _counter(
    "bridge_quarantined_total",
    "Deliveries that cannot be a KCI and went to the quarantine.",
    INGESTER,
    by.QUARANTINE_REASON,
)
LAST_KCI = _gauge(
    "bridge_webhook_last_kci_timestamp_seconds",
    "When the latest KCI was taken, as Unix time; before the first one, when the process started.",
    INGESTER,
)

DEFINITIONS: tuple[Definition, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Definition)
)
