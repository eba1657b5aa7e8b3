"""Two dialects at one door, told apart by the event itself."""

import json

import pytest

from tests.clients import Api

SNAKE_REFUSAL = "data.conversation_id"


async def test_a_conversation_id_in_the_data_makes_it_snake_case(api: Api) -> None:
    for kind in ("conversation.started", "message.created", "conversation.completed"):
        answer = await api.ingest(kind, {"conversation_id": 7})

        assert (answer.status_code, answer.json()["field"]) == (400, SNAKE_REFUSAL)


@pytest.mark.parametrize(
    "kind", ["bridge.connected", "bridge.test", "bridge.new", "conversation.error", "log.entry"]
)
async def test_some_types_are_snake_case_whatever_they_hold(api: Api, kind: str) -> None:
    answer = await api.ingest(kind, {"conversationId": "x"})

    assert answer.status_code == 200, answer.text


async def test_anything_else_is_camel_case(api: Api) -> None:
    unfit: list[object] = [{}, [], "conversation_id", None, {"conversationId": 7}]
    for data in unfit:
        answer = await api.ingest("message.created", data)

        assert answer.status_code == 400
        assert answer.json()["details"][0]["path"][:2] in (["data"], ["data", "conversationId"])


async def test_an_unknown_type_is_refused_in_camel_case_and_kept_in_snake_case(api: Api) -> None:
    camel = await api.ingest("tower.built", {"conversationId": "x"})
    snake = await api.ingest("tower.built", {"conversation_id": "x"})

    assert (camel.status_code, camel.json()) == (400, {"error": "Unknown event type"})
    assert (snake.status_code, snake.json()) == (200, {"success": True})


async def test_types_of_the_other_dialect_are_unknown_types(api: Api) -> None:
    snake = await api.ingest("error.occurred", {"conversation_id": "x", "error": 7})

    assert (snake.status_code, snake.json()) == (200, {"success": True})


@pytest.mark.parametrize("kind", [None, "", 7, [], {}])
async def test_a_type_that_is_missing_or_no_text_is_named(api: Api, kind: object) -> None:
    answer = await api.post("/api/ingest", json={"type": kind, "data": {"conversation_id": "x"}})

    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["field"]) == ("Validation failed", "type")


@pytest.mark.parametrize("event", [[], "text", 7, None, True])
async def test_an_event_is_an_object(api: Api, event: object) -> None:
    answer = await api.post(
        "/api/ingest", content=json.dumps(event), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Validation failed",
        "message": "Expected an object",
        "field": "",
        "details": [{"path": [], "message": "Expected an object", "code": "invalid_type"}],
    }


async def test_snake_case_data_that_is_no_object_is_kept_too(api: Api) -> None:
    for data in ("text", [1], 7):
        answer = await api.ingest("log.entry", data)

        assert (answer.status_code, answer.json()) == (200, {"success": True})
