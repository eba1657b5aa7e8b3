"""A question is asked and its answer followed: live, late, again, from the middle."""

import re

import pytest

from agents.events import STEP_KINDS
from tests.agents.chatting import Chatting, kinds, said, token_of
from tests.clients import Api, Json, eventually, sse

pytestmark = pytest.mark.usefixtures("worker")

ID = re.compile(r"\d{13}_\d{4,}_[0-9a-f]{8}")
EVERY_KIND: list[Json] = [
    {"plan": [{"id": "todo-1", "text": "Measure", "status": "in_progress"}]},
    {"think": "A tower is asked for."},
    {"tool": "measure", "args": {"what": "tower"}, "result": "42 m", "summary": "42 metres"},
    {"tool": "weather", "fails": True, "result": "", "summary": "No answer"},
    {"status": "Writing"},
    {"say": "# Tower\n\nIt is 42 m high 🗼.", "pieces": 5, "every_ms": 60},
    {"usage": {"input_tokens": 120, "output_tokens": 60, "cost": "0.00126"}},
]


async def test_every_step_is_told_and_the_answer_is_stored(chatting: Chatting) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, *EVERY_KIND, content="How high?")

    steps = await chatting.steps(asked)

    assert set(kinds(steps)) == set(STEP_KINDS) - {"error"}
    assert (steps[0]["type"], steps[-1]["type"]) == ("start", "end")
    assert steps[0]["message_id"] == asked["message_id"]
    assert steps[0]["answer_id"] == asked["answer_id"]
    assert (steps[0]["chat_id"], steps[0]["status"]) == (chat, "processing")
    question, answer = await chatting.messages(chat)
    assert said(steps) == answer["content"] == "# Tower\n\nIt is 42 m high 🗼."
    assert (answer["role"], answer["status"]) == ("assistant", "completed")
    assert answer["processing_time_ms"] >= 240
    assert (question["content"], question["status"]) == ("How high?", "completed")
    assert question["processing_time_ms"] is None
    assert re.fullmatch("[0-9a-f]{24}", question["message_id"])
    assert steps[-1]["usage"]["total_tokens"] == 180


async def test_steps_have_the_fields_of_schema_v1(chatting: Chatting) -> None:
    steps = await chatting.steps(await chatting.ask(await chatting.open(), *EVERY_KIND))
    by_kind = {step["type"]: step for step in reversed(steps)}
    for number, step in enumerate(steps, 1):
        assert step["v"] == 1
        assert ID.fullmatch(step["id"])
        assert step["id"] == step["$id"]
        assert int(step["id"].split("_")[1]) == number
        assert step["ts"].endswith("Z")
    assert by_kind["plan"]["items"] == [
        {"id": "todo-1", "text": "Measure", "status": "in_progress"}
    ]
    assert by_kind["tool_start"]["name"] == "measure"
    assert by_kind["tool_start"]["args_summary"] == "what='tower'"
    end = by_kind["tool_end"]
    assert (end["status"], end["result_summary"]) == ("ok", "42 metres")
    assert end["call_id"] == by_kind["tool_start"]["call_id"]
    assert isinstance(end["ms"], int)
    failed = next(step for step in steps if step.get("status") == "error")
    assert failed["name"] == "weather"
    assert by_kind["rationale"]["text"] == "A tower is asked for."
    assert by_kind["status"]["text"] == "Writing"
    assert (by_kind["end"]["status"], by_kind["end"]["tool_calls"]) == ("completed", 2)
    assert by_kind["end"]["ms_total"] > 0


async def test_who_comes_late_or_again_gets_the_same(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), *EVERY_KIND)
    live = await chatting.steps(asked)
    late = await chatting.steps(asked)
    half = await chatting.steps(asked, since=live[5]["id"])
    listed = await chatting.events(asked)
    bare = [{name: value for name, value in step.items() if name != "$id"} for step in live]

    assert late == live
    assert half == live[6:]
    assert listed == bare
    since = await chatting.api.get(
        f"/api/messages/{asked['message_id']}/events?since={live[5]['id']}"
    )
    assert since.json() == bare[6:]


