"""The admin: every list and page opens, costs the same with more rows, and shows no secret."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents import services as agents_services
from agents.models import AgentStep
from conversations.ingest.receive import receive
from conversations.models import (
    ApiKey,
    Conversation,
    IngestJob,
    Project,
    RawEvent,
    Receipt,
    RetentionDay,
    digest_of,
)
from conversations.services import delete_conversation, make_key
from conversations.tasks import forget_old_keys
from tests.clients import said, started
from workflows.models import NodeState, PreviewSection, QualityScore, Workflow, WorkflowRun

NAMES = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
# What is made and changed here; the rest is only looked at.
WRITTEN = ("auth_user", "auth_group", "conversations_project", "conversations_apikey")


@pytest.fixture
def browser(transactional_db: None) -> Client:
    staff = User.objects.create_superuser("root", password="swordfish-of-the-admin")
    browser = Client(headers={"host": "localhost:8000"})
    browser.force_login(staff)
    return browser


@pytest.fixture
def secret(project: Project) -> str:
    return make_key(project, "laptop")[1]


def record(project: Project, conversations: int) -> None:
    for number in range(conversations):
        conversation = str(uuid4())
        agents = [{"agent_id": f"a-{each}", "agent_type": "claude"} for each in range(number + 1)]
        entry = {"conversation_id": conversation, "level": "system", "content": "built"}
        events = [
            {
                "type": "conversation.started",
                "data": started(conversation, participants=agents, initial_prompt="<b>Stone</b>"),
            },
            {"type": "message.created", "data": said(conversation, "<script>alert(1)</script>")},
            {"type": "log.entry", "data": entry},
            {"type": "bridge.connected", "data": {"system_info": {"os": "linux"}}},
        ]
        answers = receive(events, project=project)
        assert {answer.status for answer in answers} <= {200, 201}
        make_key(project, f"key {number}")
        other = Project.objects.create(slug=f"project-{uuid4()}")
        user = User.objects.create_user(f"user-{uuid4()}")
        other.members.add(user)
        apps.get_model("auth.Group").objects.create(name=f"group-{uuid4()}")
        IngestJob.objects.create(project=project, file_name="<b>states.json</b>", total=3)
        day = timezone.now().date() - timedelta(days=RetentionDay.objects.count())
        RetentionDay.objects.create(project=project, day=day, last_run_at=timezone.now())
        forget_old_keys.configure(queueing_lock=str(uuid4())).defer(timestamp=number)
        person = agents_services.person_named(project, f"<b>person-{uuid4()}</b>")
        chat = agents_services.open_chat(person, title="<b>Towers</b>", agent_id="guide")
        run = agents_services.ask(chat, content="<b>How high?</b>")
        for call in range(number + 1):
            AgentStep.objects.create(run=run, call_id=f"call-{call}", name="<b>measure</b>")
        build(project, nodes=number + 1)
    ids = [str(uuid4()) for _ in range(conversations)]
    receive(
        [{"type": "conversation.started", "data": started(one)} for one in ids],
        project=project,
    )
    for deleted in Conversation.objects.filter(public_id__in=ids):
        delete_conversation(deleted)
    Receipt.objects.bulk_create(Receipt(project=project, identity=one.encode()[:32]) for one in ids)


def build(project: Project, *, nodes: int) -> None:
    name = f"build-{uuid4()}"
    workflow = Workflow.objects.create(
        project=project, name=name, title="<b>Tower</b>", definition={"name": name}
    )
    run = WorkflowRun.objects.create(project=project, workflow=workflow, workflow_name=name)
    for number in range(nodes):
        NodeState.objects.create(run=run, node_id=f"node-{number}", summary="<b>Stone</b>")
    PreviewSection.objects.create(project=project, run=run, section_id="<b>hero</b>")
    QualityScore.objects.create(project=project, run=run, measure="length", score=80)


def changelist(model_name: str) -> str:
    return reverse(f"admin:{model_name}_changelist")


# All of them in one project: filling it takes longer than looking at them.


def test_every_list_shows_its_rows_at_a_cost_that_does_not_grow(
    browser: Client, project: Project
) -> None:
    open_once(browser, *map(changelist, NAMES))
    costs = []
    for more in (2, 5):
        record(project, more)
        costs.append({name: cost_of(changelist(name), browser, b"field-") for name in NAMES})

    assert costs[0] == costs[1]


def test_every_page_costs_the_same_with_more_of_everything(
    browser: Client, project: Project
) -> None:
    record(project, 2)
    pages = [change_page(name, oldest(name).pk) for name in NAMES]
    open_once(browser, *pages)
    costs = []
    for more in (0, 5):
        record(project, more)
        enrich(project, more)
        costs.append({page: cost_of(page, browser) for page in pages})

    assert costs[0] == costs[1]


def open_once(browser: Client, *addresses: str) -> None:
    """What is asked for at the first time and then known is no cost of a page."""
    for address in addresses:
        browser.get(address)


def cost_of(address: str, browser: Client, shown: bytes = b"") -> int:
    """How many queries it takes."""
    with CaptureQueriesContext(connection) as queries:
        page = browser.get(address)
    assert page.status_code == 200, address
    assert shown in page.content, address
    return len(queries)


def oldest(name: str) -> Model:
    found: Model = apps.get_model(name.replace("_", "."))._default_manager.order_by("pk")[0]
    return found


def change_page(name: str, pk: object) -> str:
    return reverse(f"admin:{name}_change", args=[pk])


def enrich(project: Project, more: int) -> None:
    """More messages and events in the first conversation, more members and keys."""
    conversation = Conversation.objects.earliest("pk").public_id
    entry = {"conversation_id": conversation, "level": "system", "content": "built"}
    for number in range(more):
        events = [
            {"type": "message.created", "data": said(conversation, f"line {number}")},
            {"type": "log.entry", "data": entry},
        ]
        receive(events, project=project)
        project.members.add(User.objects.create_user(f"member-{uuid4()}"))


@pytest.mark.usefixtures("secret")
def test_every_row_has_a_page_and_can_be_searched(browser: Client, project: Project) -> None:
    record(project, 2)
    for name in NAMES:
        model = apps.get_model(name.replace("_", "."))
        for row in model._default_manager.all()[:3]:
            page = browser.get(change_page(name, row.pk))
            assert page.status_code == 200, row
            assert b"<script>alert" not in page.content
            history = browser.get(reverse(f"admin:{name}_history", args=[row.pk]))
            assert history.status_code == 200
        for words in ("stone", "%", "'", "a" * 500):
            assert browser.get(changelist(name), {"q": words}).status_code == 200
        assert browser.get(change_page(name, "2147483648000")).status_code == 302


def test_nobody_but_staff_gets_in(alice: User) -> None:
    browser = Client(headers={"host": "localhost:8000"})
    browser.force_login(alice)

    for name in NAMES:
        page = browser.get(changelist(name))
        assert (page.status_code, page["location"].partition("?")[0]) == (302, "/admin/login/")


def test_what_was_recorded_is_not_written_here(browser: Client, project: Project) -> None:
    record(project, 1)
    for name in NAMES:
        if name in WRITTEN:
            continue
        row = oldest(name)
        assert browser.get(reverse(f"admin:{name}_add")).status_code == 403, name
        assert browser.post(change_page(name, row.pk), {}).status_code == 403, name
        if name != "conversations_conversation":
            delete = reverse(f"admin:{name}_delete", args=[row.pk])
            assert browser.post(delete, {}).status_code == 403, name


# Keys


@pytest.fixture
def form(project: Project) -> dict[str, object]:
    return {"project": project.pk, "name": "cli", "scopes": ["ingest"], "rates": "{}"}


def add_key(browser: Client, form: dict[str, object]) -> str:
    """The page after a key was made."""
    page = browser.post(reverse("admin:conversations_apikey_add"), form, follow=True)
    assert page.status_code == 200
    return page.content.decode()


def test_a_key_made_here_is_shown_once_on_the_page_after(
    browser: Client, form: dict[str, object]
) -> None:
    page = add_key(browser, {**form, "rates": '{"ingest": "5/10"}'})

    (secret,) = set(re.findall(r"ap_[\w-]{43}", page))
    key = ApiKey.objects.get()
    assert (key.digest, key.scopes, key.rates) == (
        digest_of(secret),
        ["ingest"],
        {"ingest": "5/10"},
    )
    for name in ("changelist", "change", "history", "delete"):
        arguments = [] if name == "changelist" else [key.pk]
        later = browser.get(reverse(f"admin:conversations_apikey_{name}", args=arguments))
        assert later.status_code == 200
        assert secret not in later.content.decode()
        assert key.digest not in later.content.decode()
    assert secret not in browser.get("/admin/").content.decode()
    assert secret not in repr(list(apps.get_model("admin.LogEntry").objects.values()))


def test_a_key_made_here_works(browser: Client, form: dict[str, object]) -> None:
    page = add_key(browser, {**form, "scopes": ["read"]})

    (secret,) = set(re.findall(r"ap_[\w-]{43}", page))
    heard = Client(headers={"host": "localhost"}).get(
        "/api/conversations", headers={"authorization": f"Bearer {secret}"}
    )
    assert heard.status_code == 200


def test_changing_a_key_keeps_its_secret(
    browser: Client, form: dict[str, object], secret: str
) -> None:
    key = ApiKey.objects.get()

    page = browser.post(
        reverse("admin:conversations_apikey_change", args=[key.pk]), {**form, "name": "renamed"}
    )

    assert page.status_code == 302
    assert not [note for note in get_messages(page.wsgi_request) if secret in str(note)]
    changed = ApiKey.objects.get()
    assert (changed.name, changed.digest) == ("renamed", digest_of(secret))


@pytest.mark.parametrize(
    "rates",
    [
        '{"ingest": "lots"}',
        '{"ingest": 5}',
        '{"no-such": "0"}',
        '["0"]',
        "5",
        '{"ingest": null}',
        "{",
    ],
)
def test_rates_that_nobody_could_keep_are_refused(
    rates: str, browser: Client, form: dict[str, object]
) -> None:
    page = add_key(browser, {**form, "rates": rates})

    assert "errorlist" in page
    assert not ApiKey.objects.exists()


def test_a_key_is_revoked_here(browser: Client, secret: str) -> None:
    key = ApiKey.objects.get()

    browser.post(
        changelist("conversations_apikey"), {"action": "revoke", "_selected_action": [key.pk]}
    )

    assert ApiKey.objects.get().revoked_at is not None
    assert not ApiKey.objects.usable().exists()


def test_no_page_shows_a_password_or_a_digest(
    browser: Client, project: Project, secret: str
) -> None:
    record(project, 1)
    root = User.objects.get(username="root")
    hidden = [root.password, digest_of(secret), secret]

    pages = ["/admin/", *[changelist(name) for name in NAMES]]
    pages += [reverse("admin:auth_user_change", args=[root.pk])]
    for address in pages:
        content = browser.get(address).content.decode()
        assert not [words for words in hidden if words in content], address


def test_what_clients_sent_is_shown_as_text(browser: Client, project: Project) -> None:
    record(project, 1)
    RawEvent.objects.update(data={"content": "<script>alert(1)</script>"})
    Conversation.objects.update(name="<script>alert(1)</script>")

    for name in NAMES:
        for address in (changelist(name), change_page(name, oldest(name).pk)):
            assert b"<script>alert" not in browser.get(address).content
