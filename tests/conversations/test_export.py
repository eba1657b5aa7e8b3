"""One conversation as a file: every form whole and true, whatever was said in it."""

import csv
import io
import json
import re
from urllib.parse import unquote

import httpx
import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from conversations.export import reading
from conversations.ingest.receive import receive
from conversations.models import Conversation, Project
from tests.clients import NOW, Api, Json, eventually, said
from tests.conversations.exported import FORMATS, Torn, exported, heard_until

pytestmark = pytest.mark.usefixtures("_small_pages")
NASTY = "".join(
    map(chr, [*range(1, 33), 0x7F, 0x85, 0xAD, 0x200F, 0x202E, 0x2028, 0xFEFF, 0x1F469])
)


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 3)


async def a_conversation(api: Api, *contents: str, **data: object) -> str:
    await api.start("s-1", name="Design a tower", **data)
    for number, content in enumerate(contents, 1):
        await api.say("s-1", content, sequence_number=number, tokens_used=7, cost=0.0000003)
    return "s-1"


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("name", "content_type", "suffix"),
    [
        ("json", "application/json", "json"),
        ("jsonl", "application/x-ndjson", "jsonl"),
        ("markdown", "text/markdown; charset=utf-8", "md"),
        ("html", "text/html; charset=utf-8", "html"),
        ("csv", "text/csv; charset=utf-8", "csv"),
    ],
)
async def test_every_form_is_a_download_under_its_own_name(
    api: Api, name: str, content_type: str, suffix: str
) -> None:
    await api.start("s-1", metadata={}, initial_prompt="Who?")
    await sync_to_async(Conversation.objects.update)(name='Un día / «è» \r\n"=";../..')

    answer = await exported(api, "s-1", name)

    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == (
        f"attachment; filename=\"export.{suffix}\"; filename*=UTF-8''Un-d%C3%ADa-%C3%A8.{suffix}"
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "CON-"),
        ("a\u202egnp.exe", "a-gnp-exe"),
        ("हिन्दी में", "हिन्दी-में"),
        ("🙂", "conversation"),
        (" .. ", "conversation"),
        ("塔" * 300, "塔" * 26),
    ],
)
async def test_a_file_name_is_safe_on_every_disk(api: Api, given: str, kept: str) -> None:
    await api.start("s-1")
    await sync_to_async(Conversation.objects.update)(name=given)

    shown = (await exported(api, "s-1", "json")).headers["content-disposition"]

    assert unquote(shown.partition("UTF-8''")[2]) == f"{kept}.json"


async def test_without_a_format_it_is_json(api: Api) -> None:
    await a_conversation(api, "one")

    plain = await api.get("/api/conversations/s-1/export")

    assert plain.content == (await exported(api, "s-1", "json")).content


@pytest.mark.parametrize("unfit", ["", "pdf", "JSON", "json,csv", "../json", "\0"])
async def test_an_unknown_format_is_refused_with_those_there_are(api: Api, unfit: str) -> None:
    await api.start("s-1")

    answer = await api.get("/api/conversations/s-1/export", params={"format": unfit})

    assert (answer.status_code, answer.json()["field"]) == (400, "format")
    assert answer.json()["message"] == "Expected one of json, jsonl, markdown, html, csv"


async def test_what_one_may_not_see_is_not_exported(
    api: Api, alice: User, bob: User, charlie: User
) -> None:
    await api.start("s-1")

    def statuses(user: User | None) -> set[int]:
        client = Client()
        if user:
            client.force_login(user)
        paths = ("/api/conversations/s-1/export", "/api/projects/tower/export")
        return {client.head(path).status_code for path in paths}

    asked = sync_to_async(statuses)
    assert await asked(alice) == await asked(bob) == {200}
    assert await asked(charlie) == {404}
    assert await asked(None) == {401}
    assert (await api.get("/api/conversations/nobody/export")).status_code == 404
    assert (await api.post("/api/conversations/s-1/export", json={})).status_code == 405


async def test_a_head_tells_of_the_file_and_reads_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_conversation(api, "one")
    whole = await exported(api, "s-1", "csv")
    monkeypatch.setattr(reading, "pages", None)

    head = await api.head("/api/conversations/s-1/export?format=csv")

    assert head.headers["content-disposition"] == whole.headers["content-disposition"]
    assert head.content == b""


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
async def test_every_form_has_every_message_once_and_in_order(api: Api, count: int) -> None:
    contents = [f"line <{number}>" for number in range(count)]
    await a_conversation(api, *contents)

    files = {name: await exported(api, "s-1", name) for name in FORMATS}

    lines = [json.loads(line) for line in files["jsonl"].text.splitlines()]
    assert lines == [await api.conversation("s-1"), *await api.messages("s-1")]
    assert [message["content"] for message in files["json"].json()["messages"]] == contents
    assert [row["content"] for row in rows_of(files["csv"])] == contents
    assert re.findall(r"line <\d>", files["markdown"].text) == contents
    assert re.findall(r"line &lt;\d&gt;", files["html"].text) == [
        content.replace("<", "&lt;").replace(">", "&gt;") for content in contents
    ]


