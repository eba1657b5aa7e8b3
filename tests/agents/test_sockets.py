"""What sockets tell of agents at work: runs to all who follow the project, steps to who asks."""

import pytest
from channels.db import database_sync_to_async

from agents import scribe
from conversations.models import Project
from conversations.services import make_key
from tests.agents.chatting import Chatting, kinds, said, token_of
from tests.clients import Api, Json, Socket

pytestmark = pytest.mark.usefixtures("worker")

PROJECT = "/api/stream/projects/tower"
STORY: list[Json] = [
    {"plan": [{"text": "Measure", "status": "completed"}, {"text": "Tell"}]},
    {"think": "It is a tower."},
    {"tool": "measure", "args": {"what": "tower"}, "result": "42 m", "summary": "42 metres"},
    {"say": "It is 42 m high, because I measured [1].", "pieces": 4},
    {"usage": {"input_tokens": 10, "output_tokens": 5, "cost": "0.000125"}},
]


async def frames_until(socket: Socket, kind: str) -> list[Json]:
    frames: list[Json] = []
    while not frames or frames[-1]["type"] != kind:
        frames.append(await socket.frame())
    return frames


async def subscribed(socket: Socket, stream: str, **given: object) -> Json:
    await socket.send_json_to({"action": "subscribe", "stream": stream, **given})
    return await socket.frame()


async def told_on(socket: Socket, stream: str) -> list[Json]:
    """The frames of one stream, until the server has ended it."""
    frames: list[Json] = []
    while True:
        frame = await socket.frame()
        if frame["type"] == "unsubscribed":
            assert frame["stream"] == stream
            return frames
        frames.append(frame)


async def test_a_project_is_told_of_runs_and_not_of_pieces(chatting: Chatting, key: str) -> None:
    chat = await chatting.open()
    async with (
        Socket(PROJECT, key=key) as project,
        Socket(f"/api/stream/conversations/{chat}", key=key) as conversation,
    ):
        for socket in (project, conversation):
            assert (await socket.frame())["type"] == "connected"
        asked = await chatting.ask(chat, *STORY)
        frames = await frames_until(project, "agent.run.completed")
        of_chat = await frames_until(conversation, "agent.run.completed")

    told = [frame["type"] for frame in frames]
    assert [kind for kind in told if kind not in {"agent.progress", "agent.complete"}] == [
        *["message.created", "agent.run.created", "agent.run.updated"],
        *["agent.step.updated", "agent.step.updated"],
        *["message.created", "agent.message.appended", "agent.run.completed"],
    ]
    assert [frame["type"] for frame in of_chat] == told
    assert [frame["seq"] for frame in frames] == list(
        range(frames[0]["seq"], frames[0]["seq"] + len(frames))
    )
    runs = [frame["run"] for frame in frames if "run" in frame]
    assert [run["status"] for run in runs] == ["queued", "running", "completed"]
    assert {run["messageId"] for run in runs} == {asked["message_id"]}
    begun, ended = (frame["step"] for frame in frames if "step" in frame)
    assert (begun["status"], begun["name"], begun["ms"]) == ("running", "measure", None)
    assert (ended["status"], ended["resultSummary"]) == ("ok", "42 metres")
    assert begun["id"] == ended["id"]
    appended = next(frame["message"] for frame in frames if "message" in frame)
    assert (appended["id"], appended["runId"]) == (asked["answer_id"], runs[0]["id"])
    assert (appended["content"], appended["status"], appended["cost"]) == (
        "It is 42 m high, because I measured [1].",
        "completed",
        0.000125,
    )


