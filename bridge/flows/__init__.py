"""One story per file: what happens to an input, told with ports. Nothing here knows Kafka, HTTP or Faust."""
