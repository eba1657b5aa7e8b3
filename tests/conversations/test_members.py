"""Members of a project: owners say who comes in and who goes, and one of them always stays."""

from collections.abc import Callable

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from conversations.errors import LastOwner, MemberNotFound
from conversations.models import ApiKey, Membership, Project
from conversations.services import make_key, remove_member, set_member
from tests.agentpipe.knocking import Heard, knock, signed_in
from tests.clients import Api
from tests.conversations.test_concurrency import together

OWNER, MEMBER = Membership.Role.OWNER, Membership.Role.MEMBER
MEMBERS = "/api/projects/tower/members"
KEYS = "/api/projects/tower/keys"
JSON = {"content-type": "application/json"}


def roles(project: Project) -> dict[str, str]:
    return dict(Membership.objects.filter(project=project).values_list("user__username", "role"))


def test_somebody_comes_in_is_made_owner_and_goes(
    project: Project, alice: User, charlie: User
) -> None:
    set_member(project, charlie, role=MEMBER)
    assert roles(project) == {"alice": "owner", "charlie": "member"}

    set_member(project, charlie, role=OWNER)
    remove_member(project, alice)
    assert roles(project) == {"charlie": "owner"}

    with pytest.raises(MemberNotFound):
        remove_member(project, alice)


def test_the_last_owner_stays(project: Project, alice: User, bob: User) -> None:
    with pytest.raises(LastOwner):
        remove_member(project, alice)
    with pytest.raises(LastOwner):
        set_member(project, alice, role=MEMBER)

    assert roles(project) == {"alice": "owner", "bob": "member"}


def test_of_two_owners_who_remove_each_other_one_stays(
    project: Project, alice: User, bob: User
) -> None:
    set_member(project, bob, role=OWNER)

    def removes(user: User) -> Callable[[], bool]:
        def remove() -> bool:
            try:
                remove_member(project, user)
            except LastOwner:
                return False
            return True

        return remove

    for _ in range(10):
        done = together(removes(alice), removes(bob))
        assert sorted(done) == [False, True]
        assert list(roles(project).values()) == ["owner"]
        for user in (alice, bob):
            set_member(project, user, role=OWNER)


async def put(name: str, headers: dict[str, str]) -> Heard:
    return await knock(
        f"{MEMBERS}/{name}", method="PUT", headers={**headers, **JSON}, body=b'{"role": "member"}'
    )


async def test_owners_say_who_is_in_and_members_see_it(
    alice: User, bob: User, charlie: User
) -> None:
    owner = await database_sync_to_async(signed_in)(alice)
    member = await database_sync_to_async(signed_in)(bob)

    refused = await put("charlie", member)
    taken = await put("charlie", owner)
    unknown = await put("nobody", owner)
    kept = await knock(f"{MEMBERS}/alice", method="DELETE", headers=owner)
    gone = await knock(f"{MEMBERS}/charlie", method="DELETE", headers=owner)
    shown = await knock(MEMBERS, headers=member)

    assert (refused.status, refused.error) == (403, "Only an owner of the project may change it")
    assert (taken.status, taken.json()) == (200, {"username": "charlie", "role": "member"})
    assert (unknown.status, kept.status, gone.status) == (404, 409, 204)
    assert shown.json()["items"] == [
        {"username": "alice", "role": "owner"},
        {"username": "bob", "role": "member"},
    ]


async def test_a_key_is_made_used_and_revoked(api: Api) -> None:
    made = await api.post(KEYS, json={"name": "laptop", "scopes": ["read"]})
    assert made.status_code == 201, made.text
    key, secret = made.json()["key"], made.json()["secret"]
    assert (key["name"], key["scopes"], key["revokedAt"]) == ("laptop", ["read"], None)
    async with Api(secret) as laptop:
        assert (await laptop.get("/api/conversations")).status_code == 200

        address = f"{KEYS}/{key['id']}"
        assert (await api.delete(address)).status_code == 204
        assert (await api.delete(address)).status_code == 404
        assert (await laptop.get("/api/conversations")).status_code == 401
    listed = (await api.get(KEYS)).json()
    assert [one["name"] for one in listed["items"]] == ["laptop", "tests"]
    assert secret not in str(listed)
    assert listed["items"][0]["revokedAt"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["all"]},
    ],
)
async def test_a_key_has_a_name_and_scopes(api: Api, body: object) -> None:
    answer = await api.post(KEYS, json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "Validation failed")


async def test_a_key_makes_none_that_may_do_more(project: Project) -> None:
    make = database_sync_to_async(make_key)
    _, secret = await make(project, "few", scopes=["write", "read"], rates={"streams": "5/60"})
    async with Api(secret) as few:
        wider = await few.post(KEYS, json={"name": "wider", "scopes": ["read", "run"]})
        alike = await few.post(KEYS, json={"name": "alike"})

    assert wider.status_code == 403
    assert wider.json() == {"error": "A key makes no key that may do more than itself"}
    assert alike.json()["key"]["scopes"] == ["read", "write"]
    assert alike.json()["key"]["rates"] == {"streams": "5/60"}


async def test_only_owners_make_and_revoke_keys(key: str, project: Project, bob: User) -> None:
    member = await database_sync_to_async(signed_in)(bob)
    known = await database_sync_to_async(project.keys.get)()

    made = await knock(KEYS, method="POST", headers={**member, **JSON}, body=b'{"name": "mine"}')
    gone = await knock(f"{KEYS}/{known.pk}", method="DELETE", headers=member)

    assert (made.status, gone.status) == (403, 403)
    assert await database_sync_to_async(usable)(project) == ["tests"]


def usable(project: Project) -> list[str]:
    return [key.name for key in ApiKey.objects.usable().filter(project=project)]
