"""What is around the services: who may reach whom, what is watched, what Strimzi makes, the Job before an upgrade."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.cli.acls import access_commands
from bridge.topics import data_directory, load_topics
from tests.chart.rendering import CHART, Render, containers

RULE = {
    "groups": [
        {
            "name": "bridge",
            "rules": [
                {
                    "alert": "BridgeStuck",
                    "expr": 'max by (service) (bridge_age_seconds{service="dispatcher"}) > 1e6',
                    "for": "5m",
                    "annotations": {"summary": "{{ $labels.service }} is stuck since {{ $value | humanizeDuration }}"},
                }
            ],
        }
    ]
}


def ports(rule: Any) -> list[int]:
    return [each["port"] for each in rule["ports"]]


@pytest.mark.parametrize(
    ("component", "inward", "outward"),
    [
        ("dispatcher", [[9090]], [[53, 53], [443], [9093, 9094, 9095], [8081], [4318]]),
        ("ingester", [[9090], [8080]], [[53, 53], [443], [9093, 9094, 9095], [8081], [4318]]),
        ("tracker", [[9090]], [[53, 53], [9093, 9094, 9095], [8081], [4318]]),
        ("hook", [], [[53, 53], [9093, 9094, 9095], [8081]]),
    ],
)
def test_opens_only_the_ports_that_a_component_needs(
    component: str, inward: list[list[int]], outward: list[list[int]], render: Render
) -> None:
    spec = render("production")["NetworkPolicy", component]["spec"]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [ports(rule) for rule in spec["ingress"]] == inward
    assert [ports(rule) for rule in spec["egress"]] == outward


def test_opens_them_to_whom_the_values_name(render: Render) -> None:
    spec = render("production")["NetworkPolicy", "ingester"]["spec"]

    (webhook,) = (rule for rule in spec["ingress"] if ports(rule) == [8080])
    assert webhook["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
    (kafka,) = (rule for rule in spec["egress"] if 9093 in ports(rule))
    assert kafka["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]


def test_helm_test_checks_each_service_with_its_own_settings(render: Render) -> None:
    objects = render("production")

    for service in ("dispatcher", "ingester", "tracker"):
        (container,) = objects["Pod", f"{service}-check"]["spec"]["containers"]
        (running,) = objects["Deployment", service]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["config", "check", "--service", service, "--connect"]
        assert container["envFrom"] == running["envFrom"]
        assert container["volumeMounts"] == running["volumeMounts"]


def test_the_pod_of_helm_test_may_call_what_its_service_calls(render: Render) -> None:
    objects = render("production")
    component = objects["Pod", "tracker-check"]["metadata"]["labels"]["app.kubernetes.io/component"]
    (expression,) = objects["NetworkPolicy", "tracker"]["spec"]["podSelector"]["matchExpressions"]

    assert component in expression["values"]
    selector = objects["Service", "tracker-management"]["spec"]["selector"]
    assert component != selector["app.kubernetes.io/component"]


@pytest.mark.parametrize("name", ["production", "scaling"])
def test_the_webhook_alone_is_to_be_seen_from_outside(name: str, render: Render) -> None:
    objects = render(name, settings={"BRIDGE_WEBHOOK_PATH": "/updates"})
    service = objects["Service", "ingester-webhook"]["metadata"]["name"]
    expected = {"path": "/updates", "host": "kci.example.com", "service": service}

    if name == "production":
        (rule,) = objects["Ingress", "webhook"]["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        found = {"path": path["path"], "host": rule["host"], "service": path["backend"]["service"]["name"]}
    else:
        spec = objects["HTTPRoute", "webhook"]["spec"]
        (rule,) = spec["rules"]
        found = {
            "path": rule["matches"][0]["path"]["value"],
            "host": spec["hostnames"][0],
            "service": rule["backendRefs"][0]["name"],
        }
    assert found == expected


def test_every_service_but_the_simulator_is_scraped(render: Render) -> None:
    objects = render("simulator", serviceMonitor={"enabled": True, "labels": {"release": "prometheus"}})
    wanted = objects["ServiceMonitor", ""]["spec"]["selector"]["matchLabels"]

    chosen = {
        name
        for (kind, name), each in objects.items()
        if kind == "Service" and wanted.items() <= each["metadata"]["labels"].items()
    }
    assert chosen == {"dispatcher-management", "ingester-management", "tracker-management"}
    assert all(objects["Service", name]["spec"]["publishNotReadyAddresses"] for name in chosen)
    assert objects["ServiceMonitor", ""]["metadata"]["labels"]["release"] == "prometheus"


def test_the_label_service_of_the_metrics_is_the_one_that_rules_and_dashboards_mean(render: Render) -> None:
    """Prometheus Operator gives each target a label `service` of its own, which would win over the metric's."""
    endpoints = render("production")["ServiceMonitor", ""]["spec"]["endpoints"]
    rules = yaml.safe_dump(render("production")["PrometheusRule", ""])

    assert re.search(r"service=[\\\"]*dispatcher", rules)
    assert all(endpoint["honorLabels"] for endpoint in endpoints)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """The chart with one rule and one dashboard of ours beside those that it has."""
    copy = tmp_path / "helm"
    shutil.copytree(CHART, copy)
    for folder in ("rules", "dashboards"):
        (copy / folder).mkdir(exist_ok=True)
    (copy / "rules" / "own.yaml").write_text(yaml.safe_dump(RULE), encoding="utf-8")
    (copy / "dashboards" / "own_one.json").write_text('{"title": "{{ $labels.x }}"}', encoding="utf-8")
    return copy


