"""The summary of a project: what is shown of which time, and to whom."""

from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.ingest.receive import receive
from conversations.models import Project
from tests.clients import Api, Json, said, started

SUMMARY = "/api/metrics/summary"
NONE = {
    "messages": 0,
    "inputTokens": 0,
    "outputTokens": 0,
    "totalTokens": 0,
    "cost": 0.0,
    "duration": 0,
}
FIGURES = {"tokens_used": 7, "input_tokens": 5, "output_tokens": 2, "cost": 0.1, "duration_ms": 40}
COUNTED = {
    "messages": 1,
    "inputTokens": 5,
    "outputTokens": 2,
    "totalTokens": 7,
    "cost": 0.1,
    "duration": 40,
}


def ago(**span: float) -> str:
    return (timezone.now() - timedelta(**span)).isoformat()


async def summary(api: Api, reach: str = "7d") -> Json:
    answer = await api.get(SUMMARY, params={"range": reach})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def say(api: Api, conversation: str, at: str, **data: Any) -> None:
    message = said(conversation, "One stone more", **{**FIGURES, **data})
    answer = await api.ingest("message.created", message, timestamp=at)
    assert answer.status_code == 201, answer.text


async def start(api: Api, conversation: str, at: str) -> None:
    answer = await api.ingest("conversation.started", started(conversation), timestamp=at)
    assert answer.status_code == 201


async def test_a_project_of_which_nothing_is_known_shows_zeros(api: Api) -> None:
    week = await summary(api)

    assert week["totals"] == {"conversations": 0, **NONE}
    assert week["byStatus"] == {"ACTIVE": 0, "COMPLETED": 0, "INTERRUPTED": 0, "ERROR": 0}
    assert (week["activeNow"], week["bySource"], week["byModel"]) == (0, [], [])
    assert week["agentTypesOverTime"] == week["modelsOverTime"] == []
    assert [day.pop("day") for day in week["byDay"]] == days(7)
    assert week["byDay"] == [{"conversations": 0, **NONE}] * 7
    assert (await summary(api, "all"))["byDay"] == []


def days(count: int) -> list[str]:
    today = timezone.now().date()
    return [(today - timedelta(days=back)).isoformat() for back in range(count)][::-1]


async def test_figures_are_shown_in_all_and_by_what_they_belong_to(api: Api) -> None:
    await start(api, "s-1", ago(minutes=9))
    await say(api, "s-1", ago(minutes=8), agent_type="claude", model="opus")
    await say(api, "s-1", ago(minutes=8), agent_type="claude", model="opus")
    await say(api, "s-1", ago(minutes=7), agent_type="gemini", cost=0.2)

    found = await summary(api, "30d")

    twice = {name: 2 * value for name, value in COUNTED.items()}
    total = {**{name: 3 * value for name, value in COUNTED.items()}, "cost": 0.4}
    assert found["range"] == "30d"
    assert found["totals"] == {"conversations": 1, **total}
    assert found["bySource"] == [{"source": "cli", "conversations": 1, **total}]
    assert found["byAgentType"] == [
        {"agentType": "claude", **twice},
        {"agentType": "gemini", **COUNTED, "cost": 0.2},
    ]
    assert found["byModel"] == [
        {"model": "opus", **twice},
        {"model": None, **COUNTED, "cost": 0.2},
    ]
    assert summed(found["byDay"], "messages", "conversations") == [3, 1]


async def test_it_shows_over_time_whose_the_tokens_and_the_cost_are(api: Api) -> None:
    await say(api, "s-1", ago(days=2), agent_type="claude", model="opus")
    await say(api, "s-1", ago(days=0), agent_type="claude", model="haiku", cost=0.5)
    await say(api, "s-1", ago(days=0), agent_type="gemini", tokens_used=3)
    await say(api, "s-2", ago(days=8), agent_type="claude", model="opus")

    found = await summary(api, "7d")

    rest = [0, 0, 0, 0]
    assert found["agentTypesOverTime"] == [
        {"agentType": "claude", "totalTokens": [*rest, 7, 0, 7], "cost": [*rest, 0.1, 0, 0.5]},
        {"agentType": "gemini", "totalTokens": [*rest, 0, 0, 3], "cost": [*rest, 0, 0, 0.1]},
    ]
    assert found["modelsOverTime"] == [
        {"model": "haiku", "totalTokens": [*rest, 0, 0, 7], "cost": [*rest, 0, 0, 0.5]},
        {"model": "opus", "totalTokens": [*rest, 7, 0, 0], "cost": [*rest, 0.1, 0, 0]},
        {"model": None, "totalTokens": [*rest, 0, 0, 3], "cost": [*rest, 0, 0, 0.1]},
    ]


async def test_over_time_only_those_used_most_are_told_apart(api: Api) -> None:
    for number in range(8):
        await say(api, "s-1", ago(), agent_type=f"agent-{number}", tokens_used=number)

    shown = (await summary(api))["agentTypesOverTime"]

    assert [share["agentType"] for share in shown] == [f"agent-{n}" for n in (7, 6, 5, 4, 3, 2)]


