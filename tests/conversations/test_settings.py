"""The settings of a project as pages: members read them, owners change what they say."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from conversations.access import caller_with_key
from conversations.models import ApiKey, Conversation, Membership, Project, RetentionDay
from conversations.services import make_key


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def owner(alice: User) -> Client:
    return browser_of(alice)


@pytest.fixture
def member(bob: User) -> Client:
    return browser_of(bob)


def conversations(project: Project, *ages_in_days: int) -> None:
    for number, age in enumerate(ages_in_days):
        touched = timezone.now() - timedelta(days=age)
        made = project.conversations.create(public_id=str(number), started_at=touched)
        Conversation.objects.filter(pk=made.pk).update(updated_at=touched)


def test_members_read_and_find_no_form(member: Client, project: Project) -> None:
    make_key(project, "laptop")

    page = member.get("/settings").content.decode()

    assert "laptop" in page
    assert "Its owners change" in page
    assert "csrfmiddlewaretoken" in page  # to sign out
    assert page.count('method="post"') == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", {"name": "Taken over"}),
        ("/retention", {"days": "1"}),
        ("/keys", {"name": "mine", "scopes": ["read"]}),
        ("/keys/4711/revoke", {}),
        ("/members", {"username": "bob", "role": "owner"}),
        ("/members/remove", {"username": "alice"}),
    ],
)
def test_members_change_nothing(
    member: Client, alice: User, project: Project, path: str, said: dict[str, object]
) -> None:
    project.keys.create(pk=4711, name="laptop")

    answer = member.post(f"/settings{path}", said)

    assert answer.status_code == 403
    assert "Only an owner" in answer.content.decode()
    project.refresh_from_db()
    assert (project.name, project.retention_days) == ("", None)
    assert ApiKey.objects.usable().count() == 1
    assert Membership.objects.get(role=Membership.Role.OWNER).user == alice


def test_owners_name_it(owner: Client, project: Project) -> None:
    answer = owner.post("/settings", {"name": "The tower"}, follow=True)

    assert "Settings of The tower" in answer.content.decode()
    assert owner.post("/settings", {"name": "x" * 201}).status_code == 400


def test_what_would_go_is_shown_before_it_is_said(owner: Client, project: Project) -> None:
    conversations(project, 0, 29, 31, 400)

    looked = owner.post("/settings/retention", {"days": "30", "preview": "1"}).content.decode()
    project.refresh_from_db()
    assert "<b>2</b> of 4 conversations would go" in looked
    assert project.retention_days is None

    owner.post("/settings/retention", {"days": "30"})
    project.refresh_from_db()
    assert project.retention_days == 30

    owner.post("/settings/retention", {"days": ""})
    project.refresh_from_db()
    assert project.retention_days is None


@pytest.mark.parametrize("days", ["0", "-1", "many", "1" * 30])
def test_days_that_are_none_are_refused_in_the_form(
    owner: Client, project: Project, days: str
) -> None:
    answer = owner.post("/settings/retention", {"days": days})

    assert answer.status_code == 400
    assert 'id="retention_days_error"' in answer.content.decode()
    project.refresh_from_db()
    assert project.retention_days is None


def test_what_retention_took_is_shown(member: Client, project: Project) -> None:
    now = timezone.now()
    RetentionDay.objects.create(
        project=project, day=now.date(), last_run_at=now, gone={"conversations": 3, "messages": 40}
    )

    assert "3 conversations, 40 messages" in member.get("/settings").content.decode()


def test_a_key_is_shown_once_and_kept_by_nobody(owner: Client, project: Project) -> None:
    answer = owner.post("/settings/keys", {"name": "laptop", "scopes": ["ingest", "read"]})

    found = re.search(r"AGENTPIPE_API_KEY=(ap_[-\w]+)", answer.content.decode())
    assert found
    assert answer["Cache-Control"] == "no-store"
    caller = caller_with_key(found[1])
    assert caller
    assert caller.own_project == project
    assert caller.scopes == {"ingest", "read"}
    assert found[1] not in owner.get("/settings").content.decode()


@pytest.mark.parametrize(
    "said", [{"name": "x"}, {"scopes": ["read"]}, {"name": "x", "scopes": ["all"]}]
)
def test_a_key_has_a_name_and_something_to_do(owner: Client, said: dict[str, object]) -> None:
    assert owner.post("/settings/keys", said).status_code == 400
    assert not ApiKey.objects.exists()


def test_a_revoked_key_opens_nothing(owner: Client, project: Project) -> None:
    key, secret = make_key(project, "laptop")
    foreign, _ = make_key(Project.objects.create(slug="other"), "foreign")

    page = owner.post(f"/settings/keys/{key.pk}/revoke", follow=True).content.decode()

    assert "Revoked" in page
    assert "laptop" not in page
    assert caller_with_key(secret) is None
    assert owner.post(f"/settings/keys/{key.pk}/revoke").status_code == 404
    assert owner.post(f"/settings/keys/{foreign.pk}/revoke").status_code == 404
    assert ApiKey.objects.usable().get() == foreign


def test_owners_let_people_in_and_go(owner: Client, charlie: User, project: Project) -> None:
    owner.post("/settings/members", {"username": "charlie", "role": "member"})
    assert browser_of(charlie).get("/settings").status_code == 200

    owner.post("/settings/members/remove", {"username": "charlie"})
    assert browser_of(charlie).get("/settings").status_code == 404


def test_what_cannot_be_done_with_members_is_said_on_the_page(owner: Client) -> None:
    unknown = owner.post("/settings/members", {"username": "nobody", "role": "owner"})
    assert unknown.status_code == 400
    assert "There is no user of this name" in unknown.content.decode()
    for path, said in (("", {"role": "member"}), ("/remove", {})):
        kept = owner.post(f"/settings/members{path}", {"username": "alice", **said})
        assert "keeps at least one owner" in kept.content.decode()


def test_whoever_leaves_is_out(owner: Client, bob: User, project: Project) -> None:
    Membership.objects.filter(user=bob).update(role=Membership.Role.OWNER)

    answer = owner.post("/settings/members/remove", {"username": "alice"})

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert owner.get("/settings").status_code == 404


def test_somebody_without_a_project_makes_one(charlie: User, project: Project) -> None:
    browser = browser_of(charlie)
    assert "make a project" in browser.get("/settings").content.decode()
    assert browser.get("/settings/projects").status_code == 200

    taken = browser.post("/settings/projects", {"id": "tower"})
    made = browser.post("/settings/projects", {"id": "attic", "name": "The attic"}, follow=True)

    assert "There is a project of this id" in taken.content.decode()
    assert "Settings of The attic" in made.content.decode()
    assert browser.post("/settings/projects", {"id": "no good"}).status_code == 400


def test_after_signing_in_people_are_where_they_wanted_to_be(project: Project) -> None:
    answer = Client().post("/settings/keys?project=tower", {"name": "laptop"})

    assert answer.status_code == 302
    assert answer["Location"] == "/login?next=%2Fsettings%2Fkeys%3Fproject%3Dtower"
