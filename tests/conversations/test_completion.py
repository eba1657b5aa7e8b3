"""How a conversation ends: by its completion, whenever that comes."""

from typing import Any

from tests.clients import NOW, Api, Json, opened, told


def end(conversation: str, **data: Any) -> Json:
    return {"conversation_id": conversation, "status": "completed", **data}


async def test_totals_are_those_of_the_stored_messages(api: Api) -> None:
    conversation = await api.start()
    await api.say(conversation, "a", "b", tokens_used=10, cost=0.1, duration_ms=100)
    reported = {
        "total_messages": 9,
        "total_turns": 4,
        "total_tokens": 900,
        "total_cost": 9.5,
        "duration_seconds": 12.5,
    }
    await api.ingest("conversation.completed", end(conversation, **reported))

    found = await api.conversation(conversation)

    assert (found["totalMessages"], found["totalTokens"], found["totalCost"]) == (2, 20, 0.2)
    assert found["totalDuration"] == 12_500
    assert found["metadata"]["reported"] == {
        "totalMessages": 9,
        "totalTurns": 4,
        "totalTokens": 900,
        "totalCost": 9.5,
        "totalDuration": 12_500,
    }


async def test_camel_case_reports_are_kept_beside_the_totals_too(api: Api) -> None:
    started = await api.ingest("conversation.started", opened())
    conversation = started.json()["conversationId"]
    metrics = {"totalTokens": 15, "cost": 0.1, "duration": 100}
    await api.ingest("message.created", told(conversation, "a", metrics=metrics))
    reported = {"totalMessages": 9, "totalTokens": 900, "totalCost": 9.5, "totalDuration": 0}
    await api.ingest("conversation.completed", {"conversationId": conversation, **reported})

    found = await api.conversation(conversation)

    assert (found["totalMessages"], found["totalTokens"], found["totalCost"]) == (1, 15, 0.1)
    assert found["totalDuration"] == 0
    assert found["metadata"]["reported"] == reported


async def test_without_a_report_the_duration_is_that_of_the_messages(api: Api) -> None:
    conversation = await api.start()
    await api.say(conversation, "a", "b", duration_ms=100)
    await api.ingest("conversation.completed", end(conversation))

    found = await api.conversation(conversation)

    assert found["totalDuration"] == 200
    assert "reported" not in found["metadata"]


async def test_late_messages_are_taken_and_counted(api: Api) -> None:
    conversation = await api.start()
    await api.ingest("conversation.completed", end(conversation))
    await api.say(conversation, "late", tokens_used=5)

    found = await api.conversation(conversation)

    assert (found["status"], found["totalMessages"], found["totalTokens"]) == ("COMPLETED", 1, 5)


async def test_completion_decides_also_after_an_error(api: Api) -> None:
    conversation = await api.start()
    await api.ingest("conversation.error", {"conversation_id": conversation, "error_message": "e"})
    await api.ingest("conversation.completed", end(conversation))

    found = await api.conversation(conversation)

    assert (found["status"], found["errorMessage"]) == ("COMPLETED", "e")


async def test_an_error_after_completion_does_not_change_the_status(api: Api) -> None:
    for status, shown in (("completed", "COMPLETED"), ("interrupted", "INTERRUPTED")):
        conversation = await api.start()
        await api.ingest("conversation.completed", end(conversation, status=status))
        error = {"conversation_id": conversation, "error_message": "e"}
        await api.ingest("conversation.error", error)

        found = await api.conversation(conversation)
        assert (found["status"], found["errorMessage"]) == (shown, "e")


async def test_a_start_after_completion_does_not_open_it_again(api: Api) -> None:
    await api.ingest("conversation.completed", end("s-1", total_messages=3), timestamp=NOW)
    await api.start("s-1")

    found = await api.conversation("s-1")

    assert (found["status"], found["completedAt"]) == ("COMPLETED", NOW)
    assert found["metadata"]["reported"] == {"totalMessages": 3}


async def test_an_interrupted_completion_is_told_as_an_interruption(api: Api) -> None:
    for status, kind in (
        ("completed", "conversation.completed"),
        ("interrupted", "conversation.interrupted"),
        ("error", "conversation.completed"),
    ):
        conversation = await api.start()
        await api.ingest("conversation.completed", end(conversation, status=status))

        assert (await api.events(conversation))[-1]["type"] == kind


async def test_a_status_that_nobody_knows_is_a_completion_and_kept(api: Api) -> None:
    conversation = await api.start()
    await api.ingest("conversation.completed", end(conversation, status="exploded"))

    found = await api.conversation(conversation)

    assert (found["status"], found["metadata"]["reportedStatus"]) == ("COMPLETED", "exploded")
