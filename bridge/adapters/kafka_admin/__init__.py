"""
A cluster's topics compared with `topics.yaml`, and made to match.

`plan` says what differs, `KafkaAdmin` looks and changes, `check_topics` and `check_access` are what a service does
before it starts, `rights_on` tells what a user may do.
"""

from bridge.adapters.kafka_admin.access import AccessMissing, check_access
from bridge.adapters.kafka_admin.admin import ChangeFailed, KafkaAdmin, KafkaUnreachable, check_topics
from bridge.adapters.kafka_admin.plan import (
    AddPartitions,
    Change,
    ChangeConfigs,
    ClusterTopic,
    CreateTopic,
    Obstacle,
    plan,
    unfit,
)
from bridge.adapters.kafka_admin.rights import rights_on

__all__ = [
    "AccessMissing",
    "AddPartitions",
    "Change",
    "ChangeConfigs",
    "ChangeFailed",
    "ClusterTopic",
    "CreateTopic",
    "KafkaAdmin",
    "KafkaUnreachable",
    "Obstacle",
    "check_access",
    "check_topics",
    "plan",
    "rights_on",
    "unfit",
]
