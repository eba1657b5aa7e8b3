"""Conversations, imports and retention, for those who run the server: at any size."""

import io
import json
import zipfile
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conversations.ingest.receive import receive
from conversations.models import (
    Conversation,
    DeletedConversation,
    IngestJob,
    Message,
    Project,
    RetentionDay,
)
from streaming import admin as looking
from streaming.log import read_after
from tests.agentpipe.knocking import knock, signed_in
from tests.clients import Api, said, started

LIST = "admin:conversations_conversation_changelist"


def staff(*permissions: str) -> User:
    user = User.objects.create_user(f"staff-{len(permissions)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


@pytest.fixture
def root(transactional_db: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def browser(root: User) -> Client:
    browser = Client(headers={"host": "localhost:8000"})
    browser.force_login(root)
    return browser


def record(project: Project, name: str, *, messages: int = 3) -> Conversation:
    events: list[Any] = [{"type": "conversation.started", "data": started(name, name=name)}]
    for number in range(messages):
        words = f"line {number}." + "x" * 1000
        message = said(name, words, sequence_number=number)
        events.append({"type": "message.created", "data": message})
    receive(events, project=project)
    return Conversation.objects.get(public_id=name)


def page_of(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[conversation.pk])


def test_a_long_conversation_shows_its_ends_and_the_way_to_the_rest(
    browser: Client, project: Project
) -> None:
    long, short = (record(project, str(size), messages=size) for size in (60, 12))
    pages = []
    browser.get(page_of(short))
    for conversation in (long, short):
        with CaptureQueriesContext(connection) as queries:
            page = browser.get(page_of(conversation)).content.decode()
        pages.append((page, len(queries)))

    (page, cost), (short_page, short_cost) = pages
    assert [number for number in range(60) if f"line {number}." in page] == [
        *range(10),
        *range(50, 60),
    ]
    assert "x" * 400 not in page
    assert f"?conversation__id__exact={long.pk}" in page
    assert "40 between these" in page
    assert all(short_page.count(f"line {number}.") == 1 for number in range(12))
    assert cost == short_cost


def test_the_messages_of_a_conversation_are_paged_in_order(
    browser: Client, project: Project
) -> None:
    record(project, "other")
    long = record(project, "long", messages=120)
    address = reverse("admin:conversations_message_changelist")

    first, second = (
        browser.get(address, {"conversation__id__exact": long.pk, "p": page}) for page in (1, 2)
    )

    numbers = [row.sequence_number for row in first.context["cl"].result_list]
    assert numbers == list(range(100))
    assert len(second.context["cl"].result_list) == 20
    assert first.context["cl"].result_count == 120


def test_conversations_are_found_by_name_and_by_id(browser: Client, project: Project) -> None:
    for name in ("tower-1", "tower-2", "bridge"):
        record(project, name)

    found = browser.get(reverse(LIST), {"q": "tower"}).context["cl"].result_list

    assert {one.public_id for one in found} == {"tower-1", "tower-2"}


def test_each_conversation_leads_to_where_it_is_seen_live_and_in_the_api(
    browser: Client, project: Project
) -> None:
    conversation = record(project, "a/b?c")

    page = browser.get(page_of(conversation)).content.decode()

    assert 'href="/?project=tower"' in page
    assert 'href="/api/conversations/a%2Fb%3Fc"' in page


# Deletion


def test_deleting_says_before_and_after_how_many_rows_go_and_tells_followers(
    browser: Client, project: Project
) -> None:
    for name in ("s-1", "s-2", "kept"):
        record(project, name, messages=40)
    keys = list(Conversation.objects.exclude(public_id="kept").values_list("pk", flat=True))
    form = {"action": "delete_selected", "_selected_action": keys}

    with CaptureQueriesContext(connection) as queries:
        asked = browser.post(reverse(LIST), form).content.decode()
    done = browser.post(reverse(LIST), {**form, "post": "yes"})

    assert "Messages: 80" in asked
    assert not [query for query in queries if "conversations_message" in query["sql"]]
    told = " ".join(str(message) for message in get_messages(done.wsgi_request))
    assert "80 messages" in told
    assert "2 conversations" in told
    assert list(Conversation.objects.values_list("public_id", flat=True)) == ["kept"]
    assert Message.objects.count() == 40
    assert DeletedConversation.objects.count() == 2
    kinds = [event.kind for event in read_after(project.topic, 0)]
    assert kinds.count("conversation.deleted") == 2


def test_one_is_deleted_from_its_own_page(browser: Client, project: Project) -> None:
    conversation = record(project, "s-1")

    address = reverse("admin:conversations_conversation_delete", args=[conversation.pk])
    done = browser.post(address, {"post": "yes"})

    assert "3 messages" in " ".join(str(one) for one in get_messages(done.wsgi_request))
    assert DeletedConversation.objects.get().public_id == "s-1"


def test_who_may_only_look_neither_deletes_nor_cancels(project: Project) -> None:
    conversation = record(project, "s-1")
    job = IngestJob.objects.create(project=project)
    browser = Client(headers={"host": "localhost:8000"})
    browser.force_login(staff("view_conversation", "view_ingestjob"))

    listed = browser.get(reverse(LIST)).content.decode()
    form = {"action": "delete_selected", "_selected_action": [conversation.pk], "post": "yes"}
    browser.post(reverse(LIST), form)
    jobs = reverse("admin:conversations_ingestjob_changelist")
    browser.post(jobs, {"action": "cancel", "_selected_action": [job.pk]})

    assert "s-1" in listed
    assert "delete_selected" not in listed
    assert Conversation.objects.exists()
    job.refresh_from_db()
    assert job.status == "queued"


def test_a_project_is_not_deleted_here_with_all_it_holds(browser: Client, project: Project) -> None:
    address = reverse("admin:conversations_project_delete", args=[project.pk])
    assert browser.post(address, {"post": "yes"}).status_code == 403


# Export


async def test_selected_conversations_leave_as_a_zip(
    api: Api, project: Project, root: User
) -> None:
    for name in ("s-1", "s-2", "other"):
        await sync_to_async(record)(project, name)
    chosen = Conversation.objects.exclude(public_id="other").values_list("pk", flat=True)
    keys = [key async for key in chosen]
    form = urlencode({"action": "export", "_selected_action": keys}, doseq=True)
    headers = await sync_to_async(signed_in)(root)

    heard = await knock(
        reverse(LIST),
        method="POST",
        headers={**headers, "content-type": "application/x-www-form-urlencoded"},
        body=form.encode(),
    )

    assert heard.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(heard.body)) as file:
        sessions = [
            json.loads(file.read(name)) for name in file.namelist() if name.endswith(".json")
        ]
    assert sorted(one["session"]["name"] for one in sessions) == ["s-1", "s-2"]


# Imports and retention


def test_imports_show_how_far_they_are_without_inline_styles(
    browser: Client, project: Project
) -> None:
    IngestJob.objects.create(project=project, status="running", size=200, offset=50)

    page = browser.get(reverse("admin:conversations_ingestjob_changelist")).content.decode()

    assert '<progress max="100" value="25' in page


def test_an_import_is_cancelled_here_unless_it_has_ended(browser: Client, project: Project) -> None:
    waiting = IngestJob.objects.create(project=project, file_name="waiting.json")
    ended = IngestJob.objects.create(project=project, file_name="ended.json", status="completed")
    address = reverse("admin:conversations_ingestjob_changelist")

    done = browser.post(address, {"action": "cancel", "_selected_action": [waiting.pk, ended.pk]})

    told = " ".join(str(message) for message in get_messages(done.wsgi_request))
    assert "waiting.json is cancelled" in told
    assert "ended.json has ended already" in told
    statuses = dict(IngestJob.objects.values_list("file_name", "status"))
    assert statuses == {"waiting.json": "cancelled", "ended.json": "completed"}


def test_a_project_shows_what_it_holds_and_what_retention_took(
    browser: Client, project: Project
) -> None:
    record(project, "s-1", messages=7)
    now = timezone.now()
    RetentionDay.objects.create(
        project=project, day=now.date(), last_run_at=now, gone={"conversations": 2, "messages": 9}
    )

    pages = [
        browser.get(reverse("admin:conversations_project_changelist")).content.decode(),
        browser.get(
            reverse("admin:conversations_project_change", args=[project.pk])
        ).content.decode(),
    ]

    for page in pages:
        assert "2 conversations, 9 messages" in page
        assert ">7<" in page


@pytest.mark.parametrize(("days", "kept"), [("30", 30), ("", None), ("0", 90), ("40000", 90)])
def test_the_days_of_a_project_are_set_here(
    browser: Client, project: Project, days: str, kept: int | None
) -> None:
    project.retention_days = 90
    project.save()
    form = {"slug": "tower", "name": "", "retention_days": days}
    form |= management(new_members=0)

    browser.post(reverse("admin:conversations_project_change", args=[project.pk]), form)

    project.refresh_from_db()
    assert project.retention_days == kept


def test_members_come_and_go_here(browser: Client, project: Project, charlie: User) -> None:
    page = reverse("admin:conversations_project_change", args=[project.pk])
    form = {"slug": "tower", "name": "", "retention_days": ""}
    new = {"membership_set-2-0-user": str(charlie.pk), "membership_set-2-0-role": "member"}

    assert browser.post(page, form | management(new_members=1) | new).status_code == 302
    membership = project.membership_set.get(user=charlie)

    row = {"id": str(membership.pk), "project": str(project.pk), "role": "owner", "DELETE": "on"}
    leaving = {f"membership_set-0-{name}": value for name, value in row.items()}
    assert browser.post(page, form | management(members=1) | leaving).status_code == 302
    assert not project.membership_set.exists()


def management(*, members: int = 0, new_members: int = 0) -> dict[str, str]:
    """What the page's three tables of rows say of themselves."""
    rows = {"membership_set": (members, members), "membership_set-2": (new_members, 0)}
    return {
        f"{prefix}-{name}_FORMS": str(count)
        for prefix, counts in {**rows, "keys": (0, 0)}.items()
        for name, count in zip(("TOTAL", "INITIAL"), counts, strict=True)
    }


# Size


def test_a_large_table_is_not_counted_to_its_end(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "COUNTED", 5)
    long = record(project, "long", messages=30)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE conversations_message")
    address = reverse("admin:conversations_message_changelist")

    with CaptureQueriesContext(connection) as queries:
        whole = browser.get(address).context["cl"]
    counts = [query["sql"] for query in queries if "COUNT" in query["sql"]]
    some = browser.get(address, {"conversation__id__exact": long.pk}).context["cl"]

    assert whole.result_count == 30
    assert some.result_count == 6
    assert counts
    assert all("LIMIT" in sql for sql in counts if "message" in sql)
