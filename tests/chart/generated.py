"""
What the chart knows of the program, made from the program: `make chart` writes it, tests/contract keeps it equal.

- helm/files/facts.yaml: topics, rights, the workers' partitions and the settings' defaults.
- The settings, secrets and files that helm/values.schema.json allows.
- The table of values in helm/README.md, from the comments of helm/values.yaml.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bridge.cli.acls import PARTS, WORKERS, Access, access_of, access_of_apply
from bridge.settings import GROUPS, PREFIX
from bridge.simulator import settings as simulator
from bridge.topics import Party, Topics, data_directory, load_topics

CHART = Path(__file__).parents[2] / "helm"
FACTS = CHART / "files" / "facts.yaml"
SCHEMA = CHART / "values.schema.json"
README = CHART / "README.md"
VALUES = CHART / "values.yaml"

# What the chart sets itself.
OWN = {"BRIDGE_MANAGEMENT_LISTEN", "BRIDGE_WEBHOOK_LISTEN", "SIMULATOR_LISTEN"}
# Strimzi's words for what kafka-acls calls otherwise (Strimzi, KafkaUser, AclRule).
STRIMZI_RESOURCES = {"transactional-id": "transactionalId"}
TABLE_BEGINS, TABLE_ENDS = "<!-- values -->", "<!-- /values -->"


class Undocumented(Exception):
    """A key of values.yaml has no comment."""


def facts() -> str:
    """The text of helm/files/facts.yaml."""
    topics = load_topics(data_directory() / "topics.yaml")
    factor = topics.defaults.replication_factor
    content = {
        "replicationFactor": factor,
        "topics": [
            {
                "name": topic.name,
                "partitions": topics.partitions_of(topic),
                "configs": topics.configs_of(topic, factor),
            }
            for topic in topics.topics
        ],
        "access": {
            **{party.value: _rights(access_of(party, topics, "")) for party in PARTS},
            "topics": _rights(access_of_apply(topics, "")),
        },
        "workers": {party.value: _bounds(party, topics) for party in WORKERS},
        "defaults": dict(_defaults()),
    }
    head = "# Made from topics.yaml and the settings by `make chart`.\n"
    return head + yaml.safe_dump(content, sort_keys=False, width=120)


def _rights(accesses: Iterator[Access]) -> list[dict[str, Any]]:
    return [
        {
            "resource": STRIMZI_RESOURCES.get(access.resource, access.resource),
            "name": access.name,
            "pattern": "prefix" if access.prefixed else "literal",
            "operations": list(access.operations),
        }
        for access in accesses
    ]


def _bounds(party: Party, topics: Topics) -> dict[str, Any]:
    """
    The topics that a worker shares with its group, and the fewest partitions of one: more workers have nothing to do.

    Its own table is not among them: it is written by its owner alone, and read by no group.
    """
    sources = [topic for topic in topics.topics if party in topic.consumers and not topic.is_private]
    return {
        "partitions": min(topics.partitions_of(topic) for topic in sources),
        "topics": [topic.name for topic in sources],
    }


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    for group, model in GROUPS.items():
        for field, info in model.model_fields.items():
            yield f"{PREFIX}{group}_{field.upper()}", info


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The types that a setting's annotation allows, without None."""
    if get_origin(annotation) in (Union, UnionType):
        return tuple(kind for kind in get_args(annotation) if kind is not type(None))
    return (annotation,)


def _defaults() -> Iterator[tuple[str, str]]:
    for variable, info in _fields():
        match info.default:
            case timedelta():
                yield variable, f"{info.default.total_seconds():g}"
            case Enum():
                yield variable, str(info.default.value)
            case str() | int() | float():
                yield variable, str(info.default)
            case _:
                continue


def schema() -> str:
    """The text of helm/values.schema.json, with the settings that there are."""
    document: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    settings, secrets, files = {}, {}, {}
    for variable, info in _fields():
        kinds = _kinds(info.annotation)
        if variable in OWN:
            continue
        if SecretStr in kinds:
            secrets[variable] = {"$ref": "#/definitions/source"}
        elif Path in kinds:
            files[variable] = {"$ref": "#/definitions/file"}
        else:
            settings[variable] = {"description": info.description, **_shape(kinds[0])}
    for row in simulator.rows():
        variable = f"{simulator.PREFIX}{row.name.upper()}"
        if variable not in OWN:
            settings[variable] = {"description": row.meaning, **_shape(row.kind)}
    for name, properties in (("settings", settings), ("secrets", secrets), ("files", files)):
        document["definitions"][name] = {"type": "object", "additionalProperties": False, "properties": properties}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


SHAPES: dict[Any, dict[str, Any]] = {
    bool: {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]},
    int: {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+$"}]},
    float: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"}]},
    dict: {"type": ["object", "string"]},
}
SHAPES[timedelta] = SHAPES[float]


def _shape(kind: Any) -> dict[str, Any]:
    """What a value may look like in YAML: the type itself, or its text as the environment has it."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if get_origin(kind) is Literal:
        return {"enum": list(get_args(kind))}
    return SHAPES.get(get_origin(kind) or kind, {"type": "string"})


def readme() -> str:
    """The text of helm/README.md, with the table of values."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(TABLE_BEGINS)
    _, _, after = rest.partition(TABLE_ENDS)
    rows = "\n".join(f"| `{path}` | {default} | {meaning} |" for path, default, meaning in values())
    return f"{before}{TABLE_BEGINS}\n| value | default | meaning |\n|---|---|---|\n{rows}\n{TABLE_ENDS}{after}"


def values() -> Iterator[tuple[str, str, str]]:
    """
    Path, default and meaning of each value: a key with a comment that begins with `# --`, or the keys inside it.

    Raises:
        Undocumented: a key has neither such a comment nor keys inside.

    """
    text = VALUES.read_text(encoding="utf-8")
    yield from _walk(yaml.compose(text, yaml.SafeLoader), (), text.splitlines())


def _walk(node: yaml.Node | None, path: tuple[str, ...], lines: list[str]) -> Iterator[tuple[str, str, str]]:
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        raise Undocumented(f"{VALUES.name}: {'.'.join(path)} has no comment that begins with '# --'")
    for key, value in node.value:
        here = (*path, key.value)
        if (comment := _comment(lines, key.start_mark.line)) is None:
            yield from _walk(value, here, lines)
        else:
            default = yaml.SafeLoader("").construct_object(value, deep=True)
            shown = "" if default in ("", None) else f"`{json.dumps(default, ensure_ascii=False)}`".replace("|", "\\|")
            yield ".".join(here), shown, comment


def _comment(lines: list[str], line: int) -> str | None:
    """The comment right above a line, if it is for the table."""
    above: list[str] = []
    while line > 0 and lines[line - 1].strip().startswith("#"):
        line -= 1
        above.insert(0, lines[line].strip().removeprefix("#").strip())
    starts = [number for number, text in enumerate(above) if text.startswith("-- ")]
    return " ".join(above[starts[-1] :]).removeprefix("-- ") if starts else None


def outdated() -> dict[Path, str]:
    """The files that are not as they would be made now, each with the text that it should have."""
    made = {FACTS: facts(), SCHEMA: schema(), README: readme()}
    return {path: text for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text}


def main() -> None:
    """Write what is outdated, and name it."""
    for path, text in outdated().items():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(CHART.parent)}")  # noqa: T201  # its output is what it is for


if __name__ == "__main__":
    main()
