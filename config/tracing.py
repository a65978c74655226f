"""OpenTelemetry traces (vết truy xuất) over OTLP/HTTP where `telemetry.endpoint` is set; elsewhere nothing is imported.

A span holds route templates, names of endpoints, codes and ids: no URL, no message of an exception, no `tracestate`.
Ids that a caller chose are left aside where they could be a person's number in disguise.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import Token
from typing import TYPE_CHECKING

from config.logging import identifier_shaped, masked
from config.settings import ConfigurationError, Telemetry

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

# Seconds for one delivery to the collector, and for the last one at a stop: less than a worker has to close everything.
_DELIVERY = 5.0
_FLUSH = 2.0

_tracer: Tracer | None = None


@asynccontextmanager
async def exporting(telemetry: Telemetry) -> AsyncIterator[None]:
    """Make spans while the block runs and send them from a thread; to be entered after the process has forked.

    At the end what is left is sent, for two seconds at most. Raises ConfigurationError where the extra is missing.
    """
    global _tracer
    if not telemetry.endpoint:
        yield
        return
    provider = _provider(telemetry)
    _tracer = provider.get_tracer("lgsp-gateway")
    try:
        yield
    finally:
        _tracer = None
        # The library waits up to 30 s for a collector that hangs; a daemon thread holds no process up.
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        await asyncio.to_thread(last.join, _FLUSH)


class Traced:
    """A span under way; `trace_id` is 32 hexadecimal digits, None where the library is switched off by its variable."""

    __slots__ = ("_span", "_token", "trace_id")

    def __init__(self, span: Span, token: Token[Context] | None = None) -> None:
        self._span = span
        self._token = token
        known = span.get_span_context()
        self.trace_id = f"{known.trace_id:032x}" if known.is_valid else None

    def end(self, *, failed: bool, name: str | None = None, **attributes: str | int | None) -> None:
        """End the span; of `attributes` (a double underscore for each dot) those that are None are left out."""
        from opentelemetry import context
        from opentelemetry.trace import StatusCode

        if self._token is not None:
            context.detach(self._token)
        if not self._span.is_recording():
            return
        if name is not None:
            self._span.update_name(name)
        for key, value in attributes.items():
            if value is not None:
                self._span.set_attribute(key.replace("__", "."), masked(value) if isinstance(value, str) else value)
        if failed:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def serving(headers: Mapping[str, str]) -> Traced | None:
    """Begin the span of a request, below the caller's where `traceparent` is well-formed; None: traces are off.

    Until its end it is the parent of whatever the same task and those it starts begin.
    """
    if _tracer is None:
        return None
    from opentelemetry import context, trace

    span = _tracer.start_span("request", _parent(headers.get("traceparent", "")), trace.SpanKind.SERVER)
    return Traced(span, context.attach(trace.set_span_in_context(span)))


def asking(endpoint: str) -> Traced | None:
    """Begin the span of one attempt at a source, by the name of its endpoint; None: traces are off."""
    if _tracer is None:
        return None
    from opentelemetry.trace import SpanKind

    return Traced(_tracer.start_span(endpoint, kind=SpanKind.CLIENT, attributes={"lgsp.endpoint": endpoint}))


def _parent(traceparent: str) -> Context:
    from opentelemetry.context import Context

    if not traceparent:
        return Context()
    from opentelemetry.trace import get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    found = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    known = get_current_span(found).get_span_context()
    planted = identifier_shaped(f"{known.trace_id:032x}") or identifier_shaped(f"{known.span_id:016x}")
    return Context() if planted else found


def _provider(telemetry: Telemetry) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError:
        raise ConfigurationError(
            "telemetry.endpoint is set, but OpenTelemetry is not installed: run `make otel` in the gateway's checkout"
        ) from None

    class Ids(RandomIdGenerator):
        # One in a thousand looks like a number: the log would mask it, and then line and span differ.
        def generate_trace_id(self) -> int:
            while identifier_shaped(f"{(made := super().generate_trace_id()):032x}"):
                pass
            return made

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(telemetry.ratio)),
        resource=Resource.create({"service.name": telemetry.service}),
        id_generator=Ids(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(telemetry.endpoint, timeout=_DELIVERY)))
    return provider
