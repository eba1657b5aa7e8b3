"""Logs: one line an event, for people or as JSON for machines."""

import logging.config
import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from procrastinate import JobContext
from prometheus_client import Counter
from structlog.typing import EventDict, Processor

from streaming import tracing

# What lines of ours say, such as hub.pulse_missed. Others are counted by who writes them.
NAME = re.compile(r"[a-z_]+(\.[a-z_]+)*")
COUNTED = {"warning", "error", "critical"}

LINES = Counter("agentpipe_log_lines", "Warnings and errors, by what they say.", ["level", "event"])


def configure(options: dict[str, Any]) -> None:
    """Django calls this with the LOGGING setting."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        name_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        count,
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if options["as_json"]
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *last,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # Refused requests are the clients' affair; failures still arrive as errors.
                "django.request": {"level": "ERROR"},
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                # A line for each request to a model.
                "httpx2": {"level": "WARNING"},
                "procrastinate": {"level": "WARNING"},
                "uvicorn": {"level": "WARNING"},
            },
        }
    )


async def name_job(call_next: Callable[[], Awaitable[Any]], job: JobContext, worker: Any) -> Any:
    """Around each job: whatever the log says meanwhile has its number."""
    with structlog.contextvars.bound_contextvars(job=job.job.id, task=job.job.task_name):
        return await call_next()


def name_trace(logger: Any, method: str, line: EventDict) -> EventDict:
    """A processor: the trace that the line belongs to, as its collector knows it."""
    if place := tracing.here():
        line["trace"] = place.split("-")[1]
    return line


def count(logger: Any, method: str, line: EventDict) -> EventDict:
    """A processor: whatever is worth a warning is worth a figure."""
    if line["level"] in COUNTED:
        event, record = str(line["event"]), line.get("_record")
        said = event if NAME.fullmatch(event) else getattr(record or logger, "name", "unknown")
        LINES.labels(line["level"], said).inc()
    return line
