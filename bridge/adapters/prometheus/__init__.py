"""
Prometheus metrics: defined once as a table (`definitions.py`), told by verbs, one class for each service.

Services and flows call verbs and never see a metric. A label's value is always of a closed set: what is not in it is
shown as OTHER (`meters.py`).
"""

from bridge.adapters.prometheus.dispatcher import DispatcherTelemetry, SupplierState, TokenState
from bridge.adapters.prometheus.ingester import IngesterTelemetry
from bridge.adapters.prometheus.lag import PartitionLag
from bridge.adapters.prometheus.meters import Sets
from bridge.adapters.prometheus.service import ServiceTelemetry
from bridge.adapters.prometheus.streaming import StreamTelemetry
from bridge.adapters.prometheus.tracker import TrackerTelemetry

__all__ = [
    "DispatcherTelemetry",
    "IngesterTelemetry",
    "PartitionLag",
    "ServiceTelemetry",
    "Sets",
    "StreamTelemetry",
    "SupplierState",
    "TokenState",
    "TrackerTelemetry",
]
