"""A test event passes each station, and says when; where it stops, it says that."""

from datetime import datetime

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from conversations.models import Project, RawEvent
from conversations.services import make_key
from streaming import listening
from tests.clients import Api, Socket
from tests.streaming.layers import named

DOOR = "/api/projects/tower/test-event"


async def test_an_event_passes_all_stations_in_order_and_arrives(api: Api) -> None:
    async with Socket("/api/stream/projects/tower", key=api.key) as socket:
        await socket.frame()
        answer = await api.post(DOOR)
        frame = await socket.frame()

    assert answer.status_code == 200
    trial = answer.json()
    stations = ("receivedAt", "storedAt", "rungAt", "answeredAt")
    times = [datetime.fromisoformat(trial[name]) for name in stations]
    assert times[0] < times[1] < times[3]
    assert times[0] < times[2] < times[3]
    assert (frame["type"], frame["data"]["testId"]) == ("bridge.test", trial["testId"])


def test_each_click_sends_an_event_of_its_own(project: Project, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    ids = {client.post(DOOR).json()["testId"] for _ in range(2)}

    assert {event.data["testId"] for event in RawEvent.objects.all()} == ids
    assert len(ids) == 2


def test_a_doorbell_that_does_not_ring_is_told_and_the_event_is_kept(
    project: Project, alice: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHANNEL_LAYERS = named("DeafLayer")
    monkeypatch.setattr(listening, "HEARD_WITHIN_S", 0.2)
    client = Client()
    client.force_login(alice)
    trial = client.post(DOOR).json()

    assert trial["storedAt"]
    assert trial["rungAt"] is None
    assert RawEvent.objects.get().data["testId"] == trial["testId"]


async def test_it_is_for_members_and_for_keys_that_may_record(
    api: Api, project: Project, charlie: User
) -> None:
    def ask() -> list[int]:
        stranger = Client()
        stranger.force_login(charlie)
        reader = make_key(project, "reader", scopes=["read"])[1]
        return [
            stranger.post(DOOR).status_code,
            Client().post(DOOR, headers={"authorization": f"Bearer {reader}"}).status_code,
            Client().post(DOOR).status_code,
        ]

    assert await sync_to_async(ask)() == [404, 403, 401]
    assert (await api.get(DOOR)).status_code == 405
