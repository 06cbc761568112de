"""
The tracker's rules: how KCIs, POST answers and GET answers about one test or problem fold into its status.

`fold` takes in a message, `sweep` the passing of time; both give the next state, and the records to publish in the
same transaction. `wake_at` says when `sweep` has something to do, `forget_at` when an ended entity may leave the table.
"""

from bridge.domain.tracking.fold import fold
from bridge.domain.tracking.silence import forget_at, sweep, wake_at
from bridge.domain.tracking.state import Folded, TrackedEntity, Why, is_tracked

__all__ = ["Folded", "TrackedEntity", "Why", "fold", "forget_at", "is_tracked", "sweep", "wake_at"]
