"""What every pod is like: no rights, no token, no secret in its environment, and settings that its service accepts."""

from pathlib import Path
from typing import Any

import pytest

from bridge.cli.config_checks import GROUPS_OF
from bridge.settings import read
from bridge.simulator.settings import read as read_simulator
from tests.chart.rendering import SCENARIOS, Objects, Refused, Render, containers, pod_specs

SECRET = "s3cr3t"
WORKERS = ("dispatcher", "tracker")


@pytest.mark.parametrize("name", SCENARIOS)
def test_runs_without_rights_on_a_file_system_that_it_cannot_write(name: str, render: Render) -> None:
    for where, pod in pod_specs(render(name)):
        assert pod["securityContext"]["runAsNonRoot"] is True, where
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]  # noqa: S108  # a mount, not a file


@pytest.mark.parametrize("name", SCENARIOS)
def test_gets_no_variables_of_other_services(name: str, render: Render) -> None:
    """A Service named bridge-… would add BRIDGE_…_PORT, which the services refuse as no setting of theirs."""
    assert all(pod["enableServiceLinks"] is False for _, pod in pod_specs(render(name)))


@pytest.mark.parametrize("name", SCENARIOS)
def test_has_its_secrets_as_files_and_nowhere_else(name: str, render: Render) -> None:
    objects = render(name)

    assert not [key for key in objects if key[0] == "Secret"]
    for where, pod in pod_specs(objects):
        for container in containers(pod):
            assert "env" not in container, where
            assert [list(source) for source in container["envFrom"]] == [["configMapRef"]]
    for (kind, _), config in objects.items():
        if kind == "ConfigMap":
            assert not [key for key in config["data"] if key.endswith(("_PASSWORD", "_SECRET"))]


@pytest.mark.parametrize("variable", ["BRIDGE_GATEWAY_CLIENT_SECRET", "BRIDGE_KAFKA_SASL_PASSWORD"])
def test_a_secret_among_the_settings_is_refused(variable: str, render: Render) -> None:
    with pytest.raises(Refused, match=f"additional properties '{variable}' not allowed"):
        render(settings={variable: SECRET})


def environment(objects: Objects, service: str, folder: Path) -> dict[str, str]:
    """What the service would find: its ConfigMap, with the mounted files in a folder of ours."""
    deployment = objects["Deployment", service]["spec"]["template"]["spec"]
    (container,) = deployment["containers"]
    (source,) = container["envFrom"]
    assert source["configMapRef"]["name"] == objects["ConfigMap", service]["metadata"]["name"]
    for volume in deployment["volumes"]:
        for projected in volume.get("projected", {}).get("sources", []):
            for item in next(iter(projected.values()))["items"]:
                (folder / item["path"]).write_text(SECRET, encoding="utf-8")
    data: dict[str, str] = objects["ConfigMap", service]["data"]
    assert all(isinstance(value, str) for value in data.values())
    return {name: value.replace("/etc/bridge/", f"{folder}/") for name, value in data.items()}


