"""Turns aiokafka's one error for everything into the reason that it really had."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.errors import KafkaConnectionError

from bridge.adapters.kafka_connection.asking import ask_brokers, chain


class KafkaRefused(Exception):
    """A broker answers and does not let us in, or is not to be trusted; the text names the settings to mend."""


class KafkaAway(Exception):
    """No broker answers; the text names the settings to look at."""


@asynccontextmanager
async def explaining(options: Mapping[str, Any]) -> AsyncIterator[None]:
    """
    What connects inside, with these `connection_options`, fails with a reason.

    Raises:
        KafkaRefused: the brokers answer, and none lets us in.
        KafkaAway: aiokafka's own error came through, and no broker answers.

    """
    try:
        yield
    except Exception as error:
        if not any(isinstance(each, KafkaConnectionError) for each in chain(error)):
            raise
        answers = await ask_brokers(options)
        refusals = [answer.refused for answer in answers if answer.refused is not None]
        if refusals and not any(answer.fine for answer in answers):
            raise KafkaRefused(refusals[0]) from error
        if isinstance(error, KafkaConnectionError):
            servers, protocol = ", ".join(options["bootstrap_servers"]), options["security_protocol"]
            reasons = "; ".join(answer.away for answer in answers if answer.away is not None)
            raise KafkaAway(
                f"no Kafka broker at {servers} answers over {protocol}{f': {reasons}' if reasons else ''};"
                " check BRIDGE_KAFKA_BOOTSTRAP_SERVERS and BRIDGE_KAFKA_SECURITY_PROTOCOL"
            ) from error
        raise


async def why_refused(options: Mapping[str, Any]) -> str | None:
    """Why no broker lets us in, in a sentence without secrets; None when one does, or when none says why."""
    answers = await ask_brokers(options)
    if any(answer.fine for answer in answers):
        return None
    return next((answer.refused for answer in answers if answer.refused is not None), None)
