"""
A dispatcher that is wrong on purpose: nobody fences its table. Started only by the chaos suite's negative control.

Its producers are idempotent and acknowledged by all replicas, as careful programs without transactions are; they only
have no transactional id, so a worker that lost its partitions can still write to them. It can be held as the sound one
can (`held_dispatcher.py`).
"""

import os
import sys
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from bridge.adapters.streams import table
from bridge.services.dispatcher import main
from bridge.services.start import run_reporting
from tests.chaos.held_dispatcher import hold_calls
from tests.chaos.hold import HOLD, NAME


class UnfencedProducer(AIOKafkaProducer):
    """Takes the place of the transactional producer."""

    def __init__(self, *, transactional_id: str, transaction_timeout_ms: int, **options: Any) -> None:
        super().__init__(enable_idempotence=True, **options)  # type: ignore[no-untyped-call]  # aiokafka annotates it in part

    async def begin_transaction(self) -> None:
        """Nothing holds the records back until all of them are there."""

    async def commit_transaction(self) -> None:
        await self.flush()  # type: ignore[no-untyped-call]  # as above


if __name__ == "__main__":
    setattr(table, "AIOKafkaProducer", UnfencedProducer)  # noqa: B010  # the name is the module's own import
    hold_calls(Path(os.environ[HOLD]), os.environ[NAME])
    sys.exit(run_reporting(main, os.environ))
