"""Spans: what went on, from a request to the worker that answers and the rings that hear of it.

Traces are begun by requests and jobs; everything else is part of one or of none. While nobody takes
them, which the roof decides at the start, there is nothing but a look at that.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

# As W3C writes it: 00-trace-span-01.
LONGEST = 55
HEADER = "traceparent"

_tracer: trace.Tracer | None = None
_written = TraceContextTextMapPropagator()
_NOTHING: AbstractContextManager[None] = nullcontext()


def take_with(tracer: trace.Tracer | None) -> None:
    """Spans are its from now on; None ends that."""
    global _tracer
    _tracer = tracer


def is_on() -> bool:
    return _tracer is not None


def here() -> str:
    """This place in its trace, to go along with what comes of it; empty where there is none."""
    if _tracer is None:
        return ""
    carrier: dict[str, str] = {}
    _written.inject(carrier)
    return carrier.get(HEADER, "")


def span(
    name: str,
    *,
    after: Sequence[str] | None = None,
    begins: bool = False,
    **about: AttributeValue,
) -> AbstractContextManager[None]:
    """Part of what goes on here; or, where that was said, of what began it elsewhere.

    Of several, it is part of the first and is linked to the others.
    """
    if _tracer is None:
        return _NOTHING
    return _span(_tracer, name, after, begins, about)


def note(**about: AttributeValue) -> None:
    """Something more about the span that is open here."""
    if _tracer is not None:
        trace.get_current_span().set_attributes(about)


def close_here() -> None:
    """What goes on for days is told when it has begun."""
    if _tracer is not None:
        trace.get_current_span().end()


@contextmanager
def _span(
    tracer: trace.Tracer,
    name: str,
    after: Sequence[str] | None,
    begins: bool,
    about: dict[str, AttributeValue],
) -> Iterator[None]:
    if after is None:
        # Where that has ended, it is what this task was once begun for.
        current = trace.get_current_span()
        parents = [current] if current.is_recording() else []
    else:
        parents = [_read(place) for place in dict.fromkeys(after)]
        parents = [parent for parent in parents if parent.get_span_context().is_valid]
    if not (parents or begins):
        with trace.use_span(trace.INVALID_SPAN):
            yield
        return
    parent = trace.set_span_in_context(parents[0] if parents else trace.INVALID_SPAN)
    links = [trace.Link(other.get_span_context()) for other in parents[1:]]
    opened = tracer.start_span(name, parent, links=links, attributes=about)
    try:
        # What an error says may be out of somebody's conversation: its kind has to do.
        with trace.use_span(opened, record_exception=False, set_status_on_exception=False):
            yield
    except Exception as error:
        opened.set_status(trace.StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        if opened.is_recording():
            opened.end()


def _read(place: str) -> trace.Span:
    return trace.get_current_span(_written.extract({HEADER: place}, context.Context()))
