"""
A dispatcher that keeps nothing: the same lanes, decisions, encoding and gateway client, and no write reaches Kafka.

What durability costs is the difference to it. It is wrong on purpose, like `tests/chaos/unfenced_dispatcher.py`: a
crash loses what it knew, and it repeats calls. The product has no switch for it.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from bridge.ports import Arrived, Codec, Kept, Outgoing, TablePartition
from bridge.services import dispatcher
from bridge.services.start import run_reporting
from bridge.services.streaming import Streaming, wire

Partition = TablePartition[Any]


class UnwrittenPartition:
    """A partition of the table whose writes are encoded, and remembered by this process alone."""

    def __init__(self, real: Partition, codec: Codec) -> None:
        """What the real one was opened with can be read."""
        self._real = real
        self._codec = codec
        self._to_bytes = msgspec.json.Encoder().encode
        self._written: dict[str, Kept[Any] | None] = {}

    @property
    def number(self) -> int:
        return self._real.number

    def get(self, key: str) -> Kept[Any] | None:
        return self._written[key] if key in self._written else self._real.get(key)

    def items(self) -> Iterable[tuple[str, Kept[Any]]]:
        return self._real.items()

    async def write(self, key: str, kept: Kept[Any] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        for record in outgoing:
            if record.value is not None:
                self._codec.encode(record.topic, record.value)
        self._to_bytes(kept)
        self._written[key] = kept


def wire_unwritten(*arguments: Any, **options: Any) -> Streaming[Any]:
    """As `wire`, with such a partition handed to the flow in place of the real one."""
    streaming = wire(*arguments, **options)
    connect = streaming.stream.connect
    partitions: dict[int, UnwrittenPartition] = {}

    def unwritten(real: Partition) -> UnwrittenPartition:
        found = partitions.get(real.number)
        if found is None:
            found = partitions[real.number] = UnwrittenPartition(real, streaming.codec)
        return found

    def connect_unwritten(
        *,
        handle: Callable[[Arrived, Partition], Awaitable[None]],
        woken: Callable[[str, Partition], Awaitable[None]],
        opened: Callable[[list[Partition]], Awaitable[None]],
        **others: Any,
    ) -> None:
        connect(
            handle=lambda arrived, real: handle(arrived, unwritten(real)),
            woken=lambda key, real: woken(key, unwritten(real)),
            opened=lambda found: opened([unwritten(real) for real in found]),
            **others,
        )

    setattr(streaming.stream, "connect", connect_unwritten)  # noqa: B010  # one object's method, in this program alone
    return streaming


if __name__ == "__main__":
    setattr(dispatcher, "wire", wire_unwritten)  # noqa: B010  # the name is the module's own import
    sys.exit(run_reporting(dispatcher.main, os.environ))
