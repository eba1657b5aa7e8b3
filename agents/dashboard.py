"""The dashboard of a project: what goes on, what it has come to, and whether all is connected."""

from typing import Any

from django.db.models import QuerySet
from django.utils import dateformat, timezone
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.access import runs_for
from agents.models import AgentRun
from conversations import metrics
from conversations.access import Caller, caller_of, project_for, projects_of
from conversations.models import Conversation, IngestJob, Project
from conversations.pages.feed import rows_of
from streaming import replay

EVENTS_SHOWN = 50
# Of each kind of thing that goes on. The elements of the page show as many.
MOST_SHOWN = 6
MOST_NAMES = 8
MOST_SLOTS = 100
DEFAULT_REACH = "7d"
DEFAULT_SHARES = "agent"
SHARES = {"agent": "By agent", "model": "By model"}
REACHES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "all": "All time"}

WRITTEN: dict[metrics.Unit, str] = {"hour": "j M Y, H:i", "day": "j M Y"}

Json = dict[str, Any]
Named = tuple[str, metrics.Figures]


@extend_schema(exclude=True)
class DashboardPage(APIView):
    scope = "read"
    is_page = True
    renderer_classes = (TemplateHTMLRenderer,)

    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        project = project_for(caller, request.query_params.get("project"))
        reach = request.query_params.get("range", DEFAULT_REACH)
        if reach not in metrics.RANGES:
            reach = DEFAULT_REACH
        by = request.query_params.get("by", DEFAULT_SHARES)
        # Read first: what comes while the rest is read is told again, and nothing is missed.
        newest = replay.newest(project.topic, limit=EVENTS_SHOWN)
        shown: Json = {
            "project": project,
            "projects": projects_of(caller).order_by("slug"),
            "rows": rows_of(project, newest.frames),
            "since": newest.last_id,
            "is_empty": not newest.frames and not project.conversations.exists(),
            "reach": reach,
            "reaches": REACHES,
            "by": by if by in SHARES else DEFAULT_SHARES,
            "shares": SHARES,
            **_figures(project, reach),
            "most_shown": MOST_SHOWN,
            "conversations": _active(project),
            "runs": _at_work(caller, project),
            "jobs": _imports(project),
        }
        return Response(shown, template_name="agents/dashboard.html")


def _figures(project: Project, reach: str) -> Json:
    found = metrics.summary(project, reach=reach, now=timezone.now())
    return {
        "totals": found.totals,
        "active": found.active_now,
        "unit": found.unit,
        "slots": _latest(found),
        "agents": _largest(found.by_agent_type),
        "models": _largest(found.by_model),
    }


def _latest(found: metrics.Summary) -> list[Named]:
    """The hours or days in which something was said, newest first."""
    said = [(slot, part) for slot, part in found.by_slot.items() if part.messages]
    latest = said[::-1][:MOST_SLOTS]
    return [(dateformat.format(slot, WRITTEN[found.unit]), part) for slot, part in latest]


def _largest(named: dict[str, metrics.Figures]) -> list[Named]:
    return list(named.items())[:MOST_NAMES]


def _active(project: Project) -> QuerySet[Conversation]:
    active = project.conversations.filter(status=Conversation.Status.ACTIVE)
    return active.order_by("-started_at", "-id").prefetch_related("participants")[:MOST_SHOWN]


def _at_work(caller: Caller, project: Project) -> list[AgentRun]:
    """Runs that have not ended, and behind them the newest that have."""
    # Questions, answers and outputs are as long as they like, and not shown here.
    runs = runs_for(caller, project).select_related(None).select_related("conversation")
    runs = runs.defer("output", "metadata").order_by("-created_at", "-id")
    going = list(runs.filter(status__in=AgentRun.UNFINISHED)[:MOST_SHOWN])
    ended = runs.exclude(status__in=AgentRun.UNFINISHED)[: MOST_SHOWN - len(going)]
    return [*going, *ended]


def _imports(project: Project) -> QuerySet[IngestJob]:
    return project.ingest_jobs.defer("errors").order_by("-id")[:MOST_SHOWN]
