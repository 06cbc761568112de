"""
The state machine of a ticket: what a journey does with each event, signal, answer, decision and passing of time.

Rule: everything that decides about a ticket lives in this package, and nothing here does anything. Each step takes
the ticket's state and one input and returns the next state and the outcomes to publish; `calls.next_call` says what
to ask of the gateway, and when.
"""
