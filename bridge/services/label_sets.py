"""The sets of label values that are known when a service starts, put together from where each is defined."""

from collections.abc import Iterable
from importlib.metadata import version

from bridge.adapters.prometheus.labels import OTHER, Known
from bridge.adapters.prometheus.meters import Sets
from bridge.adapters.webhook.auth import Failure
from bridge.adapters.webhook.wire import AnswerReason
from bridge.domain.policy import DEFAULT_PROBLEM_TYPES
from bridge.topics import Party, Topics


def closed_sets(topics: Topics, party: Party, problem_types: Iterable[str] = DEFAULT_PROBLEM_TYPES) -> Sets:
    """
    The sets for one service; `problem_types` are the provider's own words for a fault.

    A source topic is one that the service reads and others write; a private table is none.
    """
    read = [topic for topic in topics.topics if party in topic.consumers and not topic.is_private]
    most = max((topics.partitions_of(topic) for topic in read), default=0)
    return {
        Known.READ: tuple(topic.name for topic in read),
        Known.WRITTEN: tuple(topic.name for topic in topics.written_by(party) if not topic.is_private),
        Known.PARTITIONS: tuple(str(number) for number in range(most)),
        Known.PROBLEM_TYPES: (*problem_types, OTHER),
        Known.ANSWER_REASONS: tuple(AnswerReason),
        Known.AUTHENTICATION_FAILURES: tuple(Failure),
        Known.VERSION: (version("fibre-fault-bridge"),),
    }
