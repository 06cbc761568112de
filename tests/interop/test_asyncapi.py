"""docs/asyncapi.yaml as AsyncAPI's own parser sees it, the Avro schemas in it too."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.node import Node
from tests.schema_examples import the_topics

ERROR = 0


def parsed(node: Node, document: Path) -> dict[str, Any]:
    done = node.run("check_asyncapi.js", str(document))
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def page(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath / "docs" / "asyncapi.yaml"


def test_the_document_is_valid_and_has_every_public_topic(node: Node, page: Path) -> None:
    told = parsed(node, page)

    assert [each for each in told["diagnostics"] if each["severity"] == ERROR] == []
    assert told["valid"]
    assert told["channels"] == [topic.name for topic in the_topics().topics if not topic.is_private]


@pytest.mark.parametrize("broken", ["a reference to nothing", "a schema that is no Avro"])
def test_a_document_that_is_broken_is_seen(broken: str, node: Node, page: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(page.read_text(encoding="utf-8"))
    if broken == "a reference to nothing":
        document["channels"]["kcis"]["messages"]["Kci"] = {"$ref": "#/components/messages/Nothing"}
    else:
        document["components"]["schemas"]["Kci"]["schema"]["fields"][0]["type"] = "a type that nobody knows"
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(document))

    assert not parsed(node, tmp_path / "broken.yaml")["valid"]
