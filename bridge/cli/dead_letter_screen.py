"""How dead letters look on a screen: everything about them, and what they hold only when it was asked for."""

from typing import Any

from bridge.adapters.avro import to_json
from bridge.cli import letter_options as options
from bridge.cli.dead_letter_box import Box
from bridge.domain.dead_letters import DeadLetter
from bridge.domain.letters import LetterState, Reading, Telling, readable
from bridge.domain.replay import Step, Withheld
from bridge.ports import SchemaUnavailable, Undecodable

COLUMNS = ("id", "state", "reason", "key", "attempts", "bytes", "failed at", "error")


def row(letter: DeadLetter, state: LetterState) -> tuple[str, ...]:
    """One letter in a list, its cells as COLUMNS names them."""
    return (
        letter.dead_letter_id,
        state.value,
        letter.reason.value,
        readable(letter.key),
        str(letter.attempts),
        "none" if letter.value is None else str(len(letter.value)),
        f"{letter.failed_at:%Y-%m-%d %H:%M:%S}",
        options.short(letter.error),
    )


def lines(letter: DeadLetter, state: LetterState, reading: Reading, *, content: bool) -> list[str]:
    """One letter alone, without its value; the values of its headers only with `content`."""
    size = "none (a tombstone)" if letter.value is None else f"{len(letter.value)} bytes"
    written, failed = f"{letter.timestamp:%Y-%m-%d %H:%M:%S} UTC", f"{letter.failed_at:%Y-%m-%d %H:%M:%S} UTC"
    topic = readable(letter.topic.encode())
    return [
        f"{letter.dead_letter_id} {state}",
        f"from {topic} partition {letter.partition} offset {letter.offset}, written {written}",
        f"key: {readable(letter.key)}",
        f"value: {size}",
        *options.header_lines(letter.headers, content=content),
        f"{letter.reason}: {readable(letter.error.encode(), 400)}",
        f"tried {letter.attempts} times, last by {letter.service} {letter.version} at {failed}",
        f"decodes now: {reads_as(reading)}",
    ]


def members(letter: DeadLetter, state: LetterState, reading: Reading, *, content: bool) -> dict[str, Any]:
    """The same for programs."""
    return {
        "id": letter.dead_letter_id,
        "state": state.value,
        "topic": readable(letter.topic.encode()),
        "partition": letter.partition,
        "offset": letter.offset,
        "written_at": letter.timestamp.isoformat(),
        "key": readable(letter.key),
        "bytes": None if letter.value is None else len(letter.value),
        "headers": options.header_values(letter.headers, content=content),
        "reason": letter.reason.value,
        "error": readable(letter.error.encode(), 400),
        "attempts": letter.attempts,
        "service": letter.service,
        "version": letter.version,
        "failed_at": letter.failed_at.isoformat(),
        "decodes_now": reads_as(reading),
    }


def reads_as(reading: Reading) -> str:
    """Whether a letter decodes, and what it tells of itself."""
    if isinstance(reading, Telling):
        ticket = "no ticket" if reading.ticket_id is None else f"ticket {readable(reading.ticket_id.encode())}"
        return f"yes, a {reading.kind} of {ticket}, key {readable(reading.key)}"
    return f"no, {readable(reading.why.encode(), 400)}"


async def content(letter: DeadLetter, box: Box) -> str:
    """What a letter holds: as JSON where it decodes, else as its bytes."""
    if letter.value is not None and letter.topic in box.homes:
        try:
            return to_json(await box.codec.decode(letter.topic, letter.value))
        except (Undecodable, SchemaUnavailable):
            pass
    return options.content_text(letter.value)


def told(step: Step) -> str:
    """What a replay would do with a letter."""
    if isinstance(step, Withheld):
        return f"{step.letter.dead_letter_id}\tstays\t{step.obstacle}: {step.why}"
    where = f"{step.letter.topic} partition {step.partition} with the key {readable(step.key)}"
    return f"{step.letter.dead_letter_id}\twould go\t{where}"
