"""Tests of the bridge: offline ones, integration on a real Apache Kafka, chaos and measurements."""
