"""Reading the record: lists, one conversation, its messages and events, and its streams."""

from django.db.models import Q
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, conversation_for, project_for, reading_or
from conversations.api import lists
from conversations.api.lists import CURSORS, PAGING
from conversations.api.messages import IN_ORDER, beside, first_since, known_of, messages_of
from conversations.api.serializers import (
    ConversationEditSerializer,
    ConversationSerializer,
    FoundSerializer,
    MessageSerializer,
    ParticipantSerializer,
)
from conversations.events import INGEST_KINDS
from conversations.models import LONGEST_AGENT, Conversation
from conversations.search import FoundConversations
from conversations.services import delete_conversation, edit_conversation
from streaming import replay, topics
from streaming.events import Filter
from streaming.sse import sse_response

NEWEST_FIRST = ("-started_at", "-id")
RANKED = "What is found with q is ranked, and has no cursors: use page"
INGEST = Filter(kinds=INGEST_KINDS)


class ConversationsView(APIView):
    scope = "read"

    @extend_schema(
        operation_id="api_conversations_list",
        summary="Conversations, newest first; those that match a search, best first",
        parameters=[
            *PAGING,
            *CURSORS,
            OpenApiParameter("status", str, description="ACTIVE, COMPLETED, INTERRUPTED or ERROR"),
            OpenApiParameter("mode", str),
            OpenApiParameter("source", str),
            OpenApiParameter("agent", str, description="The id or type of an agent"),
            OpenApiParameter("q", str, description='Words, "phrases", beginnings* and -exclusions'),
            OpenApiParameter("project", str, description="For people with several projects"),
        ],
        responses=lists.list_of(FoundSerializer),
    )
    def get(self, request: Request) -> Response:
        wanted = {name: str(given) for name, given in request.query_params.items()}
        project = project_for(caller_of(request), wanted.get("project"))
        filters = filters_of(wanted)
        found = project.conversations.filter(filters).order_by(*NEWEST_FIRST)
        found = found.select_related("project").prefetch_related("participants")
        cursor = lists.cursor_of(request)
        if written := wanted.get("q"):
            if cursor is not None:
                raise ValidationError({cursor[0]: RANKED})
            ranked = FoundConversations(project, written, within=found, is_narrowed=bool(filters))
            return lists.numbered(self, ranked, FoundSerializer)
        if cursor is None:
            return lists.numbered(self, found, FoundSerializer)
        return lists.beside(
            request,
            found,
            FoundSerializer,
            cursor=cursor,
            order=NEWEST_FIRST,
            known=project.conversations.all(),
        )


def filters_of(wanted: dict[str, str]) -> Q:
    if any("\0" in value for value in wanted.values()):
        return Q(pk=None)
    matches = Q()
    if status := wanted.get("status"):
        matches &= Q(status=status.upper())
    for name in ("mode", "source"):
        if value := wanted.get(name):
            matches &= Q(**{name: value})
    if agent := wanted.get("agent"):
        matches &= Q(agents__contains=[agent[:LONGEST_AGENT]])
    return matches


class ConversationView(APIView):
    scope = reading_or("write")

    @extend_schema(summary="One conversation", responses=ConversationSerializer)
    def get(self, request: Request, conversation: str) -> Response:
        found = conversation_for(caller_of(request), conversation)
        return Response(ConversationSerializer(found).data)

    @extend_schema(
        summary="Change its name, notes or metadata",
        request=ConversationEditSerializer,
        responses=ConversationSerializer,
    )
    def patch(self, request: Request, conversation: str) -> Response:
        found = conversation_for(caller_of(request), conversation)
        wanted = ConversationEditSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        changed = edit_conversation(found, **wanted.validated_data)
        return Response(ConversationSerializer(changed).data)

    @extend_schema(
        summary="Delete it for good; says how many rows went",
        responses={200: OpenApiTypes.OBJECT},
    )
    def delete(self, request: Request, conversation: str) -> Response:
        found = conversation_for(caller_of(request), conversation)
        return Response({"success": True, "deleted": delete_conversation(found)})


class MessagesView(APIView):
    scope = "read"

    @extend_schema(
        summary="Messages in order, by pages or from a message on",
        parameters=[
            *PAGING,
            *CURSORS,
            OpenApiParameter("at", str, description="From the first one at that time or later on"),
        ],
        responses=lists.list_of(MessageSerializer),
    )
    def get(self, request: Request, conversation: str) -> Response:
        found = conversation_for(caller_of(request), conversation)
        cursor = lists.cursor_of(request)
        if (at := request.query_params.get("at")) is not None:
            return self._from_a_time(request, found, at)
        if cursor is None:
            messages = messages_of(found).order_by(*IN_ORDER)
            return lists.numbered(self, messages, MessageSerializer)
        return lists.beside(
            request,
            messages_of(found),
            MessageSerializer,
            cursor=cursor,
            order=IN_ORDER,
            known=known_of(found),
        )

    def _from_a_time(self, request: Request, found: Conversation, at: str) -> Response:
        first = first_since(found, at)
        if first is None:
            return lists.answer([], False, MessageSerializer)
        size = lists.page_size_of(request)
        later, has_more = beside(found, ("after", first.public_id), size=size)
        items = [first, *later][:size]
        has_more = has_more or len(later) == size
        return lists.answer(items, has_more, MessageSerializer)


class ParticipantsView(APIView):
    scope = "read"

    @extend_schema(
        summary="Who takes part",
        parameters=PAGING,
        responses=lists.list_of(ParticipantSerializer),
    )
    def get(self, request: Request, conversation: str) -> Response:
        found = conversation_for(caller_of(request), conversation)
        return lists.numbered(self, found.participants.order_by("position"), ParticipantSerializer)


class EventsView(APIView):
    scope = "read"

    @extend_schema(
        summary="What happened in a conversation, frame by frame",
        parameters=[OpenApiParameter("since", str, description="An event's id, or 0"), PAGING[1]],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, conversation: str) -> Response:
        topic = conversation_for(caller_of(request), conversation).topic
        cursor = request.query_params.get("since")
        stretch = replay.since(topic, cursor, limit=lists.page_size_of(request))
        return Response({"items": stretch.frames, "has_more": stretch.has_more})


class RealtimeStreamView(APIView):
    """The ingest family, of a project or of one conversation, for a browser's `onmessage`."""

    scope = "read"
    takes_token = True
    throttle_scope = "streams"
    # A HEAD would follow the stream and show nobody.
    http_method_names = ("get", "options")

    @extend_schema(
        summary="Follow what is recorded (SSE)",
        parameters=[
            OpenApiParameter("conversationId", str),
            OpenApiParameter("project", str),
            OpenApiParameter("since", str, description="An event's id, or 0"),
            OpenApiParameter("token", str, description="A stream token"),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        conversation = request.query_params.get("conversationId")
        if conversation:
            stream = f"conversation:{conversation}"
        else:
            project = project_for(caller_of(request), request.query_params.get("project"))
            stream = f"project:{project.slug}"
        topic = topics.resolve(caller_of(request), stream)
        return sse_response(request._request, topic=topic, only=INGEST)
