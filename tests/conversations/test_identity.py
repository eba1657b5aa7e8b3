"""A repeated delivery answers as the first did and changes nothing."""

from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from conversations.models import Project, Receipt
from conversations.services import forget_old_keys, make_key
from tests.clients import NOW, Api, Json, Socket, opened, said, started, told


async def keyed(api: Api, key: str, kind: str, data: Json, **envelope: object) -> httpx.Response:
    body = {"type": kind, "data": data, **envelope}
    return await api.post("/api/ingest", json=body, headers={"Idempotency-Key": key})


async def total(api: Api, conversation: str) -> int:
    count: int = (await api.conversation(conversation))["totalMessages"]
    return count


async def test_the_same_start_is_one_conversation(api: Api) -> None:
    conversation = await api.start(initial_prompt="First")
    again = await api.ingest("conversation.started", started(conversation, initial_prompt="Other"))

    assert (again.status_code, again.json()) == (201, {"conversation_id": conversation})
    assert (await api.conversation(conversation))["initialPrompt"] == "First"
    assert len(await api.events(conversation)) == 1


async def test_the_same_message_id_is_one_message(api: Api) -> None:
    conversation = await api.start()
    first = await api.say(conversation, "Steel", message_id="m-1")
    again = await api.say(conversation, "Stone", message_id="m-1")

    assert first == again == ["m-1"]
    assert [message["content"] for message in await api.messages(conversation)] == ["Steel"]
    assert await total(api, conversation) == 1


async def test_a_message_id_belongs_to_one_conversation_of_the_project(api: Api) -> None:
    one, other = await api.start(), await api.start()
    await api.say(one, "Steel", message_id="m-1")
    again = await api.say(other, "Stone", message_id="m-1")

    assert again == ["m-1"]
    assert (await total(api, one), await total(api, other)) == (1, 0)


async def test_projects_do_not_share_ids(api: Api, project: Project) -> None:
    def another_key() -> str:
        return make_key(Project.objects.create(slug="bridge"), "b", rates={"bridge": "0"})[1]

    conversation = await api.start()
    await api.say(conversation, "Steel", message_id="m-1")
    async with Api(await sync_to_async(another_key)()) as elsewhere:
        await elsewhere.start(conversation, initial_prompt="Design a bridge")
        await elsewhere.say(conversation, "Rope", message_id="m-1")

        theirs = await elsewhere.messages(conversation)
    assert [message["content"] for message in theirs] == ["Rope"]
    assert [message["content"] for message in await api.messages(conversation)] == ["Steel"]


async def test_without_an_id_the_same_type_time_and_data_is_a_repeat(api: Api) -> None:
    conversation = await api.start()
    message = said(conversation, "Steel")
    del message["message_id"]
    first = await api.ingest("message.created", message, timestamp=NOW)
    again = await api.ingest("message.created", message, timestamp=NOW)
    later = await api.ingest("message.created", message, timestamp="2026-11-21T10:00:01Z")

    assert again.json() == first.json() != later.json()
    assert await total(api, conversation) == 2


async def test_without_id_and_time_nothing_is_a_repeat(api: Api) -> None:
    conversation = await api.start()
    message = said(conversation, "Steel", message_id=None)
    for missing in (None, ""):
        await api.ingest("message.created", message, timestamp=missing)

    assert await total(api, conversation) == 2


async def test_the_same_time_may_be_written_in_another_way(api: Api) -> None:
    conversation = await api.start()
    message = said(conversation, "Steel", message_id=None)
    await api.ingest("message.created", message, timestamp="2026-11-21T10:00:00Z")
    await api.ingest("message.created", message, timestamp="2026-11-21T11:00:00.000+01:00")

    assert await total(api, conversation) == 1


async def test_a_camel_case_client_may_send_its_body_again(api: Api) -> None:
    first = await api.ingest("conversation.started", opened(), timestamp=NOW)
    again = await api.ingest("conversation.started", opened(), timestamp=NOW)
    conversation = first.json()["conversationId"]
    message = told(conversation, "Steel")
    said_first = await api.ingest("message.created", message, timestamp=NOW)
    said_again = await api.ingest("message.created", message, timestamp=NOW)

    assert (again.status_code, again.json()) == (201, first.json())
    assert (said_again.status_code, said_again.json()) == (201, said_first.json())
    assert await total(api, conversation) == 1


async def test_a_repeat_puts_nothing_on_a_stream(api: Api, key: str) -> None:
    conversation = await api.start()
    deliveries: list[tuple[str, Json]] = [
        ("message.created", said(conversation, "Steel", message_id="m-1")),
        ("conversation.error", {"conversation_id": conversation, "error_message": "Oh"}),
        ("log.entry", {"conversation_id": conversation, "content": "Log"}),
        ("bridge.test", {"message": "Hello"}),
        ("conversation.completed", {"conversation_id": conversation, "status": "completed"}),
    ]
    async with Socket("/api/stream/projects/tower", key=key) as socket:
        await socket.frame()
        for _ in range(3):
            answers = [await api.ingest(kind, data, timestamp=NOW) for kind, data in deliveries]
            assert {answer.status_code for answer in answers} == {200, 201}
        await api.say(conversation, "The end")

        frames = await socket.frames(len(deliveries) + 1)
    assert [frame["type"] for frame in frames] == [
        *(kind for kind, _ in deliveries),
        "message.created",
    ]
    assert [frame["seq"] for frame in frames] == [2, 3, 4, 5, 6, 7]


