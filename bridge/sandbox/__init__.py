"""
A whole environment on one machine: a real Apache Kafka and any number of service processes, for the demo and the tests.

Nothing of it is used in production. Rule: whatever is started here listens on 127.0.0.1 alone and dies with its parent.
"""
