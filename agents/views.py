"""The doors of chats: who asks, in which chat, what was answered, and the answer as it comes."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from agents import roster, services, wire
from agents.access import chat_for, check_user_id, question_for, topic_of
from agents.models import AgentRun, Chat, Person
from agents.serializers import (
    AgentsSerializer,
    AskedSerializer,
    CancelledSerializer,
    ChatEditSerializer,
    ChatMessageSerializer,
    ChatSerializer,
    NewChatSerializer,
    PersonSerializer,
    QuestionSerializer,
    StepSerializer,
)
from conversations.access import caller_of, counted, project_for, reading_or, within_token
from conversations.api import lists
from conversations.api.lists import CURSORS, PAGING
from conversations.models import Message
from conversations.services import delete_conversation, edit_conversation
from conversations.tokens import make_token
from streaming import replay
from streaming.sse import sse_response

IN_ORDER = ("sequence_number", "timestamp", "id")
MOST_EVENTS = 10_000


def checked(serializer: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    found: dict[str, Any] = given.validated_data
    return found


def _person(request: Request, user_id: str) -> Person:
    project = project_for(caller_of(request), request.query_params.get("project"))
    return services.person_named(project, check_user_id(user_id))


class AgentsView(APIView):
    scope = "read"

    @extend_schema(summary="Whom one can ask", responses=AgentsSerializer)
    def get(self, request: Request) -> Response:
        return Response(AgentsSerializer({"items": roster.agents()}).data)


class UserView(APIView):
    scope = "read"

    @extend_schema(summary="A user; made on first sight", responses=PersonSerializer)
    def get(self, request: Request, user_id: str) -> Response:
        return Response(PersonSerializer(_person(request, user_id)).data)


class UserChatsView(APIView):
    scope = reading_or("write")

    @extend_schema(
        summary="A user's chats, newest first",
        parameters=PAGING,
        responses=lists.list_of(ChatSerializer),
    )
    def get(self, request: Request, user_id: str) -> Response:
        chats = Chat.objects.filter(person=_person(request, user_id))
        newest_first = chats.select_related("conversation", "person").order_by(
            "-conversation__started_at", "-conversation_id"
        )
        return lists.numbered(self, newest_first, ChatSerializer)

    @extend_schema(
        summary="Open a chat", request=NewChatSerializer, responses={201: ChatSerializer}
    )
    def post(self, request: Request, user_id: str) -> Response:
        given = checked(NewChatSerializer, request)
        chat = services.open_chat(_person(request, user_id), **given)
        return Response(ChatSerializer(chat).data, status=201)


class ChatView(APIView):
    scope = reading_or("write")

    @extend_schema(summary="One chat", responses=ChatSerializer)
    def get(self, request: Request, chat_id: str) -> Response:
        return Response(ChatSerializer(chat_for(caller_of(request), chat_id)).data)

    @extend_schema(summary="Rename it", request=ChatEditSerializer, responses=ChatSerializer)
    def patch(self, request: Request, chat_id: str) -> Response:
        chat = chat_for(caller_of(request), chat_id)
        title = checked(ChatEditSerializer, request)["title"]
        chat.conversation = edit_conversation(chat.conversation, name=title)
        return Response(ChatSerializer(chat).data)

    @extend_schema(
        summary="Delete it for good, with all that was asked and answered",
        responses={200: OpenApiTypes.OBJECT},
    )
    def delete(self, request: Request, chat_id: str) -> Response:
        chat = chat_for(caller_of(request), chat_id)
        return Response({"success": True, "deleted": delete_conversation(chat.conversation)})


class ChatMessagesView(APIView):
    scope = reading_or("run")
    throttle_scope = counted("messages", on="POST")

    @extend_schema(
        summary="What was asked and answered, in order, by pages or from a message on",
        parameters=[*PAGING, *CURSORS],
        responses=lists.list_of(ChatMessageSerializer),
    )
    def get(self, request: Request, chat_id: str) -> Response:
        chat = chat_for(caller_of(request), chat_id)
        messages = _shown(chat.conversation.messages.all())
        cursor = lists.cursor_of(request)
        if cursor is None:
            return lists.numbered(self, messages.order_by(*IN_ORDER), ChatMessageSerializer)
        return lists.beside(
            request,
            messages,
            ChatMessageSerializer,
            cursor=cursor,
            order=IN_ORDER,
            known=chat.conversation.messages.all(),
        )

    @extend_schema(
        summary="Ask: the answer begins at once, whether or not anybody watches",
        request=QuestionSerializer,
        responses={201: AskedSerializer},
    )
    def post(self, request: Request, chat_id: str) -> Response:
        chat = chat_for(caller_of(request), chat_id)
        run = services.ask(chat, **checked(QuestionSerializer, request))
        return Response(_asked(request, run), status=201)


def _shown(messages: Any) -> Any:
    last_run = AgentRun.objects.filter(answer=OuterRef("pk")).order_by("-pk")
    return messages.select_related("conversation").annotate(
        failure=Subquery(last_run.values("error")[:1])
    )


def _asked(request: Request, run: AgentRun) -> dict[str, str]:
    assert run.conversation
    assert run.question
    assert run.answer
    message_id = run.question.public_id
    token = make_token(caller_of(request), f"message:{message_id}")
    path = f"/api/chats/{run.conversation.public_id}/messages/{message_id}/stream"
    return {
        "message_id": message_id,
        "answer_id": run.answer.public_id,
        "stream_url": f"{path}?token={token}",
    }


class MessageStreamView(APIView):
    """The steps of an answer, from their beginning, for as long as it goes on."""

    scope = "read"
    takes_token = True
    throttle_scope = "streams"
    # A HEAD would follow the stream and show nobody.
    http_method_names = ("get", "options")

    @extend_schema(
        summary="Follow an answer (SSE)",
        parameters=[
            OpenApiParameter("since", str, description="An event's id, or 0"),
            OpenApiParameter("unnamed", bool, description="1: frames for `onmessage`"),
            OpenApiParameter("token", str, description="A stream token"),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def get(self, request: Request, chat_id: str, message_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        question = question_for(caller, message_id, chat=chat_for(caller, chat_id))
        is_unnamed = request.query_params.get("unnamed") == "1"
        return sse_response(
            request._request,
            topic=within_token(caller, topic_of(question)),
            render=wire.unnamed_step if is_unnamed else wire.named_step,
            begin=_beginning(question),
            is_greeted=False,
        )


def _beginning(question: Message) -> int:
    """Behind which number the latest attempt starts; that of a retry begins with a reset."""
    latest = AgentRun.objects.filter(question=question).order_by("-pk")
    first = latest.values_list("first_seq", flat=True).first() or 1
    return first if first > 1 else 0


class MessageCancelView(APIView):
    scope = "run"

    @extend_schema(
        summary="Stop an answer; what it has said stays",
        request=None,
        responses=CancelledSerializer,
    )
    def post(self, request: Request, chat_id: str, message_id: str) -> Response:
        caller = caller_of(request)
        question = question_for(caller, message_id, chat=chat_for(caller, chat_id))
        run = AgentRun.objects.filter(question=question).order_by("-pk")[0]
        services.cancel_run(run)
        return Response({"message_id": question.public_id, "status": "cancelled"})


class MessageRetryView(APIView):
    scope = "run"
    throttle_scope = "messages"

    @extend_schema(
        summary="Answer again what failed or was cancelled",
        request=None,
        responses={201: AskedSerializer},
    )
    def post(self, request: Request, chat_id: str, message_id: str) -> Response:
        caller = caller_of(request)
        chat = chat_for(caller, chat_id)
        run = services.retry(chat, question_for(caller, message_id, chat=chat))
        return Response(_asked(request, run), status=201)


class MessageEventsView(APIView):
    scope = "read"

    @extend_schema(
        summary="The steps of an answer as a list",
        parameters=[OpenApiParameter("since", str, description="An event's id, or 0")],
        responses=StepSerializer(many=True),
    )
    def get(self, request: Request, message_id: str) -> Response:
        question = question_for(caller_of(request), message_id)
        return Response(steps_since(topic_of(question), request.query_params.get("since")))


def steps_since(topic: str, cursor: str | None) -> list[dict[str, Any]]:
    told = replay.told_after(topic, cursor, limit=MOST_EVENTS)
    return [wire.step_shape(event) for event in told]
