"""
How an asynchronous update finds its ticket: an X-Conversation-ID from which the ticket id can be read back.

The gateway returns the X-Conversation-ID of the request that created an entity on each of its KCIs (contract 4.3;
stated for orders,
inferred for tests and problems), so a KCI that overtakes the answer to our POST, or outlives the worker that sent it,
is still ours.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

PREFIX = "ffb."


def conversation_id(ticket_id: str) -> str:
    """The one X-Conversation-ID of a journey: ASCII, at most 348 characters for a ticket id of 256 bytes."""
    return PREFIX + urlsafe_b64encode(ticket_id.encode()).decode().rstrip("=")


def ticket_of(conversation: str | None) -> str | None:
    """The ticket id in a conversation id of ours, or None for anybody else's."""
    if conversation is None or not conversation.startswith(PREFIX):
        return None
    encoded = conversation.removeprefix(PREFIX)
    try:
        return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode() or None
    except (Base64Error, UnicodeDecodeError, ValueError):
        return None