async def test_progress_says_how_far_it_is_and_what_is_new(
    chatting: Chatting, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once for the plan, then at the end: in between it takes no time that could be told.
    monkeypatch.setattr(scribe, "PROGRESS_EVERY_S", 3600)
    chat = await chatting.open()
    async with Socket(PROJECT, key=key) as socket:
        await socket.frame()
        await chatting.ask(chat, *STORY)
        frames = await frames_until(socket, "agent.run.completed")

    first, *progress, last = [
        frame["progress"] for frame in frames if frame["type"] == "agent.progress"
    ]
    assert (first["percentage"], first["totalSteps"], first["status"]) == (0, 0, "running")
    assert (last["percentage"], last["progress"], last["status"]) == (100, 100, "completed")
    assert progress
    for shape in progress:
        assert shape["percentage"] == shape["progress"] == 50
        assert (shape["currentStep"], shape["totalSteps"]) == (2, 2)
        assert (shape["agentId"], shape["status"]) == ("scripted", "running")
    (speaking,) = [shape for shape in progress if shape["content"]]
    assert speaking["content"] == "It is 42 m high, because I measured [1]."
    assert speaking["reasoning"] == "It is a tower."
    assert speaking["confidence"] == 0.9


async def test_only_the_agents_that_one_asks_for(chatting: Chatting, key: str) -> None:
    chat = await chatting.open()
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        of_agents = {"types": ["agent.run.*"], "agentIds": ["scripted"]}
        await subscribed(socket, "project:tower", **of_agents)
        other = await chatting.ask(chat, agent_id="guide")
        await chatting.ended(other)
        await chatting.ask(chat, {"say": "Done."})
        frames = await frames_until(socket, "agent.run.completed")
    assert {frame["type"].rpartition(".")[0] for frame in frames} == {"agent.run"}
    assert {frame["run"]["agentId"] for frame in frames} == {"scripted"}


async def test_an_answer_is_followed_on_a_socket_of_many_streams(
    chatting: Chatting, key: str
) -> None:
    asked = await chatting.ask(await chatting.open(), *STORY)
    stream = f"message:{asked['message_id']}"
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        assert (await subscribed(socket, stream))["type"] == "subscribed"
        frames = await told_on(socket, stream)
        # Who comes late gets all of it too, and by the id of the answer as well.
        late = f"message:{asked['answer_id']}"
        await subscribed(socket, late)
        assert [frame["id"] for frame in await told_on(socket, late)] == [
            frame["id"] for frame in frames
        ]
        await subscribed(socket, stream, since=frames[2]["id"])
        assert await told_on(socket, stream) == frames[3:]

    assert {frame["stream"] for frame in frames} == {stream}
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    assert kinds(frames)[0] == "start"
    assert kinds(frames)[-1] == "end"
    assert said(frames) == (await chatting.answer(asked))["content"]


async def test_a_run_without_a_chat_is_followed_by_its_id(api: Api, key: str) -> None:
    body = {"agentId": "scripted", "prompt": "Go on", "metadata": {"script": STORY}}
    run = (await api.post("/api/projects/tower/runs", json=body)).json()["run"]
    async with Socket("/api/stream", key=key) as socket:
        await socket.frame()
        assert (await subscribed(socket, f"run:{run['id']}"))["type"] == "subscribed"
        frames = await told_on(socket, f"run:{run['id']}")
    assert said(frames) == "It is 42 m high, because I measured [1]."
    assert frames[0]["run_id"] == run["id"]


async def test_a_stream_token_opens_the_answer_and_nothing_else(
    chatting: Chatting, api: Api
) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, {"say": "One."})
    other = await chatting.ask(chat, {"say": "Two."})
    given = await api.post("/api/stream-tokens", json={"stream": f"message:{asked['message_id']}"})
    for token in (given.json()["token"], token_of(asked)):
        async with Socket(f"/api/stream?token={token}") as socket:
            await socket.frame()
            refused = [f"message:{other['message_id']}", f"conversation:{chat}", "project:tower"]
            for stream in refused:
                assert (await subscribed(socket, stream))["code"] == "no_such_stream"
            stream = f"message:{asked['message_id']}"
            assert (await subscribed(socket, stream))["type"] == "subscribed"
            assert said(await told_on(socket, stream)) == "One."


async def test_of_another_project_there_is_neither_answer_nor_run(
    chatting: Chatting, api: Api
) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Done."})
    (run,) = (await api.get("/api/projects/tower/runs")).json()["items"]
    foreign = await Project.objects.acreate(slug="other")
    _, other = await database_sync_to_async(make_key)(foreign, "other")
    async with Socket("/api/stream", key=other) as socket:
        await socket.frame()
        for stream in (f"message:{asked['message_id']}", f"run:{run['id']}", "run:\0", "message:x"):
            assert (await subscribed(socket, stream))["code"] == "no_such_stream"
