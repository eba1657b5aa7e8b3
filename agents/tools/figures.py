"""Counting the record: how much was said, by whom, and for how much."""

from django.db.models import Count, QuerySet, Sum

from agents.backends.base import Json
from agents.tools.searching import Wanted, is_of, recorded, shown
from conversations.models import Conversation, Message, Project

MOST_AGENTS = 30
# Names are looked for in so many of the newest conversations.
LOOKED_AT = 500


def figures(project: Project, wanted: Wanted) -> Json:
    """Conversations by when they began, what they come to, and what each agent had in it."""
    within = recorded(project, wanted)
    sums = within.order_by().aggregate(
        conversations=Count("pk"),
        messages=Sum("total_messages"),
        tokens=Sum("total_tokens"),
        cost=Sum("total_cost"),
    )
    statuses = within.order_by().values_list("status").annotate(Count("pk"))
    newest = within.first()
    return {
        "conversations": sums["conversations"],
        "messages": int(sums["messages"] or 0),
        "tokens": int(sums["tokens"] or 0),
        "cost": float(sums["cost"] or 0),
        "statuses": dict(sorted(statuses)),
        "agents": _agents(within, wanted),
        "agents_of": f"the newest {LOOKED_AT}" if sums["conversations"] > LOOKED_AT else "all",
        "newest": shown(newest, []) if newest else None,
    }


def _agents(within: QuerySet[Conversation], wanted: Wanted) -> list[Json]:
    """What each said there, the busiest first; of the newest conversations."""
    newest = list(within.values_list("pk", flat=True)[:LOOKED_AT])
    said = Message.objects.filter(conversation__in=newest).exclude(agent_name="", agent_type="")
    if wanted.agent:
        said = said.filter(is_of(wanted.agent))
    rows = (
        said.order_by()
        .values("agent_name", "agent_type")
        .annotate(
            conversations=Count("conversation", distinct=True),
            messages=Count("pk"),
            tokens=Sum("total_tokens"),
            money=Sum("cost"),
        )
        .order_by("-messages", "agent_name", "agent_type")[:MOST_AGENTS]
    )
    return [
        {
            "name": row["agent_name"] or row["agent_type"],
            "type": row["agent_type"],
            "conversations": row["conversations"],
            "messages": row["messages"],
            "tokens": int(row["tokens"] or 0),
            "cost": float(row["money"] or 0),
        }
        for row in rows
    ]
