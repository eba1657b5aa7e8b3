"""A question is found among however many there are."""

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agents import access
from agents.models import AgentRun, new_id
from conversations.access import Caller
from conversations.models import Conversation, Message, Project

MANY = 3_000


@pytest.fixture
def run(project: Project) -> AgentRun:
    """One of many."""
    conversation = Conversation.objects.create(
        project=project, public_id="many", mode="chat", started_at=timezone.now()
    )
    messages = Message.objects.bulk_create(
        Message(
            project=project,
            conversation=conversation,
            public_id=new_id(),
            timestamp=timezone.now(),
            sequence_number=number,
        )
        for number in range(2 * MANY)
    )
    runs = AgentRun.objects.bulk_create(
        AgentRun(project=project, conversation=conversation, question=question, answer=answer)
        for question, answer in zip(messages[::2], messages[1::2], strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agents_agentrun, conversations_message")
    return runs[MANY // 2]


def test_nothing_else_is_read(run: AgentRun, project: Project) -> None:
    assert run.question
    assert run.answer
    caller = Caller(own_project=project)
    for message in (run.question, run.answer):
        with transaction.atomic():
            assert access.question_for(caller, message.public_id) == run.question
            assert _rows_read() < 100


def _rows_read() -> int:
    """By this transaction, of all runs and messages there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('agents_agentrun', 'conversations_message')"
        )
        return int(cursor.fetchone()[0])
