"""What is told to the record, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, Required, Self, TypedDict

Json = dict[str, Any]
Mode = Literal["round-robin", "reactive", "free-form"]
Role = Literal["agent", "user", "system"]
ExportFormat = Literal["json", "jsonl", "markdown", "html", "csv"]
UNFINISHED = frozenset({"queued", "running"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    agent_id: str
    agent_type: str
    agent_name: str
    agent_version: str | None = None
    model: str | None = None
    prompt: str | None = None
    announcement: str | None = None
    settings: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a message took; `duration` is in milliseconds."""

    duration: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    model: str | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    agent_id: str
    agent_name: str
    agent_type: str
    content: str
    role: Role = "agent"
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    agent_version: str | None = None
    sequence_number: int | None = None
    metrics: Metrics | None = None


class Start(TypedDict, total=False):
    """What a conversation begins with."""

    mode: Required[Mode]
    initial_prompt: Required[str]
    participants: Required[Sequence[Participant]]
    name: str
    max_turns: int
    metadata: Json


class Totals(TypedDict, total=False):
    """What a conversation came to; `total_duration` is in milliseconds."""

    total_messages: int
    total_tokens: int
    total_cost: float
    total_duration: int


class ErrorContext(TypedDict, total=False):
    error_code: str
    agent_id: str
    details: Json


class Filters(TypedDict, total=False):
    """Which conversations are wanted."""

    status: str
    mode: str
    source: str
    agent: str
    q: str
    project: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one event of a batch."""

    index: int
    status: int
    body: Json

    @property
    def is_recorded(self) -> bool:
        return self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    accepted: int
    rejected: int
    results: list[Result]

    @classmethod
    def of(cls, body: Json) -> Self:
        results = [
            Result(index=result["index"], status=result["status"], body=result)
            for result in body["results"]
        ]
        return cls(accepted=body["accepted"], rejected=body["rejected"], results=results)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """What is wrong with a line of an imported file; `line` is None where it is the whole."""

    line: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An import, as it stands."""

    id: str
    status: str
    total: int | None
    processed: int
    new: int
    known: int
    repaired: int
    failed: int
    percentage: float
    errors: list[BadLine]

    @classmethod
    def of(cls, body: Json) -> Self:
        """From the job, alone or under its name."""
        job = body.get("job", body)
        return cls(
            id=str(job["id"]),
            status=job["status"],
            total=job.get("total"),
            **{name: job.get(name) or 0 for name in COUNTS},
            percentage=job.get("percentage") or 0,
            errors=[
                BadLine(line=fault.get("line"), error=str(fault.get("error", "")))
                for fault in job.get("errors") or []
            ],
        )

    @property
    def is_finished(self) -> bool:
        return self.status not in UNFINISHED


COUNTS = ("processed", "new", "known", "repaired", "failed")


def camel(value: Any) -> Any:
    """As the camelCase dialect writes it; what is None is left out."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return [camel(item) for item in value]
    if isinstance(value, Participant | Metrics | Message):
        named = {item.name: getattr(value, item.name) for item in fields(value)}
        return camel_fields(named)
    return value


def camel_fields(named: dict[str, Any]) -> Json:
    return {_camel_name(name): camel(item) for name, item in named.items() if item is not None}


def _camel_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
