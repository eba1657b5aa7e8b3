"""Whose chats, questions and runs these are. Whatever one may not see does not exist."""

from django.db.models import Q, QuerySet

from agents.errors import ChatNotFound, MessageNotFound, PersonNotFound, RunNotFound
from agents.models import AgentRun, Chat
from conversations.access import Caller, projects_of, within_token
from conversations.models import Message, Project
from streaming.errors import TopicUnknown

LONGEST_USER_ID = 200


def check_user_id(user_id: str) -> str:
    """Raises PersonNotFound for what can name nobody."""
    if "\0" in user_id or len(user_id) > LONGEST_USER_ID:
        raise PersonNotFound
    return user_id


def chat_for(caller: Caller, chat_id: str) -> Chat:
    """Raises ChatNotFound also where it exists and is not for the caller."""
    found = Chat.objects.filter(
        conversation__public_id=_askable(chat_id), conversation__project__in=projects_of(caller)
    )
    chat = found.select_related("conversation__project", "person").first()
    if chat is None:
        raise ChatNotFound
    return chat


def question_for(caller: Caller, message_id: str, *, chat: Chat | None = None) -> Message:
    """The question of this id, or that to which this is the answer. Raises MessageNotFound."""
    messages = Message.objects.filter(
        public_id=_askable(message_id), project__in=projects_of(caller)
    )
    if chat is not None:
        messages = messages.filter(conversation=chat.pk)
    # Known before runs are asked: these have an index for each of the two, and none for both.
    found = list(messages.values_list("pk", flat=True))
    runs = AgentRun.objects.filter(Q(question__in=found) | Q(answer__in=found))
    run = runs.select_related("question__conversation__project").first()
    if run is None or run.question is None:
        raise MessageNotFound
    return run.question


def run_for(caller: Caller, run_id: str, *, project: Project | None = None) -> AgentRun:
    """Raises RunNotFound also where it exists and is not for the caller."""
    runs, name = runs_for(caller, project), _askable(run_id)
    run = runs.filter(public_id=name).first()
    if run is None and name:
        run = runs.filter(outside_id=name).order_by("pk").first()
    if run is None:
        raise RunNotFound
    return run


def runs_for(caller: Caller, project: Project | None) -> QuerySet[AgentRun]:
    runs = AgentRun.objects.filter(project__in=projects_of(caller))
    if project is not None:
        runs = runs.filter(project=project)
    return runs.select_related("project", "conversation", "question", "answer")


def message_topic(caller: Caller, message_id: str) -> str:
    """The topic behind `message:ID`: the steps of the answer to it."""
    try:
        return within_token(caller, topic_of(question_for(caller, message_id)))
    except MessageNotFound as error:
        raise TopicUnknown from error


def run_topic(caller: Caller, run_id: str) -> str:
    """The topic behind `run:ID`."""
    try:
        return within_token(caller, run_for(caller, run_id).topic)
    except RunNotFound as error:
        raise TopicUnknown from error


def topic_of(question: Message) -> str:
    return AgentRun(question=question).topic


def _askable(public_id: str) -> str:
    # No id has U+0000, and PostgreSQL takes no text with it.
    return public_id if "\0" not in public_id else ""
