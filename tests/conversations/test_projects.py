"""Projects through the API: seen by their members, made by people, governed by their owners."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from conversations.models import Project
from tests.clients import Api

As = Callable[[User], AbstractAsyncContextManager[Api]]


@pytest.fixture
def signed_in() -> As:
    @asynccontextmanager
    async def sign_in(user: User) -> AsyncIterator[Api]:
        cookie = await database_sync_to_async(_session_of)(user)
        async with Api(
            cookies={settings.SESSION_COOKIE_NAME: cookie, "csrftoken": "x" * 32},
            headers={"X-CSRFToken": "x" * 32},
        ) as api:
            yield api

    return sign_in


def _session_of(user: User) -> str:
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.save()
    return str(request.session.session_key)


async def test_a_key_sees_its_project_and_no_other(api: Api, alice: User) -> None:
    await database_sync_to_async(Project.objects.create)(slug="other")
    answer = (await api.get("/api/projects")).json()
    assert [project["id"] for project in answer["items"]] == ["tower"]
    assert (await api.get("/api/projects/tower")).json() == {
        "id": "tower",
        "name": "tower",
        "retentionDays": None,
        "createdAt": answer["items"][0]["createdAt"],
    }
    assert (await api.get("/api/projects/other")).status_code == 404


async def test_whoever_makes_a_project_owns_it(
    transactional_db: None, charlie: User, alice: User, signed_in: As
) -> None:
    async with signed_in(charlie) as charlies, signed_in(alice) as alices:
        answer = await charlies.post("/api/projects", json={"id": "attic", "name": "The attic"})
        assert (answer.status_code, answer.json()["id"]) == (201, "attic")
        assert (await charlies.get("/api/projects")).json()["total"] == 1
        changed = await charlies.patch("/api/projects/attic", json={"retentionDays": 30})
        assert (changed.json()["retentionDays"], changed.json()["name"]) == (30, "The attic")
        again = await charlies.patch("/api/projects/attic", json={"retentionDays": None})
        assert again.json()["retentionDays"] is None
        assert (await alices.get("/api/projects/attic")).status_code == 404
        assert (await alices.post("/api/projects", json={"id": "attic"})).status_code == 400


async def test_members_see_and_owners_change(bob: User, alice: User, signed_in: As) -> None:
    async with signed_in(bob) as bobs:
        assert (await bobs.get("/api/projects/tower")).status_code == 200
        refused = await bobs.patch("/api/projects/tower", json={"retentionDays": 1})
        assert refused.status_code == 403
        assert refused.json() == {"error": "Only an owner of the project may change it"}
    async with signed_in(alice) as alices:
        assert (await alices.patch("/api/projects/tower", json={"name": "T"})).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"retentionDays": 0},
        {"retentionDays": -1},
        {"retentionDays": "x"},
        {"retentionDays": 10**9},
        {"name": "x" * 201},
        {"id": "renamed"},
        [],
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, body: Any) -> None:
    answer = await api.patch("/api/projects/tower", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "Validation failed")


@pytest.mark.parametrize("slug", ["", "a b", "a/b", "x" * 101, None])
async def test_an_id_is_a_slug(alice: User, signed_in: As, slug: Any) -> None:
    async with signed_in(alice) as alices:
        assert (await alices.post("/api/projects", json={"id": slug})).status_code == 400


async def test_a_key_makes_no_projects(api: Api) -> None:
    answer = await api.post("/api/projects", json={"id": "attic"})
    assert answer.status_code == 403
    assert "Sign in" in answer.json()["error"]
