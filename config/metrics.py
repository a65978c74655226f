"""Every Prometheus metric of the gateway, defined once, and their rendering for one or for many processes.

`prometheus_client` chooses between memory and shared files when it is imported, so this module imports it at the first
call of `metrics()` only: `share()` has to come before that. It also keeps the library out of `lgsp --help`.
Labels are names from the configuration and the code, never values of a request.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics by field; labels are given in the order written in `metrics()`."""

    http_requests: Counter
    http_seconds: Histogram
    http_in_flight: Gauge
    tls_failures: Counter
    tls_failed_at: Gauge
    exchanges: Counter
    exchange_seconds: Histogram
    upstream_attempts: Counter
    upstream_seconds: Histogram
    breaker_state: Gauge
    audit_batch: Histogram
    audit_append_seconds: Histogram
    log_size: Gauge
    witness_submissions: Counter
    witness_behind: Gauge
    pushes: Counter
    deliveries: Counter
    deliveries_waiting: Gauge
    deliveries_oldest: Gauge
    deliveries_dead: Gauge
    inbox_dossiers: Counter
    inbox_readings: Counter
    callbacks: Counter
    callbacks_waiting: Gauge
    expiry: Gauge
    expiring: Gauge
    storage_free: Gauge
    worker_restarts: Counter
    revocation_fetches: Counter
    signers_indeterminate: Counter


