"""Record, upload and follow the conversations of AI agents with an AgentPipe server."""

from agentpipe_client.aio import AsyncAgentPipe
from agentpipe_client.client import AgentPipe
from agentpipe_client.errors import (
    AgentPipeError,
    BadAddress,
    Conflict,
    Forbidden,
    NotAuthenticated,
    NotFound,
    RateLimited,
    Refused,
    ServerFailed,
    StreamRefused,
    TooLarge,
    Unreachable,
)
from agentpipe_client.following import Event, Interruption
from agentpipe_client.record import BatchAnswer, Job, Message, Metrics, Participant, Result
from agentpipe_client.retries import Patience

__all__ = [
    "AgentPipe",
    "AgentPipeError",
    "AsyncAgentPipe",
    "BadAddress",
    "BatchAnswer",
    "Conflict",
    "Event",
    "Forbidden",
    "Interruption",
    "Job",
    "Message",
    "Metrics",
    "NotAuthenticated",
    "NotFound",
    "Participant",
    "Patience",
    "RateLimited",
    "Refused",
    "Result",
    "ServerFailed",
    "StreamRefused",
    "TooLarge",
    "Unreachable",
]
