"""The snake_case dialect, type by type. What can be stored is never refused."""

from uuid import uuid4

from asgiref.sync import sync_to_async

from conversations.models import RawEvent
from tests.clients import NOW, Api, Json, said, started


async def test_a_bridge_that_connects_is_greeted(api: Api) -> None:
    for kind in ("bridge.connected", "bridge.test"):
        info = {"agentpipe_version": "0.4", "os": "linux", "arch": "amd64"}
        answer = await api.ingest(kind, {"system_info": info, "connected_at": NOW})

        assert answer.status_code == 200
        assert answer.json().keys() == {"success", "message", "received_at"}
        assert answer.json()["success"] is True
        assert answer.json()["received_at"].endswith("Z")


async def test_a_bridge_may_have_nothing_to_say(api: Api) -> None:
    envelopes: list[Json] = [{"data": {}}, {"data": None}, {}]
    for envelope in envelopes:
        answer = await api.post("/api/ingest", json={"type": "bridge.test", **envelope})

        assert answer.status_code == 200, answer.text


async def test_a_start_keeps_the_id_of_its_sender(api: Api) -> None:
    conversation = str(uuid4())
    answer = await api.ingest("conversation.started", started(conversation))

    assert (answer.status_code, answer.json()) == (201, {"conversation_id": conversation})
    assert (await api.conversation(conversation))["id"] == conversation


async def test_a_start_is_kept_with_all_it_says(api: Api) -> None:
    conversation = await api.start(
        max_turns=7,
        initial_prompt="Design a tower\nof steel",
        participants=[
            {
                "agent_id": "a-1",
                "agent_type": "claude",
                "model": "large",
                "name": "Ada",
                "prompt": "Be brief",
                "cli_version": "2.1",
                "colour": "red",
            }
        ],
        system_info={"agentpipe_version": "0.4", "os_version": "6", "go_version": "1", "arch": "a"},
        command={"full_command": "agentpipe run", "args": ["run"], "mode": "round-robin"},
    )

    found = await api.conversation(conversation)

    assert (found["name"], found["maxTurns"]) == ("Design a tower", 7)
    assert found["participants"] == [
        {
            "agentId": "a-1",
            "agentType": "claude",
            "agentName": "Ada",
            "agentVersion": "2.1",
            "model": "large",
            "prompt": "Be brief",
            "announcement": None,
            "settings": {"colour": "red"},
        }
    ]
    assert found["systemInfo"] == {
        "agentpipeVersion": "0.4",
        "osVersion": "6",
        "goVersion": "1",
        "architecture": "a",
    }
    assert found["metadata"]["command"]["full_command"] == "agentpipe run"


async def test_participants_may_be_called_agents(api: Api) -> None:
    agents = [{"agent_type": "claude", "name": "Ada", "agent_version": "2.1"}]
    for data in ({"agents": agents}, {"participants": None, "agents": agents}):
        conversation = str(uuid4())
        body = {"conversation_id": conversation, "mode": "reactive", **data}
        assert (await api.ingest("conversation.started", body)).status_code == 201

        [participant] = (await api.conversation(conversation))["participants"]
        assert (participant["agentName"], participant["agentVersion"]) == ("Ada", "2.1")


async def test_two_agents_of_one_type_are_two_participants(api: Api) -> None:
    twins = [{"agent_id": f"a-{number}", "agent_type": "claude"} for number in (1, 2)]
    conversation = await api.start(participants=twins)

    participants = (await api.conversation(conversation))["participants"]

    assert [participant["agentId"] for participant in participants] == ["a-1", "a-2"]


async def test_a_message_is_kept_with_all_it_says(api: Api) -> None:
    conversation = await api.start()
    answer = await api.ingest(
        "message.created",
        said(
            conversation,
            "Steel",
            message_id="m-1",
            role="assistant",
            sequence_number=4,
            turn_number=2,
            tokens_used=15,
            input_tokens=10,
            output_tokens=5,
            cost=0.00125,
            model="large",
            duration_ms=1500,
            colour="red",
        ),
        timestamp=NOW,
    )

    assert (answer.status_code, answer.json()) == (201, {"message_id": "m-1"})
    assert await api.messages(conversation) == [
        {
            "id": "m-1",
            "conversationId": conversation,
            "agentId": "a-1",
            "agentName": "Ada",
            "agentType": "claude",
            "agentVersion": None,
            "role": "assistant",
            "content": "Steel",
            "timestamp": NOW,
            "sequenceNumber": 4,
            "turnNumber": 2,
            "model": "large",
            "duration": 1500,
            "inputTokens": 10,
            "outputTokens": 5,
            "totalTokens": 15,
            "cost": 0.00125,
            "status": "completed",
            "metadata": {"colour": "red"},
        }
    ]


async def test_what_a_message_leaves_out_is_zero_or_empty(api: Api) -> None:
    conversation = await api.start()
    bare = {"conversation_id": conversation, "agent_type": "claude"}
    answer = await api.ingest("message.created", bare)

    [message] = await api.messages(conversation)

    assert answer.json() == {"message_id": message["id"]}
    assert (message["content"], message["agentId"], message["role"]) == ("", "", "agent")
    zeros = ("turnNumber", "duration", "inputTokens", "outputTokens", "totalTokens", "cost")
    assert [message[name] for name in zeros] == [0] * len(zeros)


