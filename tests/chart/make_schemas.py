"""
Writes tests/chart/schemas, by which kubeconform checks what the chart renders. Run by hand, for another version of
Kubernetes or of an operator:

    python tests/chart/make_schemas.py kubernetes 1.35.0 FOLDER
    python tests/chart/make_schemas.py crds FILE...

FOLDER is kubernetes-json-schema of the PyPI package kubernetes-validate 1.37. The files are CustomResourceDefinitions
out of what their projects release:

    ScaledObject                     Go module github.com/kedacore/keda/v2 v2.21.0, config/crd/bases
    ServiceMonitor, PrometheusRule   Go module github.com/prometheus-operator/prometheus-operator v0.93.0, example
    HTTPRoute                        Go module sigs.k8s.io/gateway-api v1.4.0, config/crd/standard
    KafkaTopic, KafkaUser            written by io.strimzi:crd-generator 1.2.0 (Maven) out of io.strimzi:api

Descriptions are left out, and a field that is not in a schema is refused, as by an API server that is asked for strict
validation.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).parent / "schemas"
# Every kind of Kubernetes' own that the chart makes, by the names of the package.
KINDS = (
    "configmap-v1",
    "deployment-apps-v1",
    "horizontalpodautoscaler-autoscaling-v2",
    "ingress-networking-v1",
    "job-batch-v1",
    "networkpolicy-networking-v1",
    "pod-v1",
    "poddisruptionbudget-policy-v1",
    "service-v1",
    "serviceaccount-v1",
)


def kubernetes(version: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """The schemas of Kubernetes' kinds, each with the definitions that it uses inside it."""
    source = folder / f"v{version}-local-strict"
    definitions = json.loads((source / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    for kind in KINDS:
        schema = json.loads((source / f"{kind}.json").read_text(encoding="utf-8"))
        used: dict[str, Any] = {}
        document = _embedded(schema, definitions, used)
        yield kind, {**document, "$defs": used}


def _embedded(node: Any, definitions: dict[str, Any], used: dict[str, Any]) -> Any:
    """The node with references into the document itself; what they refer to is added to `used`."""
    if isinstance(node, list):
        return [_embedded(item, definitions, used) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str) and "/$defs/" in value:
            name = value.rpartition("/$defs/")[2]
            if name not in used:
                used[name] = {}  # before its own references, which may lead back to it
                used[name] = _embedded(definitions[name], definitions, used)
            result[key] = f"#/$defs/{name}"
        elif key in {"$id", "description"} and isinstance(value, str):
            continue
        else:
            result[key] = _embedded(value, definitions, used)
    return result


def crds(paths: list[Path]) -> Iterator[tuple[str, Any]]:
    """The schemas of custom kinds, each in its first version: the newest, as their authors list them."""
    for path in paths:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document and document["kind"] == "CustomResourceDefinition":
                names, group = document["spec"]["names"], document["spec"]["group"]
                version = document["spec"]["versions"][0]
                schema = _strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                yield f"{names['kind'].lower()}-{group.partition('.')[0]}-{version['name']}", schema


def _strict(node: Any) -> Any:
    """Kubernetes' own form of OpenAPI as JSON Schema (Kubernetes, Custom Resources, structural schemas)."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {
        key: _strict(value) for key, value in node.items() if not (key == "description" and isinstance(value, str))
    }
    if isinstance(result.get("properties"), dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    if node.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
    if node.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result


def main(arguments: list[str]) -> None:
    """Write the schemas of one source."""
    match arguments:
        case ["kubernetes", version, folder]:
            made = kubernetes(version, Path(folder))
        case ["crds", *paths] if paths:
            made = crds([Path(path) for path in paths])
        case _:
            sys.exit(__doc__)
    SCHEMAS.mkdir(exist_ok=True)
    for name, schema in made:
        text = json.dumps(schema, separators=(",", ":"), sort_keys=True)
        (SCHEMAS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
