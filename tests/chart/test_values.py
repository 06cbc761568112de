"""Wrong values are refused before anything reaches the cluster, all at once, each with the value to change."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, Refused, Render

# Objects of Kubernetes' own schemas, and what Helm itself adds: not ours to close.
OPEN = {"kubernetes", "global"}


def refusal(render: Render, name: str = "minimal", **values: Any) -> str:
    with pytest.raises(Refused) as refused:
        render(name, **values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"replicaCount": 2}, "additional properties 'replicaCount' not allowed"),
        (
            {"services": {"tracker": {"replicaCount": 2}}},
            "at '/services/tracker': additional properties 'replicaCount'",
        ),
        ({"settings": {"BRIDGE_KAFKA_BOOTSTRAP": "x"}}, "additional properties 'BRIDGE_KAFKA_BOOTSTRAP' not allowed"),
        ({"settings": {"BRIDGE_GATEWAY_MAX_IN_FLIGHT": "many"}}, "BRIDGE_GATEWAY_MAX_IN_FLIGHT"),
        ({"settings": {"BRIDGE_MANAGEMENT_LISTEN": "0.0.0.0:1"}}, "additional properties 'BRIDGE_MANAGEMENT_LISTEN'"),
        ({"settings": {"BRIDGE_KAFKA_SECURITY_PROTOCOL": "TLS"}}, "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'"),
        ({"services": {"console": {}}}, "additional properties 'console' not allowed"),
        ({"secrets": {"BRIDGE_SCHEMA_REGISTRY_PASSWORD": {"existingSecret": "x"}}}, "missing property 'key'"),
        ({"secrets": {"BRIDGE_GATEWAY_CLIENT_SECRET": "plain"}}, "got string, want object"),
        ({"image": {"digest": "latest"}}, "at '/image/digest'"),
        ({"defaults": {"replicas": 0}}, "at '/defaults/replicas': minimum: got 0, want 1"),
        ({"defaults": {"autoscaling": {"minReplicas": 0}}}, "at '/defaults/autoscaling/minReplicas'"),
    ],
)
def test_a_key_or_a_type_that_the_schema_does_not_know(values: dict[str, Any], sentence: str, render: Render) -> None:
    assert sentence in refusal(render, **values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"services": {"dispatcher": {"replicas": 7}}},
            "services.dispatcher.replicas is 7: fault-tickets has 6 partitions, and a worker without one does nothing",
        ),
        (
            {"services": {"tracker": {"autoscaling": {"type": "hpa", "maxReplicas": 9}}}},
            "services.tracker.autoscaling.maxReplicas is 9: kcis has 6 partitions",
        ),
        (
            {"services": {"tracker": {"autoscaling": {"type": "keda", "maxReplicas": 9}}}},
            "services.tracker.autoscaling.maxReplicas is 9: kcis has 6 partitions",
        ),
        (
            {"services": {"tracker": {"autoscaling": {"type": "hpa", "minReplicas": 5, "maxReplicas": 4}}}},
            "services.tracker.autoscaling: minReplicas 5 is more than maxReplicas 4",
        ),
        (
            {"services": {"ingester": {"autoscaling": {"type": "keda"}}}},
            "services.ingester.autoscaling.keda.triggers: needed",
        ),
        (
            {"services": {"tracker": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}},
            "services.tracker.strategy.rollingUpdate.maxSurge: must be 0 for a worker",
        ),
        (
            {"settings": {"BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS": 90}},
            "BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS is 90 and BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS 90",
        ),
        (
            {"settings": {"BRIDGE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}},
            "services.tracker: BRIDGE_KAFKA_SASL_PASSWORD is needed: set it in secrets or services.<name>.secrets",
        ),
        (
            {"settings": {"BRIDGE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}},
            "hook: BRIDGE_KAFKA_SASL_USERNAME is needed: set it in settings or hook.settings",
        ),
        ({"settings": {"BRIDGE_WEBHOOK_AUTH": "bearer"}}, "services.ingester: BRIDGE_WEBHOOK_JWKS_URL is needed"),
        ({"topics": {"managedBy": "strimzi"}}, "strimzi.cluster: name the Kafka object"),
        (
            {"strimzi": {"cluster": "main", "users": {"enabled": True, "parts": ["topics"]}}},
            "topics.managedBy: the Job runs before the release's KafkaUser `topics` exists",
        ),
        ({"webhook": {"ingress": {"enabled": True}}}, "webhook.ingress.hosts: name at least one host"),
        ({"webhook": {"httpRoute": {"enabled": True}}}, "webhook.httpRoute.parentRefs: name the Gateway"),
    ],
)
def test_values_that_cannot_work_together(values: dict[str, Any], sentence: str, render: Render) -> None:
    assert sentence in refusal(render, **values)


def test_all_at_once(render: Render) -> None:
    said = refusal(render, settings={"BRIDGE_GATEWAY_CLIENT_ID": ""}, services={"tracker": {"replicas": 12}})

    assert "services.tracker.replicas is 12" in said
    assert "services.dispatcher: BRIDGE_GATEWAY_CLIENT_ID is needed" in said


def test_as_many_replicas_as_partitions_are_accepted(render: Render) -> None:
    assert render(services={"dispatcher": {"replicas": 6}})["Deployment", "dispatcher"]["spec"]["replicas"] == 6


def objects_in(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    match schema:
        case {"type": "object"}:
            yield path, schema
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield from objects_in(value, f"{path}/{key}")


def test_the_schema_is_closed_everywhere() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    found = dict(objects_in(schema))

    assert len(found) > 30
    for path, each in found.items():
        if path.rpartition("/")[2] not in OPEN:
            assert "additionalProperties" in each, path
            assert each["additionalProperties"] is False or "type" in each["additionalProperties"], path


def test_the_schema_knows_every_key_and_values_have_every_key() -> None:
    """A key of the schema that values.yaml lacks is documented nowhere."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def lacking(node: dict[str, Any], given: Any, path: str) -> Iterator[str]:
        node = schema["definitions"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        if path.rpartition(".")[2] not in {"settings", "secrets", "files", "global", "resources"} and isinstance(
            given, dict
        ):
            for key, inner in node.get("properties", {}).items():
                if key not in given and key != "global" and not path.startswith(".services") and "Probe" not in path:
                    yield f"{path}.{key}"
                elif key in given:
                    yield from lacking(inner, given[key], f"{path}.{key}")

    assert list(lacking(schema, values, "")) == []
