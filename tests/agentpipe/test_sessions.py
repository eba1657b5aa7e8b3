"""Signed in: what members, strangers and staff see, and what other sites make of our cookies."""

from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from conversations.models import Membership, Project
from tests.agentpipe.knocking import knock, knock_socket, signed_in
from tests.clients import Api, Json

CONVERSATION = str(uuid4())


@pytest.fixture
def cookies(alice: User, bob: User, charlie: User) -> dict[str, dict[str, str]]:
    staff = User.objects.create_user("staff", is_staff=True)
    return {user.username: signed_in(user) for user in (alice, bob, charlie, staff)}


@pytest.fixture(autouse=True)
async def _conversation(api: Api) -> None:
    await api.start(CONVERSATION)


@pytest.fixture
def second_project(alice: User) -> Project:
    second = Project.objects.create(slug="second")
    Membership.objects.create(project=second, user=alice)
    return second


@pytest.mark.parametrize("who", ["alice", "bob", "staff"])
async def test_members_and_staff_see_the_project(
    who: str, cookies: dict[str, dict[str, str]]
) -> None:
    headers = cookies[who]
    assert (await knock(f"/api/conversations/{CONVERSATION}", headers=headers)).status == 200
    listed = await knock("/api/conversations", query="project=tower", headers=headers)
    assert [item["id"] for item in listed.json()["items"]] == [CONVERSATION]
    assert (await knock("/", headers=headers)).status == 200
    frame = await knock_socket(f"/api/stream/conversations/{CONVERSATION}", headers=headers)
    assert isinstance(frame, dict)


async def test_a_stranger_sees_nothing(cookies: dict[str, dict[str, str]]) -> None:
    headers = cookies["charlie"]
    for target in (f"/api/conversations/{CONVERSATION}", "/api/conversations", "/"):
        assert (await knock(target, headers=headers)).status == 404
    assert await knock_socket("/api/stream/projects/tower", headers=headers) == 4404


async def test_a_former_member_sees_nothing(cookies: dict[str, dict[str, str]], bob: User) -> None:
    await Membership.objects.filter(user=bob).adelete()

    assert (await knock("/api/conversations", headers=cookies["bob"])).status == 404


async def test_a_member_of_several_projects_names_one_or_gets_the_first(
    second_project: Project, cookies: dict[str, dict[str, str]]
) -> None:
    async def totals(query: str) -> Any:
        heard = await knock("/api/conversations", query=query, headers=cookies["alice"])
        return heard.json().get("total", heard.status)

    assert await totals("") == 1
    assert await totals("project=tower") == 1
    assert await totals("project=second") == 0
    assert await totals(f"project={second_project.pk}") == 0
    assert await totals("project=third") == 404
    assert await totals("project=") == 404


async def test_a_key_reaches_only_its_own_project_whatever_is_named(
    api: Api, second_project: Project
) -> None:
    assert (await api.get("/api/conversations?project=second")).status_code == 404


@pytest.mark.parametrize("ending", ["signed out", "expired", "password changed", "deactivated"])
async def test_an_ended_session_opens_nothing(
    ending: str, alice: User, cookies: dict[str, dict[str, str]]
) -> None:
    if ending == "signed out":
        await Session.objects.all().adelete()
    elif ending == "expired":
        await Session.objects.aupdate(expire_date=timezone.now())
    elif ending == "password changed":
        alice.set_password("another")
        await alice.asave()
    else:
        await User.objects.aupdate(is_active=False)

    assert (await knock("/api/conversations", headers=cookies["alice"])).status == 401
    assert await knock_socket("/api/stream", headers=cookies["alice"]) == 4401


@pytest.mark.parametrize(
    "cookie",
    ["sessionid=made-up", 'sessionid="made-up\\000"', "sessionid=", f"sessionid={'x' * 4000}"],
)
async def test_a_cookie_of_no_session_opens_nothing(cookie: str) -> None:
    assert (await knock("/api/conversations", headers={"cookie": cookie})).status == 401
    assert await knock_socket("/api/stream", headers={"cookie": cookie}) == 4401


@pytest.mark.parametrize("path", ["/login", "/admin/login/"])
async def test_a_page_opens_whatever_the_cookie_says(path: str) -> None:
    cookie = 'sessionid="made-up\\000"'
    assert (await knock(path, headers={"cookie": cookie})).status == 200


async def test_what_changes_something_wants_the_token_of_our_own_pages(
    cookies: dict[str, dict[str, str]],
) -> None:
    async def post(headers: dict[str, str]) -> tuple[int, Json]:
        heard = await knock(
            "/api/stream-tokens",
            method="POST",
            headers={**headers, "content-type": "application/json"},
            body=b'{"stream":"project:tower"}',
        )
        return heard.status, heard.json()

    whole = cookies["alice"]
    assert (await post(whole))[0] == 201
    for lacking in (
        {"cookie": whole["cookie"]},
        {**whole, "x-csrftoken": "d" * 32},
        {**whole, "cookie": whole["cookie"].partition(";")[0]},
        {**whole, "origin": "https://evil.example"},
    ):
        status, body = await post(lacking)
        assert status == 403
        assert body["error"]


async def test_with_a_key_no_token_of_a_page_is_wanted(
    key: str, cookies: dict[str, dict[str, str]]
) -> None:
    heard = await knock(
        "/api/stream-tokens",
        method="POST",
        key=key,
        headers={"cookie": cookies["charlie"]["cookie"], "content-type": "application/json"},
        body=b'{"stream":"project:tower"}',
    )
    assert heard.status == 201


async def test_a_page_of_another_site_opens_no_socket_with_our_cookies(
    cookies: dict[str, dict[str, str]], settings: Settings
) -> None:
    async def open_from(origin: str) -> object:
        headers = {**cookies["alice"], "origin": origin}
        return await knock_socket("/api/stream/projects/tower", headers=headers)

    for origin in ("https://evil.example", "null", "http://localhost:3000", "http://["):
        assert await open_from(origin) == 4403
    assert isinstance(await open_from("http://localhost:8000"), dict)

    settings.ALLOWED_ORIGINS = ["https://team.example"]
    assert isinstance(await open_from("https://team.example"), dict)
    assert await open_from("https://evil.example") == 4403


async def test_signing_in_leads_on_and_signing_out_ends_the_session(alice: User) -> None:
    def visit() -> None:
        alice.set_password("correct horse")
        alice.save()
        browser = Client(headers={"host": "localhost:8000"})
        first = browser.get("/")
        assert first.status_code == 302
        form = {"username": "alice", "password": "correct horse"}
        entered = browser.post(first["location"], form)
        assert (entered.status_code, entered["location"]) == (302, "/")
        assert browser.get("/").status_code == 200
        assert browser.post("/login?next=https://evil.example/", form)["location"] == "/"
        browser.post("/logout")
        assert browser.get("/").status_code == 302

    await database_sync_to_async(visit)()