@cache
def metrics() -> Metrics:
    """Return the metrics of this process, made at the first call."""
    from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, values

    if not hasattr(values.ValueClass, "place"):
        values.ValueClass = _placed(values.ValueClass)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return Metrics(
        http_requests=Counter(
            "lgsp_http_requests", "Requests answered, by route template.", ("route", "method", "status")
        ),
        http_seconds=Histogram(
            "lgsp_http_request_seconds", "From request head to answer.", ("route",), buckets=_SECONDS
        ),
        http_in_flight=Gauge("lgsp_http_in_flight", "Requests being worked on.", multiprocess_mode="livesum"),
        tls_failures=Counter(
            "lgsp_tls_handshake_failures",
            "TLS handshakes that failed, by reason; `verification` is what was wrong with a client certificate.",
            ("reason", "verification"),
        ),
        tls_failed_at=Gauge(
            "lgsp_tls_handshake_failure_timestamp_seconds",
            "When a TLS handshake last failed for a reason, in POSIX seconds.",
            ("reason", "verification"),
            multiprocess_mode="max",
        ),
        exchanges=Counter(
            "lgsp_exchanges", "Exchanges, outcome is `answered` or an error code.", ("database", "operation", "outcome")
        ),
        exchange_seconds=Histogram(
            "lgsp_exchange_seconds", "From question to durable answer.", ("database", "operation"), buckets=_SECONDS
        ),
        upstream_attempts=Counter(
            "lgsp_upstream_attempts", "Attempts at a source, outcome is `ok` or an error code.", ("endpoint", "outcome")
        ),
        upstream_seconds=Histogram(
            "lgsp_upstream_seconds", "One attempt at a source.", ("endpoint",), buckets=_SECONDS
        ),
        breaker_state=Gauge(
            "lgsp_breaker_state", "0 closed, 1 half open, 2 open.", ("endpoint",), multiprocess_mode="livemax"
        ),
        audit_batch=Histogram("lgsp_audit_batch_entries", "Entries in one commit of the log.", buckets=_COUNTS),
        audit_append_seconds=Histogram(
            "lgsp_audit_append_seconds", "One commit of the log, waiting for the lock included.", buckets=_SECONDS
        ),
        log_size=Gauge("lgsp_audit_log_entries", "Entries in the log.", multiprocess_mode="max"),
        witness_submissions=Counter(
            "lgsp_witness_submissions",
            "Checkpoints shown to a witness, outcome is `ok` or a code of `lgsp doctor`.",
            ("witness", "outcome"),
        ),
        witness_behind=Gauge(
            "lgsp_witness_behind_seconds",
            "How long there have been entries that a witness has not witnessed.",
            ("witness",),
            multiprocess_mode="livemostrecent",
        ),
        pushes=Counter(
            "lgsp_pushes",
            "Dossiers and statuses handed in; door is `rest`, `stream` or `soap`, result a word of the answer or "
            "`refused`, reason why, or the error code.",
            ("door", "result", "reason"),
        ),
        deliveries=Counter(
            "lgsp_deliveries",
            "Attempts to deliver an event, ending is `delivered`, `again` (later) or `dead`.",
            ("destination", "ending"),
        ),
        deliveries_waiting=Gauge(
            "lgsp_deliveries_waiting",
            "Events that are not delivered yet.",
            ("destination",),
            multiprocess_mode="livemostrecent",
        ),
        deliveries_oldest=Gauge(
            "lgsp_deliveries_oldest_seconds",
            "How long the oldest event that is not delivered yet has waited.",
            ("destination",),
            multiprocess_mode="livemostrecent",
        ),
        deliveries_dead=Gauge(
            "lgsp_deliveries_dead", "Dead letters.", ("destination",), multiprocess_mode="livemostrecent"
        ),
        inbox_dossiers=Counter(
            "lgsp_inbox_dossiers",
            "Dossiers that the portal listed as filed, outcome is `stored`, `known` (came before) or `unreadable`.",
            ("portal", "outcome"),
        ),
        inbox_readings=Counter(
            "lgsp_inbox_readings",
            "Times a portal was asked for filed dossiers, outcome is `ok` or an error code.",
            ("portal", "outcome"),
        ),
        callbacks=Counter(
            "lgsp_callbacks",
            "Call-backs sent, ending is `delivered`, `again` (later), `gone` (not wanted any more) or `expired`.",
            ("receiver", "ending"),
        ),
        callbacks_waiting=Gauge(
            "lgsp_callbacks_waiting",
            "Call-backs that a receiver has not taken yet.",
            ("receiver",),
            multiprocess_mode="livemostrecent",
        ),
        expiry=Gauge(
            "lgsp_expiry_seconds",
            "Seconds until a certificate or key ends, negative when it has.",
            ("kind", "name"),
            multiprocess_mode="livemin",
        ),
        expiring=Gauge(
            "lgsp_expiring",
            "Certificates, revocation lists and keys that end within so many days or have ended (0), by kind.",
            ("kind", "days"),
            multiprocess_mode="livemax",
        ),
        storage_free=Gauge(
            "lgsp_storage_free_bytes", "Free space where the storage lies.", multiprocess_mode="livemostrecent"
        ),
        worker_restarts=Counter("lgsp_worker_restarts", "Worker processes that died and were started again."),
        revocation_fetches=Counter(
            "lgsp_revocation_fetches",
            "Lists and OCSP answers asked for, outcome is `fetched`, `unfetched` or `unusable`.",
            ("domain", "kind", "outcome"),
        ),
        signers_indeterminate=Counter(
            "lgsp_signers_indeterminate",
            "Answers believed although nobody said whether their signer's certificate was revoked.",
            ("domain",),
        ),
    )


# A view of eight octets as one number, whose items the type checker takes for whole ones.
_Place = Any


class Tally:
    """The value of one counter with its labels, without the checks that the library makes each time."""

    __slots__ = ("inc",)

    def __init__(self, child: Counter) -> None:
        self.inc: Callable[[], None] = partial(child._value.inc, 1)  # noqa: SLF001 - what `child.inc` ends in


class Level:
    """The value of one gauge that goes up and down by one, without the checks that the library makes each time."""

    __slots__ = ("dec", "inc")

    def __init__(self, child: Gauge) -> None:
        change = child._value.inc  # noqa: SLF001 - what `child.inc` and `child.dec` end in
        self.inc: Callable[[], None] = partial(change, 1)
        self.dec: Callable[[], None] = partial(change, -1)


