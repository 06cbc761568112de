"""The AsyncAPI 3 document of the bridge, docs/asyncapi.yaml, made from topics.yaml and the schemas."""

from importlib.metadata import version
from typing import Any

import yaml

from bridge.schemas import Schemas
from bridge.topics import Party, Topic, Topics

HEADER = "# Made from topics.yaml and schemas/ by `bridge topics asyncapi`; change those, not this file.\n"
# The media type of a schema in Avro's own form (AsyncAPI 3.0, Multi Format Schema Object).
AVRO = "application/vnd.apache.avro+json;version=1.9.0"
SERVICES = (Party.DISPATCHER, Party.INGESTER, Party.TRACKER)
DESCRIPTION = """\
What the bridge reads from Kafka and writes to it. A topic's name has the deployment's BRIDGE_KAFKA_TOPIC_PREFIX before
it. Keys are text in UTF-8; values are Avro, framed as Confluent's serializers do where a schema registry is configured,
else by Avro's single-object encoding. Some records are written in transactions: read with
isolation.level=read_committed.
"""


def asyncapi_page(topics: Topics, schemas: Schemas) -> str:
    """The document, as YAML."""
    return HEADER + yaml.dump(
        asyncapi_document(topics, schemas), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120
    )


def asyncapi_document(topics: Topics, schemas: Schemas) -> dict[str, Any]:
    """The document; private topics are nobody else's business, and not in it."""
    public = [topic for topic in topics.topics if not topic.is_private]
    names = sorted({topic.record_name for topic in public})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fibre-fault-bridge",
            "version": version("fibre-fault-bridge"),
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "servers": {
            "kafka": {
                "host": "{bootstrapServers}",
                "protocol": "kafka",
                "description": "The cluster of the deployment.",
                "variables": {"bootstrapServers": {"description": "BRIDGE_KAFKA_BOOTSTRAP_SERVERS, one of them."}},
            }
        },
        "defaultContentType": "application/vnd.apache.avro",
        "channels": {topic.name: _channel(topics, topic) for topic in public},
        "operations": {
            f"{service}-{verb}-{topic.name}": _operation(service, action, topic)
            for service in SERVICES
            for topic in public
            for verb, action, parties in (("reads", "receive", topic.consumers), ("writes", "send", topic.producers))
            if service in parties
        },
        "components": {
            "messages": {name: _message(name, schemas) for name in names},
            "schemas": {name: {"schemaFormat": AVRO, "schema": schemas.current.self_contained(name)} for name in names},
        },
    }


def _channel(topics: Topics, topic: Topic) -> dict[str, Any]:
    configs = topics.configs_of(topic, topics.defaults.replication_factor)
    retention = configs.get("retention.ms")
    kafka = {
        "topic": topic.name,
        "partitions": topics.partitions_of(topic),
        "replicas": topics.defaults.replication_factor,
        "topicConfiguration": {
            "cleanup.policy": [str(topic.cleanup)],
            **({} if retention is None else {"retention.ms": int(retention)}),
            "max.message.bytes": topic.max_message_bytes,
        },
        "bindingVersion": "0.5.0",
    }
    data = "Records may hold personal data." if topic.personal_data else "Records hold no personal data."
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{topic.purpose} Key: {topic.key}. {data}",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {topic.record_name: {"$ref": f"#/components/messages/{topic.record_name}"}},
        "bindings": {"kafka": kafka},
    }


def _operation(service: Party, action: str, topic: Topic) -> dict[str, Any]:
    what = "reads" if action == "receive" else "writes"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "title": f"{service} {what} {topic.name}",
        "description": f"The {service} {what} this topic.",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.record_name}"}],
        **({"bindings": {"kafka": _group(service)}} if action == "receive" else {}),
    }


def _group(service: Party) -> dict[str, Any]:
    return {"groupId": {"type": "string", "enum": [str(service)]}, "bindingVersion": "0.5.0"}


def _message(name: str, schemas: Schemas) -> dict[str, Any]:
    about = schemas.current.definitions[name].get("doc", name)
    return {
        "name": name,
        "title": name,
        "summary": about,
        "contentType": "application/vnd.apache.avro",
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


class _Plain(yaml.SafeDumper):
    """Every value where it stands: no anchors and aliases, which few readers of such documents expect."""

    def ignore_aliases(self, data: Any) -> bool:
        """As the base class says."""
        del data
        return True
