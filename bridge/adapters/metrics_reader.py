"""Reads what a service tells at /metrics, as far as somebody who looks from outside needs it."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

BREAKER = "bridge_supplier_breaker"
ACCESS_REFUSED = "bridge_gateway_access_refused"


@dataclass(frozen=True)
class Figures:
    """Of one process: where each supplier's breaker stands, and whether the gateway refuses access."""

    breakers: Mapping[str, str]
    access_refused: bool


def read_figures(text: str) -> Figures:
    """
    Read an exposition in Prometheus' text format.

    Raises:
        ValueError: it is none.

    """
    breakers: dict[str, str] = {}
    refused = False
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == BREAKER and sample.value == 1:
                breakers[sample.labels["supplier"]] = sample.labels["position"]
            elif sample.name == ACCESS_REFUSED:
                refused = sample.value == 1
    return Figures(breakers, refused)