def summed(series: list[Json], *names: str) -> list[float]:
    return [sum(part[name] for part in series) for name in names]


async def test_each_range_has_its_days_and_what_is_older_is_left_out(api: Api) -> None:
    for age in (0, 2, 8, 40):
        await start(api, f"s-{age}", ago(days=age))
        await say(api, f"s-{age}", ago(days=age))

    found = {reach: await summary(api, reach) for reach in ("24h", "7d", "30d", "all")}

    counted = {
        reach: (one["totals"]["conversations"], one["totals"]["messages"])
        for reach, one in found.items()
    }
    assert counted == {"24h": (1, 1), "7d": (2, 2), "30d": (3, 3), "all": (4, 4)}
    for reach, length in (("7d", 7), ("30d", 30), ("all", 41)):
        assert [day["day"] for day in found[reach]["byDay"]] == days(length)
        assert tuple(summed(found[reach]["byDay"], "conversations", "messages")) == counted[reach]
    assert "byDay" not in found["24h"]
    hours = [datetime.fromisoformat(hour["hour"]) for hour in found["24h"]["byHour"]]
    this = timezone.now().replace(minute=0, second=0, microsecond=0)
    assert hours == [this - timedelta(hours=back) for back in range(24)][::-1]
    assert found["24h"]["byHour"][-1] | COUNTED == found["24h"]["byHour"][-1]


async def test_conversations_are_told_apart_by_how_they_stand(api: Api) -> None:
    for name in ("s-1", "s-2", "s-3"):
        await start(api, name, ago(minutes=1))
    await start(api, "s-old", ago(days=90))
    ends = {"s-1": "completed", "s-2": "interrupted"}
    for name, status in ends.items():
        await api.ingest("conversation.completed", {"conversation_id": name, "status": status})

    found = await summary(api)

    assert found["byStatus"] == {"ACTIVE": 1, "COMPLETED": 1, "INTERRUPTED": 1, "ERROR": 0}
    assert found["activeNow"] == 2
    assert found["totals"]["conversations"] == 3


async def test_costs_are_added_without_the_noise_of_floats(api: Api) -> None:
    for cost in (0.1, 0.2, 0.000000000001):
        await say(api, "s-1", ago(minutes=1), cost=cost)

    assert (await summary(api))["totals"]["cost"] == 0.300000000001


async def test_a_message_of_another_age_fills_no_list_with_empty_days(api: Api) -> None:
    for at in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        await say(api, "s-1", at)

    found = await summary(api, "all")

    assert [day["day"] for day in found["byDay"]] == ["0001-01-01", "1970-01-01", "9999-12-31"]
    assert found["totals"]["messages"] == 3


async def test_only_the_largest_of_many_names_are_listed_and_all_are_counted(
    api: Api, project: Project
) -> None:
    def send() -> None:
        events = [
            {
                "type": "message.created",
                "data": said("s-1", "x", agent_type=f"{number:03}" + "é" * 100),
            }
            for number in [*range(120), 119]
        ]
        receive(events, project=project)

    await sync_to_async(send)()

    found = await summary(api)

    assert found["totals"]["messages"] == 121
    assert len(found["byAgentType"]) == 100
    assert found["byAgentType"][0]["agentType"] == ("119" + "é" * 100)[:100]


async def test_a_range_that_is_none_is_refused(api: Api) -> None:
    for unfit in ("1h", "", "7D", "a\0"):
        answer = await api.get(SUMMARY, params={"range": unfit})
        assert (answer.status_code, answer.json()["field"]) == (400, "range")
        assert "24h, 7d, 30d, all" in answer.text
    assert (await api.post(SUMMARY, json={})).status_code == 405


async def test_one_project_knows_nothing_of_another(
    api: Api, alice: User, charlie: User, project: Project
) -> None:
    await say(api, "s-1", ago(minutes=1))

    def ask() -> list[tuple[int, int | None]]:
        other = Project.objects.create(slug="bridge")
        other.members.add(charlie)
        other.members.add(alice)
        heard = []
        asked = [(alice, "tower"), (alice, "bridge"), (charlie, "bridge"), (charlie, "tower")]
        for user, name in asked:
            client = Client()
            client.force_login(user)
            answer = client.get(SUMMARY, {"project": name})
            totals = answer.json().get("totals", {})
            heard.append((answer.status_code, totals.get("messages")))
        return heard

    assert await sync_to_async(ask)() == [(200, 1), (200, 0), (200, 0), (404, None)]


def test_a_summary_costs_the_same_queries_at_any_size(project: Project, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    costs = []
    for number in range(2):
        for line in range(10 * number + 1):
            at = ago(hours=line)
            event = {"type": "message.created", "data": said(f"s-{number}", "x"), "timestamp": at}
            receive([event], project=project)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(SUMMARY, {"range": "all"}).status_code == 200
        costs.append(len(queries))

    assert costs[0] == costs[1]
