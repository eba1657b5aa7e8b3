"""What a program does with the client, against a real server."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest

from agentpipe_client import (
    AgentPipe,
    AsyncAgentPipe,
    BadAddress,
    Conflict,
    Message,
    Metrics,
    NotAuthenticated,
    NotFound,
    Participant,
    Patience,
    Refused,
)
from agentpipe_client.server import Server as Address
from tests.clients import Json, said
from tests.python_client.scripted import HangsUp, Says, scripted
from tests.servers import Server, wait_for

ADA = Participant(agent_id="a-1", agent_type="claude", agent_name="Ada")


def words(content: str) -> Message:
    return Message(
        agent_id="a-1",
        agent_name="Ada",
        agent_type="claude",
        content=content,
        metrics=Metrics(total_tokens=7, cost=0.25),
    )


@pytest.mark.processes
def test_a_conversation_is_told_from_its_start_to_its_end(client: AgentPipe) -> None:
    conversation = client.start_conversation(
        mode="round-robin", initial_prompt="Design a tower", participants=[ADA], name="Tower"
    )
    client.send_message(conversation, words("one"))
    client.send_message(conversation, words("two"))
    client.report_error("Oh", conversation, error_code="E1")
    client.complete_conversation(conversation, reason="max_turns", total_messages=2)

    found = client.conversation(conversation)
    assert (found["name"], found["status"]) == ("Tower", "COMPLETED")
    assert (found["totalMessages"], found["totalTokens"], found["totalCost"]) == (2, 14, 0.5)
    assert found["metadata"]["completionReason"] == "max_turns"
    assert found["errorMessage"] == "Oh"
    assert [message["content"] for message in client.messages(conversation)] == ["one", "two"]


@pytest.mark.processes
async def test_the_same_can_be_awaited(server: Server, key: str) -> None:
    async with AsyncAgentPipe(server.url, key) as client:
        conversation = await client.start_conversation(
            mode="free-form", initial_prompt="Design a tower", participants=[ADA]
        )
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(client.send_message(conversation, words(str(number))))
        await client.interrupt_conversation(conversation, reason="ctrl-c")

        found = await client.conversation(conversation)
        contents = {message["content"] async for message in client.messages(conversation)}
        ids = [listed["id"] async for listed in client.conversations(status="INTERRUPTED")]
    assert found["status"] == "INTERRUPTED"
    assert contents == {"0", "1", "2", "3", "4"}
    assert conversation in ids


@pytest.mark.processes
def test_long_lists_are_read_to_their_end(client: AgentPipe) -> None:
    conversation = str(uuid4())
    answer = client.send_batch(
        {"type": "message.created", "data": said(f"{conversation}/{number % 120}", str(number))}
        for number in range(360)
    )
    more = client.send_batch(
        {"type": "message.created", "data": said(conversation, str(number))}
        for number in range(250)
    )

    assert (answer.accepted, more.accepted) == (360, 250)
    contents = [message["content"] for message in client.messages(conversation)]
    assert contents == [str(number) for number in range(250)]
    ids = [found["id"] for found in client.conversations()]
    assert len(ids) == len(set(ids))
    assert len([found for found in ids if found.startswith(f"{conversation}/")]) == 120
    # That much is read for search by a job.
    wait_for(lambda: len({found["id"] for found in client.conversations(q='"119"')}) == 2)


@pytest.mark.processes
def test_a_batch_says_what_became_of_each(client: AgentPipe) -> None:
    good: Json = {"type": "message.created", "data": said(str(uuid4()), "one")}
    answer = client.send_batch([good, {"type": "tower.built", "data": {}}, good])

    assert [result.status for result in answer.results] == [201, 400, 201]
    assert [result.is_recorded for result in answer.results] == [True, False, True]
    assert (answer.accepted, answer.rejected) == (2, 1)


@pytest.mark.processes
def test_refusals_have_types(client: AgentPipe, server: Server) -> None:
    with pytest.raises(NotFound):
        client.conversation("nowhere")
    with pytest.raises(Refused) as caught:
        client.start_conversation(mode="round-robin", initial_prompt="", participants=[])
    assert caught.value.status == 400
    assert caught.value.field == "data.initialPrompt"
    assert len(caught.value.details) == 2
    with AgentPipe(server.url, "wrong") as stranger, pytest.raises(NotAuthenticated):
        stranger.conversation("nowhere")


@pytest.mark.processes
def test_a_session_is_uploaded_once_and_comes_back_as_it_was(
    client: AgentPipe, tmp_path: Path
) -> None:
    session = {
        "session": {
            "name": "Tower",
            "mode": "round-robin",
            "initialPrompt": "Design a tower",
            "status": "COMPLETED",
            "startedAt": "2026-11-21T10:00:00Z",
            "completedAt": "2026-11-21T11:00:00Z",
            "metadata": {"originalId": str(uuid4())},
        },
        "participants": [{"agentId": "a-1", "agentType": "claude", "agentName": "Ada"}],
        "messages": [],
    }
    uploaded = client.upload_session(session)
    with pytest.raises(Conflict) as caught:
        client.upload_session(session)
    exported = tmp_path / "tower.json"
    client.export_conversation(uploaded["conversationId"], exported)

    assert caught.value.existing_conversation_id == uploaded["conversationId"]
    assert json.loads(exported.read_text())["session"]["name"] == "Tower"


@pytest.mark.processes
def test_imports_can_be_listed_watched_and_stopped(client: AgentPipe, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text(json.dumps({"type": "message.created", "data": said(str(uuid4()), "one")}))
    job = client.create_job(log, project="default")
    *_, last = client.watch_job(job.id, project="default")

    assert (last.status, last.new) == ("completed", 1)
    assert job.id in [found.id for found in client.jobs(project="default")]
    with pytest.raises(Refused):
        client.cancel_job(job.id, project="default")


def test_an_export_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "tower.zip"
    path.write_bytes(b"An older one")
    broken = Says(200, b"half", {"Content-Length": "100", "Connection": "close"})
    with (
        scripted(broken, HangsUp(), Says(503), Says(200, b"whole")) as server,
        AgentPipe(server.url, "key", patience=Patience(first_wait_s=0.001)) as client,
    ):
        client.export_project("default", path)

    assert path.read_bytes() == b"whole"
    assert [found.name for found in tmp_path.iterdir()] == ["tower.zip"]
    assert server.asked[0].path == "/api/projects/default/export"


def test_the_server_and_the_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTPIPE_STREAM_URL", "https://tower.example/api/ingest")
    monkeypatch.setenv("AGENTPIPE_STREAM_API_KEY", "tool")
    assert Address.named() == Address("https://tower.example", "tool")

    monkeypatch.setenv("AGENTPIPE_URL", "http://localhost:9000/")
    monkeypatch.setenv("AGENTPIPE_API_KEY", "ours\n")
    assert Address.named() == Address("http://localhost:9000", "ours")
    assert Address.named("http://other", "given") == Address("http://other", "given")
    assert "ours" not in repr(Address.named())
    with pytest.raises(BadAddress):
        Address.named("localhost:8000")
