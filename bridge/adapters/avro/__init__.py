"""
Records as Avro, and as the JSON in which people write and read them.

The schemas are the files of `schemas/`, one for each record of `bridge.domain` that has a topic. Knows nothing of
Kafka or HTTP: bytes come in and go out, and a registry is whoever can say which schema has an id.
"""

from bridge.adapters.avro.codec import AvroCodec, SchemaLookup, fingerprint_of
from bridge.adapters.avro.json_form import NotThatRecord, from_json, to_json
from bridge.adapters.avro.records import RECORDS

__all__ = ["RECORDS", "AvroCodec", "NotThatRecord", "SchemaLookup", "fingerprint_of", "from_json", "to_json"]
