"""OpenTelemetry with its in-memory exporter and reader, set up once for all tests."""

from __future__ import annotations

import functools
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Recorded:
    """What was recorded since the test began."""

    def __init__(self) -> None:
        self._exporter, self._reader = _providers()
        self._exporter.clear()
        self._before = self._totals()

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of a name."""
        (found,) = [s for s in self.spans if s.name == name]
        return found

    def total(self, metric: str, **attributes: Any) -> int:
        """Return what a counter counted, or of how many values a histogram is."""
        return self._sum(self._totals(), metric, attributes) - self._sum(
            self._before, metric, attributes
        )

    @staticmethod
    def _sum(totals: Any, metric: str, attributes: dict[str, Any]) -> int:
        return sum(
            number
            for (name, items), number in totals.items()
            if name == metric and attributes.items() <= dict(items).items()
        )

    def _totals(self) -> dict[tuple[str, Any], int]:
        found: dict[tuple[str, Any], int] = {}
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        key = (metric.name, tuple(sorted(point.attributes.items())))
                        number = getattr(point, "count", None)
                        found[key] = point.value if number is None else number
        return found


@functools.cache
def _providers() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    # A program sets its provider once; OpenTelemetry allows no second time.
    exporter = InMemorySpanExporter()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracing)
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    return exporter, reader
