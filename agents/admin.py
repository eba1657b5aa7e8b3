"""What agents did, for those who run the server: to look at, never to touch."""

from django.contrib import admin

from agents.models import AgentRun, AgentStep, Chat, Person
from streaming.admin import ReadOnly


class StepsInline(admin.TabularInline[AgentStep, AgentRun]):
    model = AgentStep
    fields = ("name", "status", "args_summary", "result_summary", "duration_ms", "times_begun")
    extra = 0


@admin.register(AgentRun)
class AgentRunAdmin(ReadOnly):
    list_display = (
        "public_id",
        "agent_id",
        "project",
        "status",
        "tool_calls",
        "input_tokens",
        "output_tokens",
        "cost",
        "created_at",
    )
    list_filter = ("status", "agent_id", "project")
    list_select_related = ("project",)
    search_fields = ("public_id", "prompt")
    date_hierarchy = "created_at"
    inlines = (StepsInline,)


@admin.register(Chat)
class ChatAdmin(ReadOnly):
    list_display = ("conversation", "person", "agent_id")
    list_select_related = ("conversation", "person")
    search_fields = ("conversation__name", "conversation__public_id", "person__user_id")


@admin.register(Person)
class PersonAdmin(ReadOnly):
    list_display = ("user_id", "name", "project", "last_active")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("user_id", "name", "email")
