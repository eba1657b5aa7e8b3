"""However a session arrives, twice or in any order, it ends as the same conversation."""

import random
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.events import conversation_shape, message_shape
from conversations.ingest.receive import receive
from conversations.models import Conversation, Project
from streaming.log import read_after
from tests.clients import NOW, Json, said, started

MADE_BY_ARRIVAL = {"id", "ingestedAt", "createdAt", "updatedAt", "conversationId"}
KINDS = ["completed", "interrupted", "error"]

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
sizes = st.integers(0, 2**40)
said_by_agents = st.fixed_dictionaries(
    {"content": texts},
    optional={
        "tokens_used": sizes,
        "duration_ms": sizes,
        "cost": st.floats(0, 10, allow_nan=False),
        "agent_type": st.sampled_from(["claude", "gemini"]),
        "mood": st.none() | st.booleans() | texts,
    },
)


@st.composite
def sessions(draw: st.DrawFn) -> list[Json]:
    """The events of one session, in the order in which they happened."""
    events: list[Json] = [{"type": "conversation.started", "data": started("SESSION", topic="x")}]
    for number, data in enumerate(draw(st.lists(said_by_agents, max_size=6))):
        place = {"sequence_number": number, "message_id": f"SESSION-{number}"}
        message = said("SESSION", str(data.pop("content")), **data, **place)
        events.append({"type": "message.created", "data": message})
    for trouble in ["Out of steel", "Out of stone"][: draw(st.integers(0, 2))]:
        error = {"conversation_id": "SESSION", "error_message": trouble}
        events.append({"type": "conversation.error", "data": error})
    log = {"conversation_id": "SESSION", "level": "message", "content": "Log"}
    events += [{"type": "log.entry", "data": log}] * draw(st.integers(0, 1))
    if draw(st.booleans()):
        reports = st.fixed_dictionaries({}, optional={"total_tokens": sizes, "mood": sizes})
        end: Json = {"conversation_id": "SESSION", "status": draw(st.sampled_from(KINDS))}
        end |= draw(reports)
        events.append({"type": "conversation.completed", "data": end})
    return [
        {**event, "timestamp": NOW.replace(":00Z", f":{second:02}Z")}
        for second, event in enumerate(events)
    ]


@given(events=sessions(), chance=st.randoms(use_true_random=False), size=st.integers(1, 4))
@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_and_repetition_ends_alike(
    project: Project, events: list[Json], chance: random.Random, size: int
) -> None:
    shuffled = events + chance.choices(events, k=chance.randint(0, len(events)))
    chance.shuffle(shuffled)

    expected = outcome(project, events, size=1)

    assert outcome(project, shuffled, size=size) == expected


def outcome(project: Project, events: list[Json], *, size: int) -> Any:
    """What is left of a session that was sent in batches of this size."""
    session = str(uuid4())
    sent = [renamed(event, session) for event in events]
    for start in range(0, len(sent), size):
        answers = receive(sent[start : start + size], project=project)
        assert {answer.status for answer in answers} <= {200, 201}
    conversation = Conversation.objects.get(public_id=session)
    participants = list(conversation.participants.all())
    return renamed(
        without_arrival(
            {
                "conversation": conversation_shape(conversation, participants, project="tower"),
                "messages": [
                    message_shape(message, conversation=session)
                    for message in conversation.messages.all()
                ],
                "raw": sorted(conversation.raw_events.values_list("kind", flat=True)),
                "told": sorted(event.kind for event in read_after(conversation.topic, 0)),
            }
        ),
        "SESSION",
        instead_of=session,
    )


def renamed(value: Any, name: str, *, instead_of: str = "SESSION") -> Any:
    if isinstance(value, dict):
        return {key: renamed(item, name, instead_of=instead_of) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, name, instead_of=instead_of) for item in value]
    return value.replace(instead_of, name) if isinstance(value, str) else value


def without_arrival(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_arrival(item) for key, item in value.items() if key not in MADE_BY_ARRIVAL
        }
    return [without_arrival(item) for item in value] if isinstance(value, list) else value
