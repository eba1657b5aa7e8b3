"""Pages of chats: a person's chats, and one of them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents import exchanges, roster, services
from agents.access import chat_for, question_for
from agents.errors import NothingToRetry, RunFinished
from agents.models import AgentRun, Chat
from agents.serializers import ChatEditSerializer, QuestionSerializer
from conversations.access import Caller, caller_of, counted, project_for, projects_of, reading_or
from conversations.models import Project
from conversations.pages.doors import FormPage
from conversations.services import delete_conversation, edit_conversation
from streaming import replay
from streaming.events import id_without_event

# Who asks where nobody has to say who they are.
NAMELESS = "local"
CHATS_A_PAGE = 50
EXCHANGES_A_PAGE = 30
MOST_DIGITS = 18

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    chat: Chat
    # By name, if it can still be asked.
    agent: str


class ChatDoor(FormPage):
    scope = reading_or("run")
    throttle_scope = counted("messages", on="POST")


@extend_schema(exclude=True)
class ChatsPage(ChatDoor):
    """The chats of whoever looks, and a question that begins another."""

    def get(self, request: Request) -> Response:
        return self.shown(request)

    def post(self, request: Request) -> HttpResponseBase:
        project = _project(request)
        asked = Question(request)
        if asked.complaint:
            return self.shown(request, asked=asked)
        person = services.person_named(project, _name_of(caller_of(request)))
        title = services.title_of(asked.content)
        chat = services.open_chat(person, title=title, agent_id=asked.agent_id or "default")
        services.ask(chat, content=asked.content)
        return _to(chat)

    def shown(self, request: Request, *, asked: "Question | None" = None) -> Response:
        project = _project(request)
        page = max(_number(request, "page") or 1, 1)
        chats = _chats(project, request)[(page - 1) * CHATS_A_PAGE : page * CHATS_A_PAGE + 1]
        agents = roster.agents()
        names = {agent.id: agent.name for agent in agents}
        rows = [Row(chat=chat, agent=names.get(chat.agent_id, chat.agent_id)) for chat in chats]
        shown: Json = {
            "project": project,
            "projects": projects_of(caller_of(request)).order_by("slug"),
            "since": id_without_event(replay.last_number(project.topic)),
            "rows": rows[:CHATS_A_PAGE],
            "agents": agents,
            "asked": asked,
            "newer": page - 1,
            "older": page + 1 if len(rows) > CHATS_A_PAGE else None,
        }
        return Response(shown, template_name="agents/chats.html")


@extend_schema(exclude=True)
class ChatPage(ChatDoor):
    """A chat, from its latest questions on, or those before one of them."""

    def get(self, request: Request, chat_id: str) -> Response:
        return self.shown(request, chat_for(caller_of(request), chat_id))

    def post(self, request: Request, chat_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        chat = chat_for(caller, chat_id)
        given = request.data if isinstance(request.data, dict) else {}
        if "stop" in given:
            _stop(caller, chat, str(given["stop"]))
        elif "retry" in given:
            _retry(caller, chat, str(given["retry"]))
        else:
            asked = Question(request)
            if asked.complaint:
                return self.shown(request, chat, asked=asked)
            services.ask(chat, content=asked.content)
        return _to(chat)

    def shown(self, request: Request, chat: Chat, *, status: int = 200, **shown: Any) -> Response:
        before = _number(request, "before")
        conversation = chat.conversation
        # Before what it tells is read: so what comes in between is told again and not missed.
        since = id_without_event(replay.last_number(conversation.topic))
        part = exchanges.part_of(conversation, before=before, size=EXCHANGES_A_PAGE)
        context: Json = {
            "project": conversation.project,
            "chat": chat,
            "conversation": conversation,
            "since": since,
            "exchanges": part.exchanges,
            "earlier": part.earlier,
            "is_newest": before is None,
            "agent": next((one for one in roster.agents() if one.id == chat.agent_id), None),
            **shown,
        }
        return Response(context, status=status, template_name="agents/chat.html")


@extend_schema(exclude=True)
class ChatEditPage(ChatPage):
    """Its name, or its end. Asked for, it is the chat: as one comes back after signing in."""

    scope = reading_or("write")

    def post(self, request: Request, chat_id: str) -> HttpResponseBase:
        chat = chat_for(caller_of(request), chat_id)
        given = request.data if isinstance(request.data, dict) else {}
        if given.get("do") == "delete":
            delete_conversation(chat.conversation)
            return redirect(f"{reverse('chat')}?project={chat.conversation.project.slug}")
        wanted = ChatEditSerializer(data={"title": given.get("title", "")})
        if not wanted.is_valid():
            complaint, title = f"{wanted.errors['title'][0]}", given.get("title")
            return self.shown(request, chat, status=400, complaint=complaint, title=title)
        edit_conversation(chat.conversation, name=wanted.validated_data["title"])
        return _to(chat)


class Question:
    """The question of a form, and what is wrong with it."""

    def __init__(self, request: Request) -> None:
        given = QuestionSerializer(data=request.data)
        self.content = self.agent_id = self.complaint = ""
        if not given.is_valid():
            self.content = str(given.data.get("content") or "")
            first = next(iter(given.errors.values()))
            self.complaint = f"{first[0]}"
        else:
            # Browsers end the lines of a form as it was done in 1970.
            self.content = given.validated_data["content"].replace("\r\n", "\n")
            self.agent_id = given.validated_data.get("agent_id", "")
        if not self.content.strip():
            self.complaint = "Write a question first"


def _project(request: Request) -> Project:
    return project_for(caller_of(request), request.query_params.get("project"))


def _name_of(caller: Caller) -> str:
    return caller.user.get_username() or NAMELESS


def _chats(project: Project, request: Request) -> QuerySet[Chat]:
    own = Chat.objects.filter(person__project=project, person__user_id=_name_of(caller_of(request)))
    unfinished = AgentRun.objects.filter(
        conversation=OuterRef("conversation_id"), status__in=AgentRun.UNFINISHED
    )
    last_used_first = own.order_by("-conversation__updated_at", "-conversation_id")
    return last_used_first.select_related("conversation").annotate(is_answering=Exists(unfinished))


def _stop(caller: Caller, chat: Chat, message_id: str) -> None:
    question = question_for(caller, message_id, chat=chat)
    run = AgentRun.objects.filter(question=question).order_by("-pk")[0]
    try:
        services.cancel_run(run)
    except RunFinished:
        return  # it came to its end first, which the page then shows


def _retry(caller: Caller, chat: Chat, message_id: str) -> None:
    try:
        services.retry(chat, question_for(caller, message_id, chat=chat))
    except NothingToRetry:
        return  # somebody else has done it, which the page then shows


def _to(chat: Chat) -> HttpResponseBase:
    address = reverse("chat-page", kwargs={"chat_id": chat.conversation.public_id})
    return redirect(f"{address}#newest")


def _number(request: Request, name: str) -> int | None:
    """Of the address; what is no number counts as none."""
    given = request.query_params.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < MOST_DIGITS else None
