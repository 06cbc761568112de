"""
What the gateway client can say of one call: a closed set, decided by one table in `bridge.adapters.gateway.errors`.

The distinction that matters is between `NotTaken` (the gateway certainly did not take the command, so it may be sent
again) and `Ambiguous` (it may have, so it must not).

Each carries `request_id`, the X-Request-ID of the request that it tells of, which is not always the one that was asked
for (the request after a 401 has its own). None: no request was made, or it is not known which.
"""

from bridge.domain.entities import Entity, GatewayError, Update
from bridge.domain.outcomes import Reason
from bridge.domain.record import Record


class Taken(Record, frozen=True, kw_only=True, tag=True):
    """
    A 2xx answer that could be read.

    `entity` is the test or problem the answer tells of. The answer to an amendment, a cancellation or a resolution
    tells of its problem:
    the entity is that problem with `status` None and the request in `amendment`, `cancellation` or `resolution`.
    """

    http_status: int
    entity: Entity
    updates: tuple[Update, ...] = ()
    request_id: str | None = None


class Refused(Record, frozen=True, kw_only=True, tag=True):
    """The gateway will never take this command: 400, 404, 422, 501 and other final answers."""

    http_status: int
    error: GatewayError | None = None
    request_id: str | None = None


class NotTaken(Record, frozen=True, kw_only=True, tag=True):
    """
    Certainly not taken: not connected, no token, 401 twice, 403, 429.

    `why` is a short word for people and metrics, such as CONNECT_REFUSED or RATE_LIMITED; `alarm` is set where a
    person must act
    (403: the allow-list). `retry_after_seconds` is the gateway's own Retry-After, where it gave one.
    """

    why: str
    http_status: int | None = None
    retry_after_seconds: float | None = None
    alarm: bool = False
    request_id: str | None = None


class Ambiguous(Record, frozen=True, kw_only=True, tag=True):
    """
    It was sent, and what became of it is not known: a time-out, a reset, a 5xx, an unreadable 2xx. For a GET it only
    means: try again.
    """

    reason: Reason
    why: str
    http_status: int | None = None
    retry_after_seconds: float | None = None
    request_id: str | None = None


Answer = Taken | Refused | NotTaken | Ambiguous

# The `why` of a call that was not made, because its intent had become too old before the first byte.
PERMIT_EXPIRED = "PERMIT_EXPIRED"
