"""Traces go to a collector, where the environment names one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from agentpipe.env import BadSetting
from streaming import tracing

LONGEST_FAREWELL_S = 3


@contextmanager
def taking_traces() -> Iterator[None]:
    """For as long as this lasts. Raises BadSetting where what is needed for it is not there."""
    if not settings.TRACES_TO:
        yield
        return
    try:
        # Optional, and half a second of imports.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise BadSetting(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the packages that send traces are not "
            "installed. Install them (uv sync --extra tracing), or leave it empty."
        ) from error
    # Where to, with which headers and how many of them, it reads from the environment itself.
    resource = Resource.create({"service.name": settings.TRACED_AS})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing.take_with(provider.get_tracer("agentpipe"))
    try:
        yield
    finally:
        tracing.take_with(None)
        # A collector that is away holds nobody up.
        farewell = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        farewell.start()
        farewell.join(LONGEST_FAREWELL_S)
