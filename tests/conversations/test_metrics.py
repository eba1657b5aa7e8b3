"""The figures of a project are those of its messages, whatever has come and gone."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import metrics
from conversations.changes import AddMessage, Delivery, StartConversation
from conversations.ingest.receive import receive
from conversations.models import Conversation, Message, Project, Total
from conversations.services import delete_conversation, record
from streaming.publish import transactional
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


# What is shown


async def test_a_project_of_which_nothing_is_known_shows_zeros(api: Api) -> None:
    week = await summary(api)

    assert week["totals"] == {"conversations": 0, **NONE}
    assert week["byStatus"] == {"ACTIVE": 0, "COMPLETED": 0, "INTERRUPTED": 0, "ERROR": 0}
    assert (week["activeNow"], week["bySource"], week["byModel"]) == (0, [], [])
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


# What is counted

SUMS = ("messages", "input_tokens", "output_tokens", "total_tokens", "cost", "duration_ms")
KEY = ("project_id", "unit", "slot", "source", "agent_type", "model")


def counted() -> dict[Any, Any]:
    return {row[:6]: row[6:] for row in Total.objects.values_list(*KEY, *SUMS)}


def counted_anew() -> dict[Any, Any]:
    """The same from the messages themselves, added up by Python."""
    totals: dict[Any, list[Any]] = {}
    for message in Message.objects.select_related("conversation"):
        hour = message.timestamp.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        names = message.conversation.source, message.agent_type[:100], message.model[:100]
        figures = (
            1,
            message.input_tokens or 0,
            message.output_tokens or 0,
            message.total_tokens or 0,
            message.cost or Decimal(0),
            message.duration_ms or 0,
        )
        for unit, slot in (("hour", hour), ("day", hour.replace(hour=0))):
            sums = totals.setdefault((message.project_id, unit, slot, *names), [0] * 6)
            for place, figure in enumerate(figures):
                sums[place] += figure
    return {key: tuple(sums) for key, sums in totals.items()}


LARGEST = 2**63 - 1
numbers = st.none() | st.integers(0, 100) | st.just(LARGEST)
messages = st.builds(
    AddMessage,
    conversation_id=st.sampled_from(["s-1", "s-2", "s-3"]),
    may_open=st.just(True),
    message_id=st.sampled_from([f"m-{number}" for number in range(8)]) | st.none(),
    at=st.sampled_from([datetime(2026, 11, 21, hour, 30, tzinfo=UTC) for hour in (9, 10)]),
    agent_id=st.just("a-1"),
    agent_name=st.just("Ada"),
    agent_type=st.sampled_from(["claude", "x" * 120, ""]),
    agent_version=st.just(""),
    role=st.just("agent"),
    content=st.just("x"),
    sequence_number=st.none(),
    turn_number=st.none(),
    model=st.sampled_from(["", "opus"]),
    duration_ms=numbers,
    input_tokens=numbers,
    output_tokens=numbers,
    total_tokens=numbers,
    cost=st.none() | st.decimals(0, 10**15, places=12),
    metadata=st.just({}),
)
starts = st.builds(
    StartConversation,
    conversation_id=st.sampled_from(["s-1", "s-2", "s-3"]),
    at=st.just(datetime(2026, 11, 21, 9, tzinfo=UTC)),
    name=st.just("Tower"),
    mode=st.just(""),
    initial_prompt=st.just(""),
    max_turns=st.none(),
    # Whatever fills in a placeholder: its messages are counted already.
    source=st.sampled_from(["cli", "elsewhere"]),
    participants=st.just([]),
    metadata=st.just({}),
)
deletions = st.sampled_from(["s-1", "s-2", "s-3"])


@given(steps=st.lists(st.lists(messages | starts, min_size=1, max_size=5) | deletions, max_size=8))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@pytest.mark.timeout(60)
def test_totals_are_those_of_the_messages_after_whatever_has_happened(
    project: Project, steps: list[Any]
) -> None:
    for step in steps:
        if isinstance(step, str):
            for conversation in Conversation.objects.filter(public_id=step):
                delete_conversation(conversation)
        else:
            record(project, [Delivery(change=change) for change in step])
        assert counted() == counted_anew()

    for conversation in Conversation.objects.all():
        delete_conversation(conversation)
    assert counted() == {}


def test_what_is_rolled_back_is_not_counted(project: Project) -> None:
    @transactional
    def fail() -> None:
        receive([{"type": "message.created", "data": said("s-1", "x")}], project=project)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert counted() == {}


def test_days_from_before_they_were_counted_are_counted_by_the_migration(project: Project) -> None:
    for number in range(5):
        message = said(f"s-{number % 2}", "x", **FIGURES, agent_type=str(number) * 60)
        event = {"type": "message.created", "data": message, "timestamp": ago(hours=8 * number)}
        receive([event], project=project)
    expected = counted_anew()
    Total.objects.filter(unit="day").delete()

    migration = import_module("conversations.migrations.0011_totals_of_the_days_that_were")
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute(migration.COUNT_DAYS)
        assert counted() == expected


def together(*tasks: Callable[[], object]) -> list[BaseException]:
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        try:
            barrier.wait()
            task()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def in_hours(project: Project, name: str, hours: Sequence[int]) -> list[Message]:
    conversation = Conversation(project=project, public_id=name, source="cli")
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Message(conversation=conversation, timestamp=first + timedelta(hours=hour), cost=Decimal(1))
        for hour in hours
    ]


def test_those_who_count_the_same_hours_in_other_orders_do_not_deadlock(project: Project) -> None:
    """Statements of many rows, that are sure to meet each other halfway."""
    hours = list(range(2000))
    count = transactional(metrics.count)

    def counter(number: int) -> Callable[[], None]:
        shuffled = random.Random(number).sample(hours, len(hours))
        messages = in_hours(project, f"s-{number}", shuffled)

        def count_all() -> None:
            for _ in range(3):
                count(project, messages)

        return count_all

    assert together(*[counter(number) for number in range(4)]) == []

    of_hours, of_days = (Total.objects.filter(unit=unit) for unit in ("hour", "day"))
    assert set(of_hours.values_list("messages", "cost")) == {(12, Decimal(12))}
    assert sum(of_days.values_list("messages", flat=True)) == 12 * len(hours)


def test_what_is_sent_and_deleted_at_the_same_time_is_counted_once(project: Project) -> None:
    def batch(conversation: str) -> list[Json]:
        return [
            {
                "type": "message.created",
                "data": said(conversation, "x", **FIGURES),
                "timestamp": f"2026-11-21T{hour:02}:30:00Z",
            }
            for hour in range(24)
        ]

    def sender(number: int) -> Callable[[], None]:
        def send() -> None:
            for turn in range(5):
                answers = receive(batch(f"s-{number}-{turn}"), project=project)
                assert {answer.status for answer in answers} == {201}

        return send

    def remover(name: str) -> Callable[[], object]:
        return lambda: delete_conversation(Conversation.objects.get(public_id=name))

    doomed = [f"doomed-{number}" for number in range(4)]
    for name in doomed:
        receive(batch(name), project=project)

    removers = [remover(name) for name in doomed]
    assert together(*[sender(number) for number in range(4)], *removers) == []

    assert Message.objects.count() == 4 * 5 * 24
    assert counted() == counted_anew()


def test_sums_keep_all_their_digits(project: Project) -> None:
    messages = in_hours(project, "s-1", [0] * 30)
    for message in messages:
        message.cost = Decimal("999999999999999.999999999999")
        message.total_tokens = LARGEST

    metrics.count(project, messages)

    (cost,) = set(Total.objects.values_list("cost", flat=True))
    assert cost == Decimal("29999999999999999.999999999970")
    found = metrics.summary(project, reach="all", now=timezone.now())
    assert found.totals.cost == Decimal("29999999999999999.999999999970")
    assert found.totals.total_tokens == 30 * LARGEST


def test_ten_thousand_messages_are_counted_in_a_moment(project: Project) -> None:
    conversation = Conversation(project=project, public_id="s-1", source="cli")
    first = timezone.now()
    messages = [
        Message(
            conversation=conversation,
            timestamp=first - timedelta(minutes=number),
            agent_type=("claude", "gemini")[number % 2],
            total_tokens=number,
            cost=Decimal("0.01"),
        )
        for number in range(10_000)
    ]
    costs = []
    for _ in range(5):
        began = time.perf_counter()
        metrics.count(project, messages)
        costs.append(time.perf_counter() - began)

    assert sum(Total.objects.values_list("messages", flat=True)) == 2 * 50_000
    # Thirty milliseconds when nobody else is on the machine.
    assert min(costs) < 0.15
