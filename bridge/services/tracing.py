"""Whether and how a service traces. One that does not gets a handle that stands in nobody's way."""

import os
from collections.abc import Callable
from socket import gethostname
from typing import TypeVar

from bridge.domain.commands import Command
from bridge.ports import Asgi, Gateway, Handle, Outbox, Tracing, TracingTelemetry, Woken
from bridge.settings import TracingSettings

T = TypeVar("T")

NAMESPACE = "fibre-fault-bridge"


class Untraced:
    """The `Tracing` of a service that does not trace: everything is given back as it is."""

    ids = None

    def handling(self, handle: Handle[T]) -> Handle[T]:
        """As the port says."""
        return handle

    def waking(self, woken: Woken[T]) -> Woken[T]:
        """As the port says."""
        return woken

    def gateway(
        self,
        gateway: Gateway,
        *,
        server: tuple[str, int],  # noqa: ARG002  # the port's
        route: Callable[[Command], tuple[str, str]],  # noqa: ARG002  # the port's
    ) -> Gateway:
        """As the port says."""
        return gateway

    def outbox(self, outbox: Outbox) -> Outbox:
        """As the port says."""
        return outbox

    def webhook(self, webhook: Asgi, *, path: str) -> Asgi:  # noqa: ARG002  # the port's
        """As the port says."""
        return webhook

    async def stop(self) -> None:
        """There is nothing to stop."""


def tracing_for(
    settings: TracingSettings,
    telemetry: TracingTelemetry,
    *,
    service: str,
    version: str,
    physical: Callable[[str], str],
) -> Tracing:
    """The tracing of a service, by its settings. `physical` gives a topic's name on the cluster."""
    if settings.endpoint is None:
        return Untraced()
    # Importing OpenTelemetry takes time and memory (docs/tracing.md): who does not trace does without.
    from bridge.adapters.tracing.export import SpanExport  # noqa: PLC0415  # see above
    from bridge.adapters.tracing.spans import OpenTelemetryTracing  # noqa: PLC0415  # see above

    # The name of the host is the pod's in Kubernetes: with the service's name it tells two replicas apart.
    instance = {"service.instance.id": f"{gethostname()}-{os.getpid()}"}
    resource = {"service.name": service, "service.namespace": NAMESPACE, "service.version": version, **instance}
    export = SpanExport(settings, resource, telemetry)
    return OpenTelemetryTracing(
        export.provider.get_tracer("bridge", version), export, physical=physical, group=physical(service)
    )
