"""Every scenario of helm/ci passes the linter, both generations of helm, and the schemas of all that it makes."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, SCENARIOS, scenario, text_of
from tests.tools import HELM, HELM_3, KUBECONFORM

SCHEMAS = Path(__file__).parent / "schemas"
LOCATION = f"{SCHEMAS}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


def documents_of(text: str) -> list[Any]:
    return [document for document in yaml.safe_load_all(text) if document]


def identity(document: Any) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def conformity(text: str) -> subprocess.CompletedProcess[str]:
    command = [str(KUBECONFORM.path), "-strict", "-summary", "-schema-location", LOCATION]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", SCENARIOS)
def test_lints(name: str) -> None:
    command = [str(HELM.path), "lint", "--strict", str(CHART), f"--values={scenario(name)}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SCENARIOS)
def test_conforms_to_the_schemas_of_kubernetes_and_of_the_operators(name: str) -> None:
    done = conformity(text_of(HELM, CHART, scenario(name)))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipped: 0" in done.stdout


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "spec.template.spec.containers.0.securityContxt"),
        ("ServiceMonitor", "spec.endpoints.0.intervall"),
        ("ScaledObject", "spec.maxReplicas"),
        ("KafkaTopic", "spec.replicationFactor"),
        ("HTTPRoute", "spec.rules.0.backends"),
    ],
)
def test_conformity_refuses_a_field_that_a_kind_does_not_have(kind: str, path: str) -> None:
    """What the test above means by accepted: an unknown field is found, in core kinds and custom ones."""
    where = {"ServiceMonitor": "production", "ScaledObject": "scaling", "HTTPRoute": "scaling", "KafkaTopic": "strimzi"}
    documents = yaml.safe_load_all(text_of(HELM, CHART, scenario(where.get(kind, "minimal"))))
    wrong = next(document for document in documents if document["kind"] == kind)
    node = wrong
    *parents, last = path.split(".")
    for step in parents:
        node = node[int(step) if step.isdigit() else step]
    node[last] = 1

    done = conformity(yaml.safe_dump(wrong))

    assert done.returncode != 0
    assert last in done.stdout


@pytest.mark.parametrize("name", SCENARIOS)
def test_is_the_same_with_helm_3(name: str) -> None:
    four, three = (sorted(documents_of(text_of(tool, CHART, scenario(name))), key=identity) for tool in (HELM, HELM_3))

    assert four == three


def test_a_scenario_shows_each_kind_that_there_is_a_schema_for() -> None:
    """A schema without an object is dead; so is a template that no scenario reaches."""
    kinds = {
        document["kind"].lower()
        for name in SCENARIOS
        for document in yaml.safe_load_all(text_of(HELM, CHART, scenario(name)))
        if document
    }

    assert {path.name.partition("-")[0] for path in SCHEMAS.glob("*.json")} == kinds


@pytest.mark.parametrize("name", SCENARIOS)
def test_names_the_namespace_of_each_object(name: str) -> None:
    """So that what `helm template` prints can be applied as it is, by hand or by a GitOps controller."""
    for document in documents_of(text_of(HELM, CHART, scenario(name))):
        assert document["metadata"]["namespace"] in {"faults", "kafka"}, identity(document)
