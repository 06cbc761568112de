"""Group commit: whatever a worker's lanes want to write meanwhile goes into one transaction, one after the other."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from bridge.adapters.streams.transactions import GroupProducer, Membership
from bridge.kafka_clients import Sending
from bridge.ports import TableLost

log = structlog.get_logger(__name__)

# How far the beginnings of two transactions are apart at least; what comes meanwhile shares the next one, and what
# comes after a pause does not wait. With 400 writes a second it spares the broker a tenth of its CPU and costs each
# write a millisecond or two; with many more writes a transaction takes longer than this by itself.
APART_SECONDS = 0.006
# Most writes in one transaction.
LARGEST_BATCH = 500
# How long a transaction that is under way may take to end when the partitions are given up.
ENDING_SECONDS = 5.0


@dataclass(slots=True)
class Write:
    """Records that are written together. When they are, `apply` is given the last offset in each partition."""

    records: list[Sending]
    apply: Callable[[Mapping[int, int]], None]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Commits:
    """The writes of one generation. After the first that fails nothing is written any more."""

    def __init__(self, producer: GroupProducer, membership: Membership, table: str) -> None:
        """Begin to write as this member, in this generation."""
        self._producer = producer
        self._membership = membership
        self._table = table
        self._lost: str | None = None
        self._writes: deque[Write] = deque()
        self._wanted = asyncio.Event()
        self._closing = False
        self._writer = asyncio.create_task(self._run())

    async def write(self, write: Write) -> None:
        """
        Write it with others, and return when the broker has committed.

        Raises:
            TableLost: nothing may be assumed about this write.

        """
        if self._lost is not None:
            raise TableLost(self._lost)
        self._writes.append(write)
        self._wanted.set()
        await write.done

    async def close(self) -> None:
        """Let the transaction that is under way end, and refuse everything else."""
        self._fail("revoked")
        self._closing = True
        self._wanted.set()
        _, running = await asyncio.wait([self._writer], timeout=ENDING_SECONDS)
        if running:
            log.warning("a transaction did not end in time", table=self._table)
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        while not self._closing:
            if not self._writes:
                self._wanted.clear()
                await self._wanted.wait()
            await asyncio.sleep(next_at - loop.time())
            next_at = loop.time() + APART_SECONDS
            batch = [self._writes.popleft() for _ in range(min(len(self._writes), LARGEST_BATCH))]
            if not batch:
                continue
            try:
                ends = await self._producer.commit(
                    [record for write in batch for record in write.records], self._membership, self._table
                )
                for write in batch:
                    write.apply(ends)
            except BaseException as error:
                # Whatever failed, nobody may act on a state that could not be written: the partitions are lost.
                self._fail(repr(error), batch)
                if isinstance(error, Exception):
                    log.warning("table lost", table=self._table, error=repr(error))
                    return
                raise
            for write in batch:
                if not write.done.done():
                    write.done.set_result(None)

    def _fail(self, reason: str, batch: "list[Write] | tuple[()]" = ()) -> None:
        self._lost = self._lost or reason
        for write in (*batch, *self._writes):
            if not write.done.done():
                write.done.set_exception(TableLost(self._lost))
        self._writes.clear()
