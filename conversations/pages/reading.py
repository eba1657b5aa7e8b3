"""One conversation, to read, to follow, to play again and to put in order."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from conversations.access import caller_of, conversation_for, projects_of, reading_or
from conversations.api.serializers import ConversationEditSerializer
from conversations.events import totals_shape
from conversations.export.formats import FORMATS
from conversations.models import Conversation, Message
from conversations.pages.timeline import timeline_of
from conversations.pages.window import window_of
from conversations.services import delete_conversation, edit_conversation
from streaming import replay


@extend_schema(exclude=True)
class ConversationPage(APIView):
    """What was said, from `?message=`, `?at=`, `?after=` or `?before=` on; forms post back here."""

    is_page = True
    renderer_classes = (TemplateHTMLRenderer,)
    # Forms, and what any other door takes.
    parser_classes: Sequence[Any] = (FormParser, *api_settings.DEFAULT_PARSER_CLASSES)

    scope = reading_or("write")

    def get(self, request: Request, conversation: str) -> Response:
        caller = caller_of(request)
        found = conversation_for(caller, conversation)
        # Before the messages are read: what comes in between is told twice rather than never.
        since = replay.newest(found.topic, limit=1).last_id
        return Response(
            {
                "project": found.project,
                "projects": projects_of(caller).filter(pk=found.project_id),
                "conversation": found,
                "is_active": found.status == Conversation.Status.ACTIVE,
                "is_estimate": found.source == "cli",
                "took_ms": totals_shape(found)["totalDuration"],
                "participants": found.participants.all(),
                "since": since,
                "blank": Message(),
                "window": window_of(request, found),
                "timeline": timeline_of(found),
                "formats": FORMATS,
            },
            template_name="conversations/conversation.html",
        )

    def post(self, request: Request, conversation: str) -> HttpResponseBase:
        found = conversation_for(caller_of(request), conversation)
        if request.POST.get("do") == "delete":
            delete_conversation(found)
            there = reverse("conversations")
            return HttpResponseRedirect(f"{there}?project={found.project.slug}")
        _edit(found, request)
        return HttpResponseRedirect(reverse("conversation", args=[found.public_id]))


def _edit(found: Conversation, request: Request) -> None:
    named = {name: request.POST[name] for name in ("name", "notes") if name in request.POST}
    wanted = ConversationEditSerializer(data=named)
    wanted.is_valid(raise_exception=True)
    edit_conversation(found, **wanted.validated_data)
