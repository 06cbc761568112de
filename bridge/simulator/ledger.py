"""
What was really asked of the gateway and what it made of it, in order of arrival; and every KCI with its deliveries.

Rule: the ledger holds identifiers and verdicts, never a contact, a hazard or a note.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from bridge.simulator.entities import now, stamp


class Entry(msgspec.Struct):
    """One request to the Tenant API. Monotonic seconds order events of this process; wall times are for people."""

    seq: int
    operation: str
    method: str
    path: str
    arrived_at: str
    arrived: float
    request_id: str | None = None
    conversation_id: str | None = None
    external_identifier: str | None = None
    service_id: str | None = None
    service_test_id: int | None = None
    problem_id: int | None = None
    entity_id: int | None = None
    finished_at: str | None = None
    finished: float | None = None
    accepted: bool = False
    status: int | None = None  # None: no answer was given
    fault: str | None = None  # the fault that was injected
    error: dict[str, Any] | None = None
    overlap: int = 1  # the most requests of this conversation that were in progress at once while this one was


class Delivery(msgspec.Struct):
    """One attempt to hand a KCI to the tenant: when, and the status or the error that came back."""

    at: str
    monotonic: float
    request_id: str
    answer: int | str | None = None
    seconds: float | None = None


class KciEntry(msgspec.Struct):
    """One KCI. `fate`: PENDING, DELIVERED (the tenant answered 2xx), GAVE_UP, or LOST (on purpose, never sent)."""

    seq: int
    id: str
    entity_type: str
    entity_id: int
    sequence_number: int
    update_type: str
    what: str
    entity_status: str
    service_id: str
    conversation_id: str
    external_identifier: str | None
    made_at: str
    made: float
    deliveries: list[Delivery] = []
    fate: str = "PENDING"
    fault: str | None = None


class Ledger:
    """Grows until it is cleared; a few hundred bytes for each request and each KCI."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.kcis: list[KciEntry] = []
        self._in_progress: defaultdict[str, list[Entry]] = defaultdict(list)

    def open(
        self, operation: str, method: str, path: str, request_id: str | None, conversation_id: str | None
    ) -> Entry:
        """Note the arrival of a request."""
        entry = Entry(
            seq=len(self.entries) + 1,
            operation=operation,
            method=method,
            path=path,
            arrived_at=stamp(now()),
            arrived=time.monotonic(),
            request_id=request_id,
            conversation_id=conversation_id,
        )
        self.entries.append(entry)
        if conversation_id is not None:
            together = self._in_progress[conversation_id]
            together.append(entry)
            for each in together:
                each.overlap = max(each.overlap, len(together))
        return entry

    def close(self, entry: Entry) -> None:
        """Note that a request is over: answered, cut off, or left by the tenant."""
        entry.finished = time.monotonic()
        entry.finished_at = stamp(now())
        if entry.conversation_id is None:
            return
        together = self._in_progress[entry.conversation_id]
        if entry in together:
            together.remove(entry)
        if not together:
            del self._in_progress[entry.conversation_id]

    def clear(self) -> None:
        """Forget everything; requests that are still in progress are not listed any more."""
        self.entries.clear()
        self.kcis.clear()
        self._in_progress.clear()

    def counts(self) -> dict[str, dict[str, int]]:
        """How many requests of each operation were asked and accepted, and how many KCIs met which fate."""

        def by_operation(wanted: Callable[[Entry], bool]) -> dict[str, int]:
            return dict(Counter(entry.operation for entry in self.entries if wanted(entry)))

        return {
            "asked": by_operation(lambda _: True),
            "accepted": by_operation(lambda entry: entry.accepted),
            "kcis": dict(Counter(kci.fate for kci in self.kcis)),
        }