GROUPS = {party.value: groups for party, groups in GROUPS_OF.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_has_settings_that_its_service_accepts(name: str, render: Render, tmp_path: Path) -> None:
    objects = render(name)
    services = [service for kind, service in objects if kind == "Deployment"]

    assert services
    for service in services:
        found = environment(objects, service, tmp_path)
        if service == "simulator":
            assert read_simulator(found).webhook_url.endswith("/kcis")
        else:
            assert all(any(variable.startswith(f"BRIDGE_{group}_") for group in GROUPS[service]) for variable in found)
            assert read(found, *GROUPS[service]).kafka.bootstrap_servers


def test_reads_numbers_and_maps_as_they_were_written(render: Render, tmp_path: Path) -> None:
    """Helm holds a million as 1e+06, and a false or an empty text for nothing, unless it is stopped."""
    objects = render(
        settings={
            "BRIDGE_KAFKA_TOPIC_PREFIX": "acme.",
            "BRIDGE_WEBHOOK_MAX_BODY_BYTES": 1000000,
            "BRIDGE_GATEWAY_SUPPLIER_RATE": 0.5,
            "BRIDGE_DISPATCHER_RERAISE_UNKNOWN": True,
            "BRIDGE_DISPATCHER_PROBLEM_TYPES": {"A": {"test": "T", "problem": "P"}},
        },
        services={
            "dispatcher": {"settings": {"BRIDGE_KAFKA_TOPIC_PREFIX": "", "BRIDGE_DISPATCHER_RERAISE_UNKNOWN": False}}
        },
    )

    dispatcher = read(environment(objects, "dispatcher", tmp_path), *GROUPS["dispatcher"])
    ingester = read(environment(objects, "ingester", tmp_path), *GROUPS["ingester"])
    assert ingester.webhook.max_body_bytes == 1000000
    assert dispatcher.gateway.supplier_rate == 0.5
    assert dispatcher.dispatcher.reraise_unknown is False
    assert dispatcher.dispatcher.problem_types == {"A": {"test": "T", "problem": "P"}}
    assert (dispatcher.kafka.topic_prefix, ingester.kafka.topic_prefix) == ("", "acme.")


@pytest.mark.parametrize("service", ["dispatcher", "ingester", "tracker"])
def test_is_probed_on_its_management_port(service: str, render: Render) -> None:
    (container,) = render()["Deployment", service]["spec"]["template"]["spec"]["containers"]

    assert {"name": "management", "containerPort": 9090, "protocol": "TCP"} in container["ports"]
    paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {
        "startupProbe": {"path": "/live", "port": "management"},
        "livenessProbe": {"path": "/live", "port": "management"},
        "readinessProbe": {"path": "/ready", "port": "management"},
    }


def digests(objects: Objects) -> dict[str, str]:
    return {
        name: each["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
        for (kind, name), each in objects.items()
        if kind == "Deployment"
    }


def test_is_replaced_when_its_own_settings_change_and_only_then(render: Render) -> None:
    before = digests(render())
    after = digests(render(settings={"BRIDGE_GATEWAY_SUPPLIER_RATE": 7}))

    assert {name for name in before if before[name] != after[name]} == {"dispatcher"}


def test_a_new_version_of_the_chart_alone_replaces_no_pod(render: Render) -> None:
    for (kind, _), each in render().items():
        if kind == "Deployment":
            assert "helm.sh/chart" not in each["spec"]["template"]["metadata"]["labels"]
            assert "helm.sh/chart" not in each["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize(
    ("settings", "floor", "expected"),
    [
        ({}, 60, {"dispatcher": 120, "ingester": 65, "tracker": 120}),
        ({"BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS": 300}, 60, {"dispatcher": 330, "ingester": 65, "tracker": 330}),
        ({"BRIDGE_WEBHOOK_READ_TIMEOUT_SECONDS": 60.5}, 60, {"dispatcher": 120, "ingester": 111, "tracker": 120}),
        ({}, 200, {"dispatcher": 200, "ingester": 200, "tracker": 200}),
    ],
)
def test_may_take_as_long_to_stop_as_its_longest_call(
    settings: dict[str, Any], floor: int, expected: dict[str, int], render: Render
) -> None:
    objects = render(settings=settings, defaults={"minTerminationGracePeriodSeconds": floor})

    grace = {
        name: each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for (kind, name), each in objects.items()
        if kind == "Deployment"
    }
    assert grace == expected


def test_the_webhook_answers_on_while_proxies_learn_that_it_stops(render: Render) -> None:
    objects = render()

    def lifecycle(service: str) -> Any:
        return objects["Deployment", service]["spec"]["template"]["spec"]["containers"][0].get("lifecycle")

    assert lifecycle("ingester") == {"preStop": {"sleep": {"seconds": 10}}}
    assert [lifecycle(worker) for worker in WORKERS] == [None, None]


def test_is_the_image_by_its_digest_if_there_is_one(render: Render) -> None:
    for _, pod in pod_specs(render("production")):
        for container in containers(pod):
            assert container["image"].startswith("registry.example.com/fibre-fault-bridge@sha256:0123")
        assert pod["imagePullSecrets"] == [{"name": "registry-credentials"}]


def test_mounts_what_a_secret_holds_under_the_name_of_its_setting(render: Render) -> None:
    pod = render("production")["Deployment", "dispatcher"]["spec"]["template"]["spec"]
    (mounted,) = (volume["projected"] for volume in pod["volumes"] if volume["name"] == "mounted")

    assert mounted["defaultMode"] == 0o440
    assert {
        "secret": {
            "name": "kafka-dispatcher",
            "items": [{"key": "password", "path": "BRIDGE_KAFKA_SASL_PASSWORD"}],
        }
    } in mounted["sources"]
    assert {
        "configMap": {"name": "kafka-ca", "items": [{"key": "ca.crt", "path": "BRIDGE_KAFKA_SSL_CA_FILE"}]}
    } in mounted["sources"]
