"""The camelCase dialect, type by type."""

import re

from tests.clients import NOW, Api, opened, told

OWN_ID = re.compile(r"c[a-z0-9]{24}")
NOBODY = "c" + "0" * 24


async def start(api: Api, **data: object) -> str:
    answer = await api.ingest("conversation.started", opened(**data), timestamp=NOW)
    assert answer.status_code == 201, answer.text
    conversation: str = answer.json()["conversationId"]
    return conversation


async def test_a_start_is_given_an_id_of_the_record(api: Api) -> None:
    answer = await api.ingest("conversation.started", opened())

    assert answer.status_code == 201
    assert answer.json() == {"conversationId": answer.json()["conversationId"], "status": "created"}
    assert OWN_ID.fullmatch(answer.json()["conversationId"])


async def test_a_start_is_kept_with_all_it_says(api: Api) -> None:
    agent = {
        "agentId": "a-1",
        "agentType": "claude",
        "agentName": "Ada",
        "agentVersion": "2.1",
        "model": "large",
        "prompt": "Be brief",
        "announcement": "Ada has joined",
        "settings": {"temperature": 0.5},
    }
    conversation = await start(
        api,
        name="Towers",
        maxTurns=7,
        participants=[agent],
        metadata={"topic": "towers", "source": "mine"},
    )

    found = await api.conversation(conversation)

    assert (found["name"], found["mode"], found["maxTurns"]) == ("Towers", "round-robin", 7)
    assert (found["status"], found["kind"], found["source"]) == ("ACTIVE", "recorded", "cli")
    assert (found["initialPrompt"], found["startedAt"]) == ("Design a tower", NOW)
    assert found["participants"] == [agent]
    assert found["metadata"].pop("ingestedAt")
    assert found["metadata"] == {"topic": "towers", "source": "cli"}


async def test_a_start_without_a_name_is_named_after_its_time(api: Api) -> None:
    assert (await api.conversation(await start(api)))["name"] == f"Conversation {NOW}"


async def test_a_message_is_kept_with_all_it_says(api: Api) -> None:
    conversation = await start(api)
    metrics = {
        "duration": 1500,
        "inputTokens": 10,
        "outputTokens": 5,
        "totalTokens": 15,
        "model": "large",
        "cost": 0.00125,
    }
    answer = await api.ingest(
        "message.created",
        told(conversation, "Steel", sequenceNumber=4, agentVersion="2.1", metrics=metrics),
    )

    assert answer.status_code == 201
    assert answer.json() == {"messageId": answer.json()["messageId"], "status": "created"}
    assert await api.messages(conversation) == [
        {
            "id": answer.json()["messageId"],
            "conversationId": conversation,
            "agentId": "a-1",
            "agentName": "Ada",
            "agentType": "claude",
            "agentVersion": "2.1",
            "role": "agent",
            "content": "Steel",
            "timestamp": NOW,
            "sequenceNumber": 4,
            "turnNumber": None,
            "status": "completed",
            "metadata": {},
            **metrics,
        }
    ]


async def test_metrics_that_are_not_given_are_null_and_count_nothing(api: Api) -> None:
    conversation = await start(api)
    await api.ingest("message.created", told(conversation, "Steel"))

    [message] = await api.messages(conversation)
    found = await api.conversation(conversation)

    absent = ("duration", "inputTokens", "outputTokens", "totalTokens", "cost", "model")
    assert [message[name] for name in absent] == [None] * len(absent)
    assert (found["totalMessages"], found["totalTokens"], found["totalCost"]) == (1, 0, 0)


async def test_a_message_for_nobody_is_refused(api: Api) -> None:
    answer = await api.ingest("message.created", told(NOBODY, "Hello?"))

    assert answer.status_code == 404
    assert answer.json() == {"error": "Conversation not found", "conversationId": NOBODY}


async def test_a_completion_merges_its_reason_into_the_metadata(api: Api) -> None:
    conversation = await start(api, metadata={"topic": "towers"})
    answer = await api.ingest(
        "conversation.completed",
        {
            "conversationId": conversation,
            "totalMessages": 3,
            "totalTokens": 40,
            "totalCost": 0.5,
            "totalDuration": 9000,
            "completionReason": "max_turns",
        },
        timestamp=NOW,
    )

    found = await api.conversation(conversation)

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (found["status"], found["completedAt"]) == ("COMPLETED", NOW)
    assert found["metadata"]["completionReason"] == "max_turns"
    assert (found["metadata"]["topic"], found["metadata"]["source"]) == ("towers", "cli")


async def test_an_interruption_merges_its_reason_into_the_metadata(api: Api) -> None:
    conversation = await start(api, metadata={"topic": "towers"})
    answer = await api.ingest(
        "conversation.interrupted",
        {"conversationId": conversation, "reason": "ctrl-c"},
        timestamp=NOW,
    )

    found = await api.conversation(conversation)

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (found["status"], found["completedAt"]) == ("INTERRUPTED", NOW)
    assert found["metadata"]["interruptReason"] == "ctrl-c"
    assert found["metadata"]["topic"] == "towers"


async def test_the_end_of_an_unknown_conversation_is_refused(api: Api) -> None:
    totals = {"totalMessages": 0, "totalTokens": 0, "totalCost": 0, "totalDuration": 0}
    for kind in ("conversation.completed", "conversation.interrupted"):
        answer = await api.ingest(kind, {"conversationId": NOBODY, **totals})

        assert answer.status_code == 404
        assert answer.json() == {"error": "Conversation not found", "conversationId": NOBODY}


async def test_an_error_is_an_event_and_the_message_of_its_conversation(api: Api) -> None:
    conversation = await start(api)
    error = {
        "conversationId": conversation,
        "error": "Out of steel",
        "errorCode": "E7",
        "agentId": "a-1",
        "details": {"stock": 0},
    }
    answer = await api.ingest("error.occurred", error, timestamp=NOW)

    found = await api.conversation(conversation)
    frame = (await api.events(conversation))[-1]

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (found["errorMessage"], found["status"]) == ("Out of steel", "ACTIVE")
    assert (frame["type"], frame["timestamp"], frame["data"]) == ("error.occurred", NOW, error)


async def test_an_error_without_a_known_conversation_is_kept(api: Api) -> None:
    for conversation in ("", None, NOBODY):
        error = {"conversationId": conversation, "error": "Out of steel", "details": None}
        answer = await api.ingest("error.occurred", error)

        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (await api.get("/api/conversations")).json()["total"] == 0


async def test_null_in_an_optional_field_is_absent(api: Api) -> None:
    conversation = await start(api, name=None, maxTurns=None, metadata=None)
    message = told(conversation, "Steel", metrics=None, sequenceNumber=None, agentVersion=None)

    assert (await api.ingest("message.created", message, timestamp=None)).status_code == 201
    assert (await api.conversation(conversation))["maxTurns"] is None


async def test_fields_that_nobody_knows_are_passed_over(api: Api) -> None:
    conversation = await start(api, colour="red")
    answer = await api.ingest("message.created", told(conversation, "Steel", colour="red"))

    assert answer.status_code == 201
    assert (await api.messages(conversation))[0]["metadata"] == {}