def test_rules_and_dashboards_reach_prometheus_and_grafana_as_they_are(chart: Path, render: Render) -> None:
    """They have templates of their own, in the same braces as helm's."""
    objects = render("production", chart)

    rule = objects["PrometheusRule", ""]
    groups = [
        group
        for path in sorted(chart.glob("rules/*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]
    assert rule["spec"]["groups"] == groups
    assert RULE["groups"][0] in groups
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    dashboard = objects["ConfigMap", "dashboard-own-one"]
    assert dashboard["data"] == {"own_one.json": '{"title": "{{ $labels.x }}"}'}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["metadata"]["annotations"] == {"grafana_folder": "Bridge"}


def test_an_alert_links_to_its_part_of_the_runbook(render: Render) -> None:
    def links(**values: Any) -> set[str]:
        groups = render("production", prometheusRule=values)["PrometheusRule", ""]["spec"]["groups"]
        return {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"] if "alert" in rule}

    assert all(link.startswith("docs/runbook.md#") for link in links())
    linked = links(runbookBase="https://git.example.com/bridge/blob/main/")
    assert linked == {f"https://git.example.com/bridge/blob/main/{link}" for link in links()}


def rights_of_strimzi(objects: dict[tuple[str, str], Any]) -> set[tuple[str, ...]]:
    return {
        (name, acl["resource"]["type"].lower(), acl["resource"]["name"], acl["resource"]["patternType"], operation)
        for (kind, name), user in objects.items()
        if kind == "KafkaUser"
        for acl in user["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }


def rights_of_kafka_acls(prefix: str) -> set[tuple[str, ...]]:
    """The same, from the arguments of the commands that `bridge topics acls` prints."""
    rights: set[tuple[str, ...]] = set()
    for command in access_commands(load_topics(data_directory() / "topics.yaml"), prefix, "User:{party}"):
        (user,) = re.findall(r"--allow-principal 'User:([^']+)'", command)
        pattern = "prefix" if "--resource-pattern-type prefixed" in command else "literal"
        for kind, name in re.findall(r"--(topic|group|transactional-id) '([^']+)'", command):
            for operation in re.findall(r"--operation (\w+)", command):
                rights.add((user, kind.replace("-", ""), name, pattern, operation))
    return rights


@pytest.mark.parametrize("prefix", ["", "acme."])
def test_strimzi_gives_the_rights_that_bridge_topics_acls_gives(prefix: str, render: Render) -> None:
    objects = render("strimzi-tls", settings={"BRIDGE_KAFKA_TOPIC_PREFIX": prefix})

    assert rights_of_strimzi(objects) == rights_of_kafka_acls(prefix)
    assert len(rights_of_strimzi(objects)) > 100


@pytest.mark.parametrize(("name", "factor", "in_sync"), [("strimzi", 3, "2"), ("strimzi-tls", 1, "1")])
def test_strimzi_makes_the_topics_of_topics_yaml(name: str, factor: int, in_sync: str, render: Render) -> None:
    topics = load_topics(data_directory() / "topics.yaml")
    objects = render(name, settings={"BRIDGE_KAFKA_TOPIC_PREFIX": "Acme_1."})

    for topic in topics.topics:
        made = objects["KafkaTopic", topic.name]
        assert made["spec"] == {
            "topicName": f"Acme_1.{topic.name}",
            "partitions": topics.partitions_of(topic),
            "replicas": factor,
            "config": topics.configs_of(topic, factor),
        }
        assert made["spec"]["config"]["min.insync.replicas"] == in_sync
        assert made["metadata"]["labels"]["strimzi.io/cluster"] == "main"
        # Strimzi deletes a topic's records with its object.
        assert made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert sum(kind == "KafkaTopic" for kind, _ in objects) == len(topics.topics)


def test_a_service_is_the_user_that_strimzi_made_for_it(render: Render) -> None:
    objects = render("strimzi")

    user = objects["KafkaUser", "tracker"]["metadata"]["name"]
    assert objects["ConfigMap", "tracker"]["data"]["BRIDGE_KAFKA_SASL_USERNAME"] == user
    volumes = objects["Deployment", "tracker"]["spec"]["template"]["spec"]["volumes"]
    (sources,) = (volume["projected"]["sources"] for volume in volumes if volume["name"] == "mounted")
    assert {"secret": {"name": user, "items": [{"key": "password", "path": "BRIDGE_KAFKA_SASL_PASSWORD"}]}} in sources


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("minimal", [["topics", "apply"]]),
        ("simulator", [["topics", "apply", "--replication-factor", "1"]]),
        ("production", [["schemas", "check"], ["topics", "apply"], ["schemas", "register"]]),
    ],
)
def test_the_job_checks_before_it_changes_anything(name: str, steps: list[list[str]], render: Render) -> None:
    job = render(name)["Job", "hook"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert [container["args"] for container in containers(job["spec"]["template"]["spec"])] == steps


@pytest.mark.parametrize("name", ["strimzi", "outside"])
def test_there_is_no_job_when_it_would_have_nothing_to_do(name: str, render: Render) -> None:
    assert not [key for key in render(name) if key[1] == "hook"]


def test_what_the_job_needs_is_there_before_it(render: Render) -> None:
    """Helm makes the release's own objects after the Job: it can use none of them."""
    objects = render("production")
    pod = objects["Job", "hook"]["spec"]["template"]["spec"]
    own = {
        (each["kind"], each["metadata"]["name"]): each
        for each in objects.values()
        if each["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-install,pre-upgrade"
    }

    for container in containers(pod):
        assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in own
    assert ("ServiceAccount", pod["serviceAccountName"]) in own
    weights = {kind: int(each["metadata"]["annotations"]["helm.sh/hook-weight"]) for (kind, _), each in own.items()}
    assert max(weights, key=lambda kind: weights[kind]) == "Job"
    assert sorted(weights) == ["ConfigMap", "Job", "NetworkPolicy", "ServiceAccount"]


def test_the_job_may_be_a_user_of_its_own(render: Render) -> None:
    objects = render("production")

    assert objects["ConfigMap", "hook"]["data"]["BRIDGE_KAFKA_SASL_USERNAME"] == "topics"
    assert objects["ConfigMap", "dispatcher"]["data"]["BRIDGE_KAFKA_SASL_USERNAME"] == "dispatcher"
    assert not [name for name in objects["ConfigMap", "hook"]["data"] if name.startswith("BRIDGE_GATEWAY")]
