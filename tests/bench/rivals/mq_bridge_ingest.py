"""mq-bridge from HTTP to Kafka: the bytes as they come. PORT BOOTSTRAP TOPIC PARTITIONS."""

import sys

import mq_bridge  # type: ignore[import-not-found]  # in an environment of its own, see install.py

port, bootstrap, topic, partitions = sys.argv[1:]
ROUTE = {
    "input": {"http": {"url": f"127.0.0.1:{port}", "path": "/kcis", "method": "POST", "concurrency_limit": 1000}},
    "output": {
        "kafka": {
            "url": bootstrap,
            "topic": topic,
            "partitions": int(partitions),
            "producer_options": [["linger.ms", "0"]],
        }
    },
    "batch_size": 128,
    "concurrency": 1,
}
mq_bridge.Route.from_config({"routes": {"ingest": ROUTE}}, "ingest").run()