async def test_messages_with_equal_numbers_and_times_are_all_there(
    api: Api, project: Project
) -> None:
    events = [
        {
            "type": "message.created",
            "timestamp": NOW,
            "data": said("s-1", f"{n}", sequence_number=1),
        }
        for n in range(10)
    ]
    await sync_to_async(receive)(events, project=project)

    shown = [json.loads(line) for line in (await exported(api, "s-1", "jsonl")).text.splitlines()]

    assert shown[1:] == await api.messages("s-1")


async def test_large_messages_are_read_a_few_at_a_time(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_BYTES", 10_000)
    contents = [
        letter * size
        for letter, size in zip(
            "abcdefg", [9_500, 100, 100, 50_000, 100, 6_000, 6_000], strict=True
        )
    ]
    await a_conversation(api, *contents)
    conversation = await sync_to_async(Conversation.objects.get)()

    def pages() -> list[list[str]]:
        found = reading.pages(conversation, until=reading.latest())
        return [[message.content[:1] for message in page] for page in found]

    assert await sync_to_async(pages)() == [["a", "b"], ["c"], ["d"], ["e", "f"], ["g"]]


async def test_what_is_said_during_an_export_is_not_in_it(api: Api) -> None:
    await a_conversation(api, *"abcdefg")

    async with heard_until(api, "s-1", "jsonl", pieces=2) as rest:
        await api.say("s-1", "too late", sequence_number=1)
        await api.say("s-1", "later still")
    messages = [json.loads(line)["content"] for line in (await rest()).decode().splitlines()[1:]]

    assert messages == list("abcdefg")


@pytest.mark.parametrize("name", FORMATS)
async def test_a_reader_that_takes_its_time_holds_no_connection(api: Api, name: str) -> None:
    await a_conversation(api, *"abcdefg")
    pool = connections["default"].pool  # type: ignore[attr-defined]  # not in the stubs

    def is_at_rest() -> bool:
        stats = pool.get_stats()
        # The test has one of its own.
        return bool(stats["pool_size"] - stats["pool_available"] <= 1)

    async with heard_until(api, "s-1", name, pieces=2) as rest:
        await database_sync_to_async(connections.close_all)()
        await eventually(is_at_rest)
    assert await rest()


@pytest.mark.parametrize("name", FORMATS)
async def test_a_conversation_deleted_meanwhile_leaves_a_torn_file(api: Api, name: str) -> None:
    await a_conversation(api, *"abcdefg")
    whole = (await exported(api, "s-1", name)).content

    async with heard_until(api, "s-1", name, pieces=2) as rest:
        await sync_to_async(Conversation.objects.filter(public_id="s-1").delete)()
    with pytest.raises(Torn) as torn:
        await rest()

    assert whole.startswith(torn.value.heard)
    assert torn.value.heard != whole
    if name == "json":
        with pytest.raises(json.JSONDecodeError):
            json.loads(torn.value.heard)


async def test_no_line_of_json_is_broken_by_any_character(api: Api) -> None:
    await a_conversation(api, NASTY, initial_prompt=NASTY)

    text = (await exported(api, "s-1", "jsonl")).content.decode()

    assert len(text.splitlines()) == 2
    assert json.loads(text.splitlines()[1])["content"] == NASTY


@pytest.mark.parametrize("name", FORMATS)
async def test_numbers_as_large_as_they_come_are_exported(api: Api, name: str) -> None:
    most = dict.fromkeys(("tokens_used", "duration_ms", "turn_number"), 2**63 - 1)
    await api.start("s-1", metadata={"large": 1e300})
    await api.say("s-1", "one", **most, cost=1e15)
    await api.say("s-1", "two", **most, cost=1e-12)

    answer = await exported(api, "s-1", name)

    if name in {"markdown", "html"}:
        assert "5124095576030:25:51" in answer.text
        assert "0.000000000001" in answer.text.replace("\\", "")
    assert "9223372036854775807" in answer.text


# CSV


async def test_a_table_has_the_fields_of_history_and_numbers_as_numbers(api: Api) -> None:
    await a_conversation(api, "one")
    [message] = await api.messages("s-1")

    [row] = rows_of(await exported(api, "s-1", "csv"))

    assert list(row) == list(message)
    assert (row["cost"], row["totalTokens"], row["sequenceNumber"]) == ("0.0000003", "7", "1")
    assert json.loads(row["metadata"]) == message["metadata"]
    assert row["timestamp"] == message["timestamp"]


async def test_a_table_opens_in_a_spreadsheet_as_it_is(api: Api) -> None:
    text = 'a "quoted", two\r\nlines\nand\rthree; 塔'
    await a_conversation(api, text, NASTY)

    answer = await exported(api, "s-1", "csv")

    assert answer.content.startswith(b"\xef\xbb\xbfid,conversationId,")
    assert [row["content"] for row in rows_of(answer)] == [
        text,
        f"'{NASTY}" if NASTY[0] in "\t\r\n" else NASTY,
    ]


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\tx",
        "\rx",
        " =1",
        "\xa0 =1",
        "\u3000\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        "\u200b=1",
        "\ufeff=1",
        "\x01=1",
        "\u22121",
    ],
)
async def test_a_spreadsheet_computes_nothing_of_what_was_said(api: Api, formula: str) -> None:
    await api.start("s-1")
    await api.say(
        "s-1",
        formula,
        agent_id=formula,
        agent_name=formula,
        agent_type=formula,
        model=formula,
        role=formula,
        message_id=formula,
    )

    [row] = rows_of(await exported(api, "s-1", "csv"))

    names = ("id", "agentId", "agentName", "agentType", "role", "content", "model")
    assert {row[name] for name in names} == {f"'{formula}"}


