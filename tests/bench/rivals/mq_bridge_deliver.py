"""mq-bridge from Kafka to HTTP in order: one record at a time, its only ordered mode. TOPIC GROUP BOOTSTRAP URL."""

import sys

import mq_bridge  # type: ignore[import-not-found]  # in an environment of its own, see install.py

topic, group, bootstrap, url = sys.argv[1:]
ROUTE = {
    "input": {
        "kafka": {
            "url": bootstrap,
            "topic": topic,
            "group_id": group,
            "consumer_options": [["auto.offset.reset", "earliest"]],
        }
    },
    "output": {
        "middlewares": [{"retry": {"max_attempts": 5}}],
        "http": {"url": url, "method": "POST", "batch_concurrency": 1},
    },
    "batch_size": 512,
    "concurrency": 1,
}
mq_bridge.Route.from_config({"routes": {"deliver": ROUTE}}, "deliver").run()
