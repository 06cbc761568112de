"""
A bridge between a provider's fault tickets on Kafka and a supplier gateway, the Fibre Cafe Tenant API 1.17.

Words, each with one meaning from schema to metric label:

- ticket: the provider's own fault record.
- journey: all that the bridge does for one ticket.
- command: one thing asked of the gateway.
- outcome: what is known of a command (ACCEPTED, REFUSED, UNKNOWN, NOT_SENT, FAILED).
- entity: a service test or a service problem, as the gateway holds it.
- KCI: one update from the gateway.
- observation: anything that tells an entity's status: a KCI, a POST answer, a GET answer.
- transition: a change of an entity's status.
- signal: what the tracker tells a journey about its entities.
- decision: what a person decided about a command whose outcome is UNKNOWN.
- dead letter: a record that can never be processed, kept with its bytes and the reason.
"""