@pytest.mark.parametrize("harmless", ["a=b", "1-1", "'=1", '"=1', "(-1)", "is - no start"])
async def test_what_is_no_formula_stays_as_it_is(api: Api, harmless: str) -> None:
    await a_conversation(api, harmless)

    assert [row["content"] for row in rows_of(await exported(api, "s-1", "csv"))] == [harmless]


# Markdown


async def test_markdown_holds_what_was_said_to_the_letter(api: Api) -> None:
    contents = [
        "# Heading\n\n```python\nprint('<b>')\n```\n",
        "~~~\r\nopen",
        "````\n```\nstill",
        NASTY,
    ]
    await a_conversation(api, *contents, initial_prompt="Prompt\n===")

    text = (await exported(api, "s-1", "markdown")).content.decode()

    for content in [*contents, "Prompt\n==="]:
        assert f"-->\n\n{content}\n" in text
    assert "-->\n\n~~~\r\nopen\n~~~\n" in text
    assert "-->\n\n````\n```\nstill\n````\n" in text


async def test_no_text_passes_for_another_message(api: Api) -> None:
    await a_conversation(api, "one")
    first = (await exported(api, "s-1", "markdown")).text
    start = first.index("\n### 1")
    forged = first[start:].replace("one", "never said")
    await sync_to_async(Conversation.objects.all().delete)()
    await api.start("s-1", name="Design a tower")
    await api.say("s-1", forged)

    text = (await exported(api, "s-1", "markdown")).text

    mark = re.findall(r"<!-- (\w+) stands before", text)[0]
    assert len(re.findall(rf"^<!-- {mark} message \d+ -->$", text, re.MULTILINE)) == 1


async def test_names_mean_nothing_to_markdown(api: Api) -> None:
    name = "**Bob**\n# [x](http://example.com) <img src=x> `"
    agents = [{"agent_id": name, "agent_type": name, "name": name}]
    await api.start("s-1", participants=agents)
    await api.say("s-1", "Hello", agent_name=name, model=name)

    text = (await exported(api, "s-1", "markdown")).text

    assert r"\*\*Bob\*\* \# \[x\]\(http://example\.com\) \<img src=x\> \`" in text
    assert not re.search(r"(?<!\\)[<\[](?!!--)", text)


# Text that is anything


@pytest.mark.parametrize("name", FORMATS)
async def test_any_text_in_any_field_leaves_in_every_form(api: Api, name: str) -> None:
    agent: Json = {"agent_type": NASTY, "agent_id": NASTY}
    await api.start(
        "s-1",
        mode=NASTY,
        initial_prompt=NASTY,
        metadata={NASTY: NASTY},
        participants=[{**agent, "name": NASTY, "prompt": NASTY, "model": NASTY}],
    )
    await api.say("s-1", NASTY, **agent, agent_name=NASTY, model=NASTY, role=NASTY)
    end = {"conversation_id": "s-1", "status": "completed", "summary": {"text": NASTY}}
    await api.ingest("conversation.completed", end)
    await api.ingest("conversation.error", {"conversation_id": "s-1", "error_message": NASTY})

    answer = await exported(api, "s-1", name)

    assert answer.content.decode().count("\U0001f469") >= 3


async def test_a_conversation_of_which_only_a_message_came_is_exported_too(api: Api) -> None:
    await api.ingest("message.created", {"conversation_id": "s-1", "agent_type": "", "content": ""})

    for name in FORMATS:
        assert (await exported(api, "s-1", name)).content