async def test_the_greeting_of_a_repeat_is_the_first_one(api: Api) -> None:
    first = await api.ingest("bridge.test", {}, timestamp=NOW)
    again = await api.ingest("bridge.test", {}, timestamp=NOW)

    assert again.json() == first.json()


async def test_the_same_idempotency_key_is_one_delivery(api: Api) -> None:
    conversation = await api.start()
    message = said(conversation, "Steel", message_id=None)
    first = await keyed(api, "k-1", "message.created", message)
    again = await keyed(api, "k-1", "message.created", message)

    assert (again.status_code, again.json()) == (201, first.json())
    assert await total(api, conversation) == 1


async def test_an_empty_idempotency_key_is_none(api: Api) -> None:
    for prompt in ("A tower", "A bridge"):
        start = opened(initialPrompt=prompt)
        assert (await keyed(api, "", "conversation.started", start)).status_code == 201

    assert (await api.get("/api/conversations")).json()["total"] == 2


async def test_a_reused_key_is_refused_in_camel_case(api: Api) -> None:
    first = await keyed(api, "k-1", "conversation.started", opened())
    other = await keyed(api, "k-1", "conversation.started", opened(initialPrompt="A bridge"))

    assert first.status_code == 201
    assert (other.status_code, other.json().keys()) == (422, {"error"})
    assert (await api.get("/api/conversations")).json()["total"] == 1


async def test_a_reused_key_is_no_obstacle_in_snake_case(api: Api) -> None:
    conversation = await api.start()
    for content in ("Steel", "Stone", "Stone"):
        message = said(conversation, content, message_id=None)
        answer = await keyed(api, "k-1", "message.created", message, timestamp=NOW)
        assert answer.status_code == 201

    contents = [message["content"] for message in await api.messages(conversation)]
    assert contents == ["Steel", "Stone"]


async def test_a_delivery_with_a_key_is_known_without_it(api: Api) -> None:
    conversation = await api.start()
    message = said(conversation, "Steel", message_id=None)
    first = await keyed(api, "k-1", "message.created", message, timestamp=NOW)
    plain = await api.ingest("message.created", message, timestamp=NOW)
    other = await keyed(api, "k-2", "message.created", message, timestamp=NOW)

    assert first.json() == plain.json() == other.json()
    assert await total(api, conversation) == 1


async def test_a_key_goes_on_meaning_what_a_repeat_made_of_it(api: Api) -> None:
    conversation = await api.start()
    message = said(conversation, "Steel", message_id=None)
    first = await api.ingest("message.created", message, timestamp=NOW)
    for _ in range(2):
        again = await keyed(api, "k-1", "message.created", message, timestamp=NOW)
        assert again.json() == first.json()


@pytest.mark.parametrize(("hours", "status"), [(23.9, 422), (24.1, 201)])
async def test_a_key_is_remembered_for_a_day(api: Api, hours: float, status: int) -> None:
    await keyed(api, "k-1", "conversation.started", opened())
    ago = timezone.now() - timedelta(hours=hours)
    await Receipt.objects.filter(fingerprint__isnull=False).aupdate(created_at=ago)

    other = opened(initialPrompt="A bridge")
    assert (await keyed(api, "k-1", "conversation.started", other)).status_code == status
    assert (await keyed(api, "k-1", "conversation.started", other)).status_code == status


async def test_what_was_refused_may_be_sent_again_with_its_key(api: Api) -> None:
    unknown = "c" + "0" * 24
    refused = await keyed(api, "k-1", "message.created", told(unknown, "Steel"))
    accepted = await keyed(api, "k-1", "conversation.started", opened())

    assert (refused.status_code, accepted.status_code) == (404, 201)


async def test_the_key_of_a_project_is_its_own(api: Api) -> None:
    def another_key() -> str:
        return make_key(Project.objects.create(slug="bridge"), "b")[1]

    first = await keyed(api, "k-1", "conversation.started", opened())
    async with Api(await sync_to_async(another_key)()) as elsewhere:
        other = await keyed(elsewhere, "k-1", "conversation.started", opened(name=str(uuid4())))

    assert (first.status_code, other.status_code) == (201, 201)


async def test_old_keys_are_cleared_away_and_identities_are_not(api: Api) -> None:
    conversation = await api.start()
    message = said(conversation, "Steel", message_id=None)
    await keyed(api, "k-1", "message.created", message, timestamp=NOW)
    await Receipt.objects.aupdate(created_at=timezone.now() - timedelta(hours=25))

    assert await sync_to_async(forget_old_keys)() == 1
    await api.ingest("message.created", message, timestamp=NOW)
    assert await total(api, conversation) == 1
