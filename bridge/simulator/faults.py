"""
What can go wrong on purpose: the table of faults, and what each one does to a request or to a KCI.

A fault is chosen by the plan of a service (`plans`) or, for a time and by chance, through the control API (`weather`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Effect(Enum):
    """When a fault strikes."""

    REFUSE = "not accepted"  # the request changes nothing
    HIDE = "accepted, and the tenant cannot know"  # the request is carried out, its answer is not given
    UPSET = "KCIs"  # deliveries are disturbed


@dataclass(frozen=True)
class Fault:
    """One row. `status` is what is answered, None when nothing is; `code` the Error body's, None for no body."""

    name: str
    effect: Effect
    promise: str
    status: int | None = None
    code: str | None = None
    default_count: int = 1


_TABLE: Final = (
    Fault("RESET", Effect.REFUSE, "Not accepted; the connection is reset."),
    Fault(
        "HTTP_401",
        Effect.REFUSE,
        "The token is revoked: 401 until the tenant fetches a new one.",
        401,
        "NOT_AUTHORISED",
    ),
    Fault("HTTP_403", Effect.REFUSE, "403 without a body, as a firewall answers.", 403),
    Fault(
        "HTTP_422",
        Effect.REFUSE,
        "422 INVALID_REQUEST; its messages quote what was sent, as a gateway's may.",
        422,
        "INVALID_REQUEST",
    ),
    Fault("HTTP_429", Effect.REFUSE, "429 without a body, with Retry-After.", 429),
    Fault("HTTP_500", Effect.REFUSE, "500 GATEWAY_FAULT, and nothing was accepted.", 500, "GATEWAY_FAULT"),
    Fault("HTTP_503", Effect.REFUSE, "503 without a body.", 503),
    Fault("ANSWER_LOST", Effect.HIDE, "Accepted; the connection closes without an answer."),
    Fault("ANSWER_NEVER", Effect.HIDE, "Accepted; no answer ever comes, the connection stays open."),
    Fault("ACCEPT_THEN_500", Effect.HIDE, "Accepted; the answer is 500 GATEWAY_FAULT.", 500, "GATEWAY_FAULT"),
    Fault(
        "KCI_LOST",
        Effect.UPSET,
        "Every nth KCI (2 by default, 1 = all) is never delivered; GET shows them PENDING and DELIVERED in turn.",
        default_count=2,
    ),
    Fault("KCI_DOUBLED", Effect.UPSET, "Each KCI is delivered n times more."),
    Fault(
        "KCI_SHUFFLED",
        Effect.UPSET,
        "KCIs are kept back in groups of n (3 by default) and delivered out of order.",
        default_count=3,
    ),
    Fault("KCI_EARLY", Effect.UPSET, "The POST is answered only after the first n KCIs were delivered."),
)

FAULTS: Final[Mapping[str, Fault]] = MappingProxyType({fault.name: fault for fault in _TABLE})