async def test_content_is_bounded_only_by_the_body(api: Api) -> None:
    conversation = await api.start(initial_prompt="")
    long = "x" * 1_000_000
    await api.say(conversation, long)

    assert (await api.messages(conversation))[0]["content"] == long


async def test_a_completion_keeps_its_summary(api: Api) -> None:
    conversation = await api.start()
    summary = {"short_text": "Steel", "text": "It is steel.", "agent_type": "claude", "mood": "up"}
    answer = await api.ingest(
        "conversation.completed",
        {"conversation_id": conversation, "status": "completed", "summary": summary, "colour": 1},
        timestamp=NOW,
    )

    found = await api.conversation(conversation)

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (found["status"], found["completedAt"]) == ("COMPLETED", NOW)
    assert found["summary"] == {
        "shortText": "Steel",
        "text": "It is steel.",
        "agentType": "claude",
        "model": "",
        "inputTokens": 0,
        "outputTokens": 0,
        "totalTokens": 0,
        "cost": 0,
        "duration": 0,
        "mood": "up",
    }
    assert found["metadata"]["colour"] == 1


async def test_a_completion_says_how_it_ended(api: Api) -> None:
    for said_status, shown in (
        ("completed", "COMPLETED"),
        ("interrupted", "INTERRUPTED"),
        ("error", "ERROR"),
        (None, "COMPLETED"),
    ):
        conversation = await api.start()
        data = {"conversation_id": conversation, "status": said_status}
        await api.ingest("conversation.completed", data)

        assert (await api.conversation(conversation))["status"] == shown


async def test_an_error_is_not_the_end(api: Api) -> None:
    conversation = await api.start()
    error = {"conversation_id": conversation, "error_message": "Out of steel", "error_type": "E"}
    answer = await api.ingest("conversation.error", error)

    found = await api.conversation(conversation)

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (found["status"], found["errorMessage"]) == ("ERROR", "Out of steel")
    assert found["completedAt"] is None
    await api.say(conversation, "More steel")
    assert (await api.conversation(conversation))["totalMessages"] == 1


async def test_a_log_entry_never_makes_a_message(api: Api) -> None:
    conversation = await api.start()
    for level in ("message", "error", "system"):
        entry = {"conversation_id": conversation, "level": level, "content": "Steel", "role": "x"}
        answer = await api.ingest("log.entry", entry)

        assert (answer.status_code, answer.json()) == (200, {"success": True})
    found = await api.conversation(conversation)
    frame = (await api.events(conversation))[-1]
    assert (found["totalMessages"], found["status"]) == (0, "ACTIVE")
    assert (frame["type"], frame["data"]["content"]) == ("log.entry", "Steel")


async def test_a_kind_that_nobody_knows_is_kept_in_silence(api: Api) -> None:
    conversation = await api.start()
    data = {"conversation_id": conversation, "blueprint": [1, 2]}
    answer = await api.ingest("blueprint.drawn", data, timestamp=NOW)

    raw = await sync_to_async(RawEvent.objects.select_related("conversation").get)()

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (raw.kind, raw.data) == ("blueprint.drawn", data)
    assert raw.conversation
    assert raw.conversation.public_id == conversation
    assert len(await api.events(conversation)) == 1


async def test_what_does_not_fit_is_absent(api: Api) -> None:
    conversation = await api.start(max_turns="many", system_info="linux", participants="Ada")
    await api.say(
        conversation,
        "Steel",
        agent_name=7,
        cost=-1,
        tokens_used="many",
        turn_number=1.5,
        duration_ms=True,
    )

    found = await api.conversation(conversation)
    [message] = await api.messages(conversation)

    assert (found["maxTurns"], found["systemInfo"], found["participants"]) == (None, None, [])
    assert (message["agentName"], message["cost"], message["totalTokens"]) == ("", 0, 0)
    assert (message["turnNumber"], message["duration"]) == (0, 0)


async def test_a_message_id_that_cannot_be_kept_is_absent(api: Api) -> None:
    conversation = await api.start()
    for unfit in ("", None, 7, "x" * 201):
        answer = await api.ingest("message.created", said(conversation, "Hi", message_id=unfit))

        assert answer.status_code == 201
        assert answer.json()["message_id"] not in (unfit, "")


async def test_only_an_id_or_a_text_of_the_wrong_kind_is_refused(api: Api) -> None:
    for data, field in (
        (said("", "Steel"), "data.conversation_id"),
        ({**said("x", ""), "conversation_id": 7}, "data.conversation_id"),
        (said("x" * 201, "Steel"), "data.conversation_id"),
        ({**said("x", ""), "content": 7}, "data.content"),
    ):
        answer = await api.ingest("message.created", data)

        assert (answer.status_code, answer.json()["field"]) == (400, field)
