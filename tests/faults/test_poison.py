"""What nothing could store or show: refused, or stored and shown, and never its neighbours' harm.

The short form runs in `make test`; `make faults` runs the long one (AGENTPIPE_FAULTS=long).
"""

import asyncio
import json
import os
import random
import string
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from conversations.search.index import index_all
from tests.agentpipe.knocking import knock, signed_in
from tests.clients import Api, Json, Socket, opened, said, started, told

IS_LONG = os.environ.get("AGENTPIPE_FAULTS") == "long"
TOGETHER = 20

pytestmark = pytest.mark.timeout(900)

chance = random.Random(7)
# Nothing packs it, so that no index has room for it.
NOISE = "".join(chance.choices(string.ascii_letters + string.digits, k=100_000))
WORDS = " ".join("".join(chance.choices(string.ascii_lowercase, k=7)) for _ in range(60_000))
DEEP: Any = "stone"
for _ in range(97):
    DEEP = [DEEP]
DEEPER = [[[[DEEP]]]]
TEXTS = {
    "long": NOISE,
    "of many words": WORDS,
    "without a break": "x" * 500_000,
    "all marks": "\u0301" * 10_000,
    "lines": "\n" * 50_000,
    "NUL and halves": "a\0b\ud800c\udfff",
    "odd ones": "\u2028\u2029\ufffe\uffff\U0010ffff\x1b[2J\r\x85\u202e",
    "markup": "</script><!--<svg/onload=alert(1)>]]>{{ x }}{% y %}",
    "markdown": "[" * 5_000 + "*_`" * 5_000 + "> " * 2_000,
    "table": "|" * 3_000 + "\n" + "-|" * 3_000,
    "formula": '=HYPERLINK("http://x")\t\r\n"',
}
VALUES: dict[str, Any] = {
    **TEXTS,
    "deep": DEEP,
    "deeper": DEEPER,
    "large": 1e308,
    "small": 5e-324,
    "minus": -1e308,
    "wide": 10**30,
    "yes": True,
    "huge names": {NOISE: 1, "\0": {"\ud800": []}},
    "many": {str(number): number for number in range(20_000)},
}
FORMATS = ("json", "jsonl", "markdown", "html", "csv")


def poisons(conversation: str, recorded: str) -> list[Json]:
    """Each value at each place of the events that say most."""
    whole: list[tuple[str, Json]] = [
        ("conversation.started", started("other", name="Towers")),
        ("conversation.started", opened(name="Towers", metadata={})),
        ("message.created", said(conversation, "x", model="m", role="agent", cost=1, extra={})),
        ("message.created", told(recorded, "x", metadata={}, model="m")),
        ("log.entry", {"conversation_id": conversation, "content": "x", "level": "info"}),
        ("conversation.error", {"conversation_id": conversation, "error": "x"}),
        ("error.occurred", {"conversationId": recorded, "error": "x", "details": {}}),
    ]
    found: list[Json] = []
    for kind, data in whole:
        for place in _places(data):
            found += [
                {"type": kind, "data": _with(data, place, value)} for value in VALUES.values()
            ]
    return found


def _places(data: Json) -> list[tuple[str, ...]]:
    inner = [("message", name) for name in data.get("message", {})]
    fixed = {"conversation_id", "conversationId", "message"}
    return [*((name,) for name in data if name not in fixed), *inner]


def _with(data: Json, place: tuple[str, ...], value: Any) -> Json:
    copied: Json = {**data}
    if "message_id" in copied:
        copied["message_id"] = f"{chance.getrandbits(128):032x}"
    if copied.get("conversation_id") == "other":
        copied["conversation_id"] = f"{chance.getrandbits(128):032x}"
    if len(place) == 2:
        copied["message"] = {**copied["message"], place[1]: value}
    else:
        copied[place[0]] = value
    return copied


async def test_poison_harms_nobody_who_is_written_with_it(api: Api, key: str, alice: User) -> None:
    conversation = await api.start(initial_prompt="Build")
    recorded = (await api.ingest("conversation.started", opened())).json()["conversationId"]
    wanted = poisons(conversation, recorded)
    chance.shuffle(wanted)
    wanted = wanted if IS_LONG else wanted[:40]
    well: list[str] = []

    for begin in range(0, len(wanted), TOGETHER):
        poison = wanted[begin : begin + TOGETHER]
        well += [f"wholesome{begin}a", f"wholesome{begin}b"]
        good = [{"type": "message.created", "data": said(conversation, word)} for word in well[-2:]]
        half = len(poison) // 2
        # In line at the door, and in one batch.
        single = [good[0], *poison[:half]]
        (status, _), *answers = await asyncio.gather(
            *(post("/api/ingest", event, key) for event in single)
        )
        _, batch = await post("/api/ingest/batch", [*poison[half:], good[1]], key)
        *results, last = [(result["status"], result) for result in batch["results"]]
        assert [status, last[0]] == [201, 201]
        for event, (status, answer) in zip(poison, [*answers, *results], strict=True):
            assert status < 500, (event["type"], answer)
            assert status < 300 or answer["error"]

    await database_sync_to_async(index_all)()
    for word in well:
        found = (await api.get("/api/conversations", params={"q": word})).json()["items"]
        assert [item["id"] for item in found] == [conversation], word
    for name in (conversation, recorded):
        await check_shown(api, key, name, alice)


async def check_shown(api: Api, key: str, name: str, alice: User) -> None:
    """By every road on which a conversation leaves."""
    log: list[Json] = []
    has_more = True
    while has_more:
        query = {"since": log[-1]["id"] if log else "0", "page_size": "100"}
        page = (await api.get(f"/api/conversations/{name}/events", params=query)).json()
        log, has_more = log + page["items"], page["has_more"]
    async with Socket(f"/api/stream/conversations/{name}?since=0", key=key) as socket:
        assert (await socket.frame())["type"] == "connected"
        assert await socket.frames(len(log)) == log
    browser = await database_sync_to_async(signed_in)(alice)
    for path in (f"/conversations/{name}", "/conversations", "/"):
        assert (await knock(path, headers=browser)).status == 200, path
    for form in FORMATS:
        exported = await knock(f"/api/conversations/{name}/export", query=f"format={form}", key=key)
        assert exported.status == 200, form
        assert exported.body


async def post(target: str, body: Any, key: str) -> tuple[int, Any]:
    heard = await knock(
        target,
        method="POST",
        headers={"content-type": "application/json"},
        key=key,
        body=json.dumps(body).encode(),
    )
    return heard.status, heard.json()
