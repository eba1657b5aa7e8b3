"""Pages of the record."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.access import caller_of, project_for, projects_of


@extend_schema(exclude=True)
class FeedPage(APIView):
    """What happens in a project, as it happens."""

    scope = "read"
    is_page = True
    renderer_classes = (TemplateHTMLRenderer,)

    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        shown: dict[str, Any] = {
            "project": project_for(caller, request.query_params.get("project")),
            "projects": projects_of(caller).order_by("slug"),
        }
        return Response(shown, template_name="conversations/feed.html")
