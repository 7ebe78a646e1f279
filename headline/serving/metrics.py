"""Figures of a running server, in the format of Prometheus."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "headline_requests",
            "Requests by route and status.",
            ("route", "status"),
            registry=registry,
        )
        self.latency = Histogram(
            "headline_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.batches = Histogram(
            "headline_batch_articles",
            "Articles of a batch.",
            buckets=_SIZES,
            registry=registry,
        )
        self.articles = Counter(
            "headline_articles", "Articles that were searched.", registry=registry
        )
        self.refused = Counter(
            "headline_rejections",
            "Requests refused because the queue was full.",
            registry=registry,
        )
        self.late = Counter(
            "headline_timeouts", "Requests not answered in time.", registry=registry
        )
        self.replaced = Counter(
            "headline_workers_replaced", "Workers that were lost.", registry=registry
        )
        self._queue = Gauge(
            "headline_queue_articles", "Articles that wait.", registry=registry
        )

    def follow_queue(self, length: Callable[[], int]) -> None:
        """Sets where the length of the queue is asked for."""
        self._queue.set_function(length)

    def text(self) -> bytes:
        """Returns all figures."""
        return generate_latest(self.registry)