class Spread:
    """The values of one histogram with its labels, without the checks that the library makes each time."""

    __slots__ = ("_bounds", "_buckets", "_sum")

    def __init__(self, child: Histogram) -> None:
        self._bounds: list[float] = child._upper_bounds  # noqa: SLF001 - what `child.observe` walks through
        self._buckets: list[_Place] = [bucket.place for bucket in child._buckets]  # noqa: SLF001 - see above
        self._sum: _Place = child._sum.place  # noqa: SLF001 - see above

    def observe(self, amount: float) -> None:
        """Add one observation."""
        bucket = self._buckets[bisect_left(self._bounds, amount)]
        with _CHANGING:
            self._sum[0] += amount
            bucket[0] += 1


_Function = TypeVar("_Function", bound=Callable[..., Any])


def _kept(function: _Function) -> _Function:
    # Labels are few by rule; the bound is for the day on which somebody breaks it.
    return cast("_Function", lru_cache(maxsize=4096)(function))


@overload
def labelled(metric: Counter, *labels: str) -> Tally: ...


@overload
def labelled(metric: Gauge, *labels: str) -> Level: ...


@overload
def labelled(metric: Histogram, *labels: str) -> Spread: ...


@_kept
def labelled(metric: Counter | Gauge | Histogram, *labels: str) -> Tally | Level | Spread:
    """Return what is counted under these labels, the same object each time; who counts often keeps it."""
    from prometheus_client import Counter, Histogram

    child = metric.labels(*labels) if labels else metric
    if isinstance(child, Histogram):
        return Spread(child)
    return Tally(child) if isinstance(child, Counter) else Level(child)


def share(directory: Path) -> None:
    """Keep the values of all processes started from this one in `directory`, so that any of them can render all."""
    os.environ[DIRECTORY_VARIABLE] = str(directory)


def become(worker: str) -> None:
    """Name this process's value files after `worker`, so that a restarted worker goes on in its predecessor's files.

    Has no effect unless `share()` was called; must come before the first `metrics()` of the process.
    """
    if DIRECTORY_VARIABLE in os.environ:
        from prometheus_client import values

        values.ValueClass = _placed(values.MultiProcessValue(lambda: worker))  # type: ignore[no-untyped-call]


def alone() -> None:
    """Keep the values of this process in memory, whatever the one it was forked from shared; before `metrics()`."""
    from prometheus_client import values

    os.environ.pop(DIRECTORY_VARIABLE, None)
    values.ValueClass = values.MutexValue


# Held while a number is changed: the event loop counts, and the threads beside it.
_CHANGING = Lock()


def _placed(base: Any) -> Any:
    """Return the library's value as a number in a place of its own, changed without the library's steps around it.

    Among those is a look for a fork at every change of a shared file: workers never fork.
    """

    class Value(base):  # type: ignore[misc]
        """A number whose `place`, for processes that share, lies in the file that all read."""

        place: _Place = None

        def __init__(self, *described: Any, **settings: Any) -> None:
            super().__init__(*described, **settings)
            octets = memoryview(bytearray(8))
            if self._multiprocess:
                # Stays valid when the file grows: the library maps the same file once more then.
                start = self._file._positions[self._key]  # noqa: SLF001 - written to as the library does
                octets = memoryview(self._file._m)[start : start + 8]  # noqa: SLF001 - see above
            self.place = octets.cast("d")

        def inc(self, amount: float) -> None:
            """Add `amount`."""
            with _CHANGING:
                self.place[0] += amount

        def set(self, value: float, timestamp: float | None = None) -> None:
            """Put `value` in the place of what was there, with the time at which that was so."""
            with _CHANGING:
                super().set(value, timestamp)
                self.place[0] = value

        def get(self) -> float:
            """Return the number."""
            return float(self.place[0])

    return Value


def forget(worker: str) -> None:
    """Drop the gauges of a worker that is gone; its counters stay, since they happened."""
    if directory := os.environ.get(DIRECTORY_VARIABLE):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker, directory)  # type: ignore[no-untyped-call]


def render() -> bytes:
    """Return all metrics of all workers in the Prometheus text format; reads files, so not for the event loop."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

    if DIRECTORY_VARIABLE not in os.environ:
        metrics()
        return generate_latest(REGISTRY)
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