async def test_with_nothing_left_there_is_no_content(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Done."})
    steps = await chatting.steps(asked)
    async with sse(asked["stream_url"], headers={"last-event-id": steps[-1]["id"]}) as stream:
        assert stream.status == 204


async def test_frames_are_named_unless_told_otherwise(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Done."})
    await chatting.ended(asked)
    async with sse(asked["stream_url"]) as named, sse(asked["stream_url"], unnamed="1") as plain:
        await eventually(lambda: b"" in list(named.chunks._queue))  # type: ignore[attr-defined]
        named_bytes = b"".join(named.chunks.get_nowait() for _ in range(named.chunks.qsize()))
        await eventually(lambda: b"" in list(plain.chunks._queue))  # type: ignore[attr-defined]
        plain_bytes = b"".join(plain.chunks.get_nowait() for _ in range(plain.chunks.qsize()))
    assert named_bytes.startswith(b"retry: 3000\n\nevent: start\nid: ")
    assert named_bytes.count(b"event: content\nid: ") == 1
    assert b"event: " not in plain_bytes
    assert plain_bytes.replace(b"retry: 3000\n\n", b"") == re.sub(
        b"event: \\w+\n", b"", named_bytes.replace(b"retry: 3000\n\n", b"")
    )


async def test_a_token_opens_this_stream_and_no_other(chatting: Chatting) -> None:
    chat = await chatting.open()
    first = await chatting.ask(chat, {"say": "One."})
    second = await chatting.ask(chat, {"say": "Two."})
    await chatting.ended(second)
    path = second["stream_url"].split("?")[0]
    async with sse(path, token=token_of(first)) as stream:
        assert stream.status == 404
    async with sse(path) as stream:
        assert stream.status == 401
    async with Api() as nobody:
        answer = await nobody.get(f"/api/chats/{chat}?token={token_of(first)}")
        assert answer.status_code == 401


async def test_questions_are_answered_in_order(chatting: Chatting) -> None:
    chat = await chatting.open()
    first = await chatting.ask(chat, {"wait_ms": 300}, {"say": "One."})
    second = await chatting.ask(chat, {"say": "Two."})

    steps = await chatting.steps(second)

    assert said(steps) == "Two."
    assert (await chatting.answer(first))["content"] == "One."
    listed = await chatting.messages(chat)
    assert [message["role"] for message in listed] == ["user", "assistant"] * 2
    first_end = (await chatting.events(first))[-1]
    assert first_end["ts"] <= steps[0]["ts"]


async def test_an_answer_that_failed_says_why(chatting: Chatting) -> None:
    asked = await chatting.ask(await chatting.open(), {"say": "Well, "}, {"fail": "No such tower"})

    steps = await chatting.steps(asked)

    assert kinds(steps) == ["start", "content", "error", "end"]
    assert steps[-2]["error"] == "No such tower"
    assert steps[-1]["status"] == "error"
    answer = await chatting.answer(asked)
    assert (answer["status"], answer["error"]) == ("error", "No such tower")
    assert answer["content"] == "Well, "


async def test_history_is_paged_by_number_and_by_cursor(chatting: Chatting, api: Api) -> None:
    chat = await chatting.open()
    for number in range(3):
        await chatting.ended(await chatting.ask(chat, {"say": f"Answer {number}"}))
    everything = await chatting.messages(chat)
    path = f"/api/chats/{chat}/messages"

    page = (await api.get(f"{path}?page=2&page_size=4")).json()
    after = (await api.get(f"{path}?after={everything[1]['message_id']}&page_size=2")).json()
    before = (await api.get(f"{path}?before={everything[2]['message_id']}&page_size=9")).json()

    assert page["items"] == everything[4:]
    assert (page["total"], page["total_pages"], page["has_more"]) == (6, 2, False)
    assert (after["items"], after["has_more"]) == (everything[2:4], True)
    assert (before["items"], before["has_more"]) == (everything[:2], False)


async def test_what_was_answered_is_counted_and_found(chatting: Chatting, api: Api) -> None:
    chat = await chatting.open()
    asked = await chatting.ask(chat, *EVERY_KIND)
    await chatting.ended(asked)
    shown = await api.conversation(chat)
    message = (await api.messages(chat))[1]

    assert (shown["totalMessages"], shown["totalTokens"]) == (2, 180)
    assert shown["totalCost"] == 0.00126
    assert (message["inputTokens"], message["outputTokens"]) == (120, 60)
    assert message["cost"] == 0.00126
    summary = (await api.get("/api/metrics/summary?range=24h")).json()
    assert summary["totals"]["totalTokens"] == 180


@pytest.mark.parametrize(
    "body",
    [{}, {"content": ""}, {"content": "?", "metadata": []}, {"content": 7 * ["?"]}, "?", None],
)
async def test_a_question_that_is_none_is_refused(
    chatting: Chatting, api: Api, body: object
) -> None:
    chat = await chatting.open()
    answer = await api.post(f"/api/chats/{chat}/messages", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert await chatting.messages(chat) == []


async def test_text_that_no_database_holds_is_made_fit(chatting: Chatting, api: Api) -> None:
    chat = await chatting.open()
    body = b'{"content": "a\\u0000b\\ud800c", "metadata": {"script": [{"say": "d\\u0000e"}]}}'
    answer = await api.post(
        f"/api/chats/{chat}/messages", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 201
    asked = {**answer.json(), "chat": chat}
    assert (await chatting.ended(asked))["content"] == "d\ufffde"
    assert (await chatting.messages(chat))[0]["content"] == "a\ufffdb\ufffdc"
