"""Which framing a service writes: Confluent's when a registry is configured, Avro's own otherwise. It reads both."""

from bridge.adapters.avro import AvroCodec
from bridge.adapters.registry import SchemaRegistry, registered_ids, registry_client
from bridge.ports import Codec
from bridge.schemas import load_schemas
from bridge.settings import KafkaSettings, SchemaSettings
from bridge.topics import Party, Topics, data_directory


async def codec_for(kafka: KafkaSettings, schema: SchemaSettings, topics: Topics, party: Party) -> Codec:
    """
    Make the codec of a service.

    With a registry, the schema of every topic that the service writes must be registered already: a service never
    registers.

    Raises:
        SchemaNotRegistered: with one sentence for each schema that is not, and the command that registers it.
        SchemaUnavailable: the registry does not answer.

    """
    schemas = load_schemas(data_directory() / "schemas")
    url = schema.registry_url
    if url is None:
        return AvroCodec(topics, schemas)
    async with registry_client(url, schema) as client:
        ids = await registered_ids(SchemaRegistry(client), topics, schemas, party, kafka.topic_prefix)
    # A client of its own: this one lives as long as the service, in whichever event loop first uses it.
    return AvroCodec(topics, schemas, lookup=SchemaRegistry(registry_client(url, schema)), ids=ids)
