"""How many there are, how they are replaced, and what scales them: with as few pauses of a group as can be."""

import subprocess
from typing import Any

import pytest

from tests.chart.rendering import CHART, Render, scenario
from tests.tools import HELM


@pytest.mark.parametrize("worker", ["dispatcher", "tracker"])
def test_workers_go_one_at_a_time_and_are_never_more_than_replicas(worker: str, render: Render) -> None:
    spec = render()["Deployment", worker]["spec"]

    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    assert spec["minReadySeconds"] == 20


def test_the_webhook_has_a_new_pod_before_an_old_one_goes(render: Render) -> None:
    strategy = render()["Deployment", "ingester"]["spec"]["strategy"]

    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_a_rollout_has_time_for_a_pod_that_goes_slowly(render: Render) -> None:
    for (kind, _), each in render().items():
        if kind == "Deployment":
            spec = each["spec"]
            longest = spec["template"]["spec"]["terminationGracePeriodSeconds"] + spec["minReadySeconds"]
            assert spec["progressDeadlineSeconds"] > longest + 300


def test_one_of_a_service_may_be_away_for_a_drain(render: Render) -> None:
    objects = render()

    for service in ("dispatcher", "ingester", "tracker"):
        spec = objects["PodDisruptionBudget", service]["spec"]
        assert spec["maxUnavailable"] == 1
        assert spec["selector"] == objects["Deployment", service]["spec"]["selector"]


@pytest.mark.parametrize(("kind", "service"), [("ScaledObject", "dispatcher"), ("HorizontalPodAutoscaler", "ingester")])
def test_who_scales_owns_the_replicas(kind: str, service: str, render: Render) -> None:
    objects = render("scaling")

    assert "replicas" not in objects["Deployment", service]["spec"]
    target = objects[kind, service]["spec"]["scaleTargetRef"]
    assert target["name"] == objects["Deployment", service]["metadata"]["name"]


def test_keda_looks_at_the_lag_of_each_topic_of_the_worker(render: Render) -> None:
    objects = render("scaling", settings={"BRIDGE_KAFKA_TOPIC_PREFIX": "acme."})

    spec = objects["ScaledObject", "dispatcher"]["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 6)
    seen = {trigger["metadata"]["topic"]: trigger for trigger in spec["triggers"]}
    assert sorted(seen) == ["acme.fault-tickets", "acme.journey-signals", "acme.operator-decisions"]
    assert seen["acme.fault-tickets"] == {
        "type": "kafka",
        "metadata": {
            "bootstrapServers": "kafka:9092",
            "consumerGroup": "acme.dispatcher",
            "topic": "acme.fault-tickets",
            "lagThreshold": "500",
            "offsetResetPolicy": "earliest",
        },
        "authenticationRef": {"name": "kafka"},
    }


def test_scaling_is_slow_for_who_joins_a_group(render: Render) -> None:
    objects = render("scaling")
    advanced = objects["ScaledObject", "dispatcher"]["spec"]["advanced"]
    behavior = advanced["horizontalPodAutoscalerConfig"]["behavior"]

    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 900
    assert [policy["value"] for policy in behavior["scaleUp"]["policies"]] == [1]


def notes(*options: str) -> str:
    command = [str(HELM.path), "install", "bridge", str(CHART), "--dry-run=client", "--namespace=faults"]
    done = subprocess.run(
        [*command, f"--values={scenario('minimal')}", *options], capture_output=True, text=True, check=True
    )
    return done.stdout.partition("\nNOTES:\n")[2]


@pytest.mark.parametrize(("replicas", "uneven"), [(1, False), (2, False), (3, False), (4, True), (5, True), (6, False)])
def test_the_notes_tell_of_replicas_that_do_not_divide_the_partitions(*, replicas: int, uneven: bool) -> None:
    said = notes(f"--set=services.dispatcher.replicas={replicas}")

    assert (f"dispatcher: 6 partitions over {replicas} replicas are unevenly spread" in said) is uneven
    assert "tracker: 6 partitions" not in said


def test_the_notes_tell_what_to_do_next() -> None:
    said = notes("--set=webhook.ingress.enabled=true", "--set=webhook.ingress.hosts={kci.example.com}")

    assert "helm -n faults test bridge" in said
    assert "https://kci.example.com/kcis" in said
    assert "BRIDGE_WEBHOOK_TRUSTED_PROXIES" in said


def test_spreads_the_pods_of_one_version(render: Render) -> None:
    pod: Any = render()["Deployment", "dispatcher"]["spec"]["template"]["spec"]

    assert [each["topologyKey"] for each in pod["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert all(each["matchLabelKeys"] == ["pod-template-hash"] for each in pod["topologySpreadConstraints"])
