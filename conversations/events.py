"""The shapes in which the record shows itself, and the events that tell of its changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from streaming.events import iso

if TYPE_CHECKING:
    from conversations.models import Conversation, IngestJob, Message, Participant, RawEvent
    from conversations.recording.messages import NewMessage

Json = dict[str, Any]

# The kinds whose frames carry `data`: what `/api/realtime/stream` sends.
INGEST_KINDS = frozenset(
    {
        "conversation.started",
        "conversation.completed",
        "conversation.interrupted",
        "conversation.error",
        "conversation.updated",
        "conversation.deleted",
        "message.created",
        "error.occurred",
        "bridge.connected",
        "bridge.test",
        "log.entry",
    }
)

JOB_KINDS = frozenset(
    {"ingest.job.created", "ingest.job.updated", "ingest.job.completed", "ingest.job.failed"}
)
# Of a job's errors, while it runs: it may say so ten times a second.
ERRORS_TOLD = 20


def conversation_shape(
    conversation: "Conversation", participants: "Sequence[Participant]", *, project: str
) -> Json:
    return {
        "id": conversation.public_id,
        "projectId": project,
        "kind": conversation.kind,
        "name": conversation.name,
        "mode": conversation.mode,
        "status": conversation.status,
        "source": conversation.source,
        "initialPrompt": conversation.initial_prompt,
        "maxTurns": conversation.max_turns,
        "metadata": conversation.metadata,
        "notes": conversation.notes,
        "participants": [participant_shape(participant) for participant in participants],
        **totals_shape(conversation),
        "summary": conversation.summary,
        "systemInfo": conversation.system_info,
        "errorMessage": conversation.error_message or None,
        "startedAt": iso(conversation.started_at),
        "completedAt": iso(conversation.completed_at) if conversation.completed_at else None,
        "createdAt": iso(conversation.created_at),
        "updatedAt": iso(conversation.updated_at),
    }


def totals_shape(conversation: "Conversation") -> Json:
    reported = conversation.reported_duration_ms
    return {
        "totalMessages": conversation.total_messages,
        "totalTokens": int(conversation.total_tokens),
        "totalCost": float(conversation.total_cost),
        "totalDuration": int(conversation.total_duration_ms) if reported is None else reported,
    }


def participant_shape(participant: "Participant") -> Json:
    return {
        "agentId": participant.agent_id,
        "agentType": participant.agent_type,
        "agentName": participant.agent_name,
        "agentVersion": participant.agent_version or None,
        "model": participant.model or None,
        "prompt": participant.prompt or None,
        "announcement": participant.announcement or None,
        "settings": participant.settings,
    }


def message_shape(message: "Message | NewMessage", *, conversation: str) -> Json:
    return {
        "id": message.public_id,
        "conversationId": conversation,
        "agentId": message.agent_id,
        "agentName": message.agent_name,
        "agentType": message.agent_type,
        "agentVersion": message.agent_version or None,
        "role": message.role,
        "content": message.content,
        "timestamp": iso(message.timestamp),
        "sequenceNumber": message.sequence_number,
        "turnNumber": message.turn_number,
        "model": message.model or None,
        "duration": message.duration_ms,
        "inputTokens": message.input_tokens,
        "outputTokens": message.output_tokens,
        "totalTokens": message.total_tokens,
        "cost": None if message.cost is None else float(message.cost),
        "status": message.status,
        "metadata": message.metadata,
    }


def job_shape(job: "IngestJob", *, most_errors: int | None = None) -> Json:
    return {
        "id": job.public_id,
        "project_id": job.project.slug,
        "file_name": job.file_name,
        "size": job.size,
        "kind": job.kind,
        "status": job.status,
        "total": job.total,
        "processed": job.processed,
        "new": job.new,
        "known": job.known,
        "repaired": job.repaired,
        "failed": job.failed,
        "percentage": job.percentage,
        "errors": job.errors[:most_errors],
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at) if job.started_at else None,
        "finished_at": iso(job.finished_at) if job.finished_at else None,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestJobEvent:
    """What becomes of a file that is being imported, under `job`."""

    kind: str
    occurred_at: datetime
    job: Json
    subject: str = field(default="", init=False)
    is_final: bool = field(default=False, init=False)

    def payload(self) -> Json:
        return {"job": self.job}


def ingest_job(job: "IngestJob", what: str) -> IngestJobEvent:
    return IngestJobEvent(
        kind=f"ingest.job.{what}",
        occurred_at=timezone.now(),
        job=job_shape(job, most_errors=ERRORS_TOLD if what == "updated" else None),
    )


# Not frozen: to be made by the thousand.
@dataclass(slots=True, kw_only=True)
class IngestEvent:
    """An event of the ingest family: what happened, under `data`."""

    kind: str
    occurred_at: datetime
    data: Mapping[str, Any]
    subject: str = ""
    is_final: bool = False

    def payload(self) -> Json:
        return {"data": self.data}


def conversation_started(
    conversation: "Conversation", participants: "Sequence[Participant]", *, project: str
) -> IngestEvent:
    return IngestEvent(
        kind="conversation.started",
        occurred_at=conversation.started_at,
        data={
            "conversationId": conversation.public_id,
            "mode": conversation.mode,
            "initialPrompt": conversation.initial_prompt,
            "participants": [participant.agent_type for participant in participants],
            "conversation": conversation_shape(conversation, participants, project=project),
        },
    )


def message_created(message: "Message | NewMessage", *, conversation: str) -> IngestEvent:
    return IngestEvent(
        kind="message.created",
        occurred_at=message.timestamp,
        subject=message.agent_id[:200],
        data={
            "conversationId": conversation,
            "message": message_shape(message, conversation=conversation),
        },
    )


def conversation_ended(conversation: "Conversation", *, reason: str | None) -> IngestEvent:
    # An uploaded session may have ended at a time that it does not tell.
    ended_at = conversation.completed_at
    kind = "interrupted" if conversation.status == "INTERRUPTED" else "completed"
    return IngestEvent(
        kind=f"conversation.{kind}",
        occurred_at=ended_at or conversation.started_at,
        data={
            "conversationId": conversation.public_id,
            "status": conversation.status,
            "completedAt": iso(ended_at) if ended_at else None,
            "reason": reason,
            **totals_shape(conversation),
            "summary": conversation.summary,
        },
    )


def conversation_updated(
    conversation: "Conversation", participants: "Sequence[Participant]", *, project: str
) -> IngestEvent:
    return IngestEvent(
        kind="conversation.updated",
        occurred_at=conversation.updated_at,
        data={
            "conversationId": conversation.public_id,
            "conversation": conversation_shape(conversation, participants, project=project),
        },
    )


def conversation_deleted(public_id: str, *, at: datetime, is_final: bool) -> IngestEvent:
    return IngestEvent(
        kind="conversation.deleted",
        occurred_at=at,
        data={"conversationId": public_id},
        is_final=is_final,
    )


def kept(event: "RawEvent", *, conversation: str | None) -> IngestEvent:
    return IngestEvent(
        kind=event.kind,
        occurred_at=event.timestamp,
        subject=str(event.data.get("agentId") or "")[:200],
        data={**event.data, "conversationId": conversation} if conversation else event.data,
    )
