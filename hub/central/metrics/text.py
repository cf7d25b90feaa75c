"""The figures as Prometheus reads them. A registry for each scrape: nothing is counted between two."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.central.metrics.figures import Figures

_PREFIX = "welfarehub_"


class _Once(Collector):
    """Hands over what is there, once.

    Args:
        families: The metrics.
    """

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        return self._families


def write(figures: Figures | None, queues: Mapping[str, float], *, fit: bool) -> bytes:
    """Return one scrape in Prometheus' text format.

    Args:
        figures: What the store showed; ``None``: it does not answer.
        queues: How many seconds the oldest in each queue in memory has waited.
        fit: Whether the auditor looks, and could say all that it saw.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(_families(figures, queues, fit=fit)))
    return generate_latest(registry)


def _families(figures: Figures | None, queues: Mapping[str, float], *, fit: bool) -> Iterator[Metric]:
    yield _gauge("store_up", "Whether the store answers.", [], {(): float(figures is not None)})
    yield _gauge("auditor_fit", "Whether the auditor looks and could say what it saw.", [], {(): float(fit)})
    ages = {(name,): age for name, age in queues.items()}
    yield _gauge("queue_age_seconds", "How long the oldest in a queue has waited.", ["queue"], ages)
    if figures is None:
        return
    labels = ["state", "class", "zone", "test"]
    yield _gauge("incidents", "Open incidents.", labels, figures.incidents)
    yield _gauge("incidents_closed", "Incidents that were closed.", [], {(): figures.closed})
    yield _gauge("incidents_unattended", "Open without a next action.", [], {(): figures.unattended})
    lags = {(kind,): lag for kind, lag in figures.due_lag_s.items()}
    yield _gauge("due_lag_seconds", "For how long the oldest row of a kind has been due.", ["kind"], lags)
    yield _gauge("due_rows", "Rows in the list of what is due.", [], {(): figures.due_waiting})
    yield _gauge(
        "attempts",
        "Attempts to send of the last hour, the newest 2,000 at most: delivered are receipts.",
        ["provider", "state"],
        figures.attempts,
    )
    yield _gauge(
        "hubs", "Hubs, by whether the broker has them.", ["online"], {(k,): n for k, n in figures.hubs.items()}
    )
    if figures.round_at is not None:
        began = {(): figures.round_at.timestamp()}
        yield _gauge("round_complete_timestamp_seconds", "When the last complete round began.", [], began)
    legs = {(leg,): s for leg, s in figures.round_legs.items()}
    yield _gauge("round_leg_seconds", "Of the last complete round, from its begin to each leg.", ["leg"], legs)


def _gauge(name: str, about: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(_PREFIX + name, about, labels=labels)
    for of, value in values.items():
        family.add_metric(list(of), value)
    return family
