"""What people ask for: chats, questions, runs; to stop, and to try again."""

from collections.abc import Sequence
from uuid import uuid4

from django.utils import timezone

from agents import events, progress, queue, roster, working
from agents.backends.base import Agent, Json
from agents.errors import ChatNotFound, NothingToRetry, RunFinished, RunLost, RunOutside
from agents.models import AgentRun, Chat, Person, new_id
from agents.progress import Report
from conversations import hosting
from conversations.errors import ConversationNotFound
from conversations.models import Conversation, Message, Project
from streaming import replay
from streaming.publish import erase, publish, transactional

RETRIABLE = (AgentRun.Status.FAILED, AgentRun.Status.CANCELLED)
TITLE_LENGTH = 80


def person_named(project: Project, user_id: str) -> Person:
    """Made when it is first heard of."""
    person, is_new = Person.objects.get_or_create(project=project, user_id=user_id)
    if not is_new:
        _note_activity(person)
    return person


def _note_activity(person: Person) -> None:
    person.last_active = timezone.now()
    person.save(update_fields=["last_active"])


@transactional
def open_chat(person: Person, *, title: str, agent_id: str, metadata: Json | None = None) -> Chat:
    """Raises AgentNotFound."""
    roster.agent_named(agent_id)
    conversation = hosting.open_chat(
        person.project, public_id=str(uuid4()), name=title, metadata=metadata
    )
    _note_activity(person)
    return Chat.objects.create(conversation=conversation, person=person, agent_id=agent_id)


def title_of(question: str) -> str:
    """The beginning of a question, for the chat that it opens; empty where it says nothing."""
    return " ".join(question.split())[:TITLE_LENGTH]


@transactional
def ask(
    chat: Chat, *, content: str, metadata: Json | None = None, agent_id: str | None = None
) -> AgentRun:
    """Store a question and have it answered, after those that were asked before it.

    Raises AgentNotFound, and ChatNotFound where it was deleted meanwhile.
    """
    agent = roster.agent_named(agent_id or chat.agent_id)
    conversation = _locked_conversation(chat)
    person = chat.person
    question = hosting.add_question(
        conversation,
        public_id=new_id(),
        asker=hosting.Speaker(
            agent_id=person.user_id, agent_type="user", agent_name=person.name or person.user_id
        ),
        content=content,
        metadata=metadata or {},
    )
    answer = hosting.add_answer(
        conversation,
        public_id=new_id(),
        answerer=hosting.Speaker(
            agent_id=agent.id, agent_type="agent", agent_name=agent.name, model=agent.model
        ),
    )
    _note_activity(person)
    return _queue(
        conversation.project,
        agent,
        prompt=content,
        metadata=metadata or {},
        conversation=conversation,
        question=question,
        answer=answer,
    )


@transactional
def start_run(
    project: Project,
    *,
    agent_id: str,
    prompt: str,
    metadata: Json | None = None,
    then: str = "",
) -> AgentRun:
    """Have an agent work without a chat, and a task queued with its end. Raises AgentNotFound."""
    agent = roster.agent_named(agent_id)
    return _queue(project, agent, prompt=prompt, metadata=metadata or {}, then=then)


@transactional
def cancel_run(run: AgentRun) -> AgentRun:
    """End it here and now, with what it has said so far; its worker then stops the model.

    Raises RunFinished, and RunOutside where it is carried out elsewhere.
    """
    if run.outside_id:
        raise RunOutside
    try:
        locked = working.lock_run(run.pk)
    except RunLost as error:
        raise RunFinished from error
    if locked.is_finished:
        raise RunFinished
    if locked.started_at is None:
        publish(events.start(locked), locked.topic)
        locked.told += 1
    standing = working.standing_of(locked)
    working.end_run(locked, status=AgentRun.Status.CANCELLED, standing=standing)
    queue.stop(locked)
    return locked


def hold_runs(run_ids: Sequence[int]) -> None:
    """Inside a transaction that then ends them one by one: runs are locked before progress is."""
    runs = AgentRun.objects.filter(pk__in=run_ids).order_by("pk")
    list(runs.select_for_update(no_key=True).values_list("pk"))


@transactional
def retry(chat: Chat, question: Message) -> AgentRun:
    """Answer once more what failed or was cancelled. Raises NothingToRetry, AgentNotFound."""
    conversation = _locked_conversation(chat)
    last = AgentRun.objects.filter(question=question).order_by("-pk").first()
    if last is None or last.status not in RETRIABLE or last.answer is None:
        raise NothingToRetry
    answer = last.answer
    answer.status = "pending"
    answer.save(update_fields=["status"])
    run = _queue(
        conversation.project,
        roster.agent_named(last.agent_id),
        prompt=last.prompt,
        metadata=last.metadata,
        conversation=conversation,
        question=question,
        answer=answer,
    )
    # The stream goes on behind what the last attempt has told, which no longer counts.
    run.first_seq = replay.last_number(run.topic) + 1
    run.told = 1
    run.save(update_fields=["first_seq", "told"])
    publish(events.reset("Trying again"), run.topic)
    return run


@transactional
def resume_run(run: AgentRun) -> AgentRun:
    """Once more, as a run of its own, what failed or was cancelled.

    Raises NothingToRetry, and RunOutside where it was carried out elsewhere.
    """
    if run.outside_id:
        raise RunOutside
    if run.status not in RETRIABLE:
        raise NothingToRetry
    if run.question is not None and run.conversation is not None:
        return retry(run.conversation.chat, run.question)
    return start_run(run.project, agent_id=run.agent_id, prompt=run.prompt, metadata=run.metadata)


@transactional
def delete_runs(conversation: Conversation) -> int:
    """With the conversation, whose row is held: what was asked here, also what is still going on.

    Says how many runs went.
    """
    runs = AgentRun.objects.filter(conversation=conversation)
    locked = list(runs.select_for_update(no_key=True).order_by("pk"))
    for run in locked:
        if not run.is_finished:
            queue.stop(run)
            _tell_cancelled(run)
    for topic, is_going_on in _topics_of(locked).items():
        erase(topic)
        if is_going_on:
            publish(events.gone(), topic)
    runs.delete()
    Chat.objects.filter(conversation=conversation).delete()
    return len(locked)


def _tell_cancelled(run: AgentRun) -> None:
    """To those who follow the project: of the conversation, nothing is left."""
    (standing,) = progress.take(
        [
            Report(
                project_id=run.project_id,
                agent_id=run.agent_id,
                run=run,
                status=AgentRun.Status.CANCELLED,
            )
        ]
    )
    for event in standing.events:
        publish(event, run.project.topic)


def _topics_of(runs: Sequence[AgentRun]) -> dict[str, bool]:
    """And whether the latest attempt still goes on there."""
    return {run.topic: not run.is_finished for run in runs}


def _queue(
    project: Project,
    agent: Agent,
    *,
    prompt: str,
    metadata: Json,
    conversation: Conversation | None = None,
    question: Message | None = None,
    answer: Message | None = None,
    then: str = "",
) -> AgentRun:
    run = AgentRun.objects.create(
        project=project,
        conversation=conversation,
        question=question,
        answer=answer,
        agent_id=agent.id,
        agent_name=agent.name,
        model=agent.model,
        prompt=prompt,
        metadata=metadata,
        then=then,
    )
    queue.put_in_line(run)
    publish(events.run_event(run, "created"), *working.topics_of(run))
    return run


def _locked_conversation(chat: Chat) -> Conversation:
    try:
        return hosting.lock(chat.conversation_id)
    except ConversationNotFound as error:
        raise ChatNotFound from error
