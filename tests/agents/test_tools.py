"""What agents can do: each tool sees one project, is bounded, and says what it found."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from agents.backends.base import Agent, Assignment, Backend, Json, Result, Scribe, Tool, Usage
from agents.backends.scripted import Scripted
from agents.errors import BackendFailed, BackendUnavailable, ToolFailed
from agents.models import AgentRun, RunFile
from agents.tools import Workplace, toolbox
from agents.tools.files import LARGEST_FILE, MOST_FILES, RunFiles
from conversations.models import Conversation, Project
from tests.agents.scribes import Interrupted, MemoryScribe
from tests.clients import Api

ALL = (
    "search_record",
    "read_conversation",
    "count_record",
    "write_file",
    "read_file",
    "list_files",
    "task",
)


class MemoryFiles:
    def __init__(self) -> None:
        self.contents: dict[str, str] = {}

    async def read(self, path: str) -> str | None:
        return self.contents.get(path)

    async def write(self, path: str, content: str) -> None:
        self.contents[path] = content

    async def sizes(self) -> Mapping[str, int]:
        return {path: len(content) for path, content in self.contents.items()}


def workplace(project: Project | None = None, **options: Any) -> Workplace:
    return Workplace(
        **{
            "project": project or Project(slug="nowhere"),
            "files": MemoryFiles(),
            "scribe": MemoryScribe(),
            "agents": {},
            "load": lambda agent: Scripted(),
            **options,
        }
    )


async def found(tool: Tool, **arguments: Any) -> Json:
    read: Json = json.loads((await tool(arguments)).text)
    return read


async def names(tool: Tool, **arguments: Any) -> list[str]:
    return [one["name"] for one in (await found(tool, **arguments))["conversations"]]


async def test_an_agent_gets_the_tools_that_it_names() -> None:
    assert set(toolbox(ALL, workplace())) == set(ALL)
    assert list(toolbox(["read_file", "fly"], workplace())) == ["read_file"]


async def test_schemas_say_what_a_tool_takes() -> None:
    for tool in toolbox(ALL, workplace()).values():
        assert tool.description
        assert tool.parameters["type"] == "object"
    read = toolbox(ALL, workplace())["read_conversation"].parameters
    assert read["required"] == ["conversation_id"]
    assert read["properties"]["limit"]["maximum"] == 50


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("search_record", {"limit": 21}, "limit: "),
        ("search_record", {"querry": "a"}, "querry: "),
        ("search_record", {"since": "soon"}, "since: "),
        ("read_conversation", {}, "conversation_id: "),
        ("write_file", {"path": ".hidden", "content": ""}, "path: "),
        ("write_file", {"path": "/etc/passwd", "content": ""}, "path: "),
        ("task", {"agent": "a", "prompt": ""}, "prompt: "),
    ],
)
async def test_bad_arguments_are_told(name: str, arguments: Json, complaint: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        await toolbox(ALL, workplace())[name](arguments)
    assert str(caught.value).startswith(complaint)


# The record


async def test_what_has_all_the_words_is_found_and_shown_where(api: Api, project: Project) -> None:
    await api.start("s-1", name="Release plan")
    [message] = await api.say("s-1", "We ship the tower on Friday")
    await api.start("s-2", name="Lunch")
    await api.say("s-2", "We ship soup on Friday")
    search = toolbox(ALL, workplace(project))["search_record"]

    result = await search({"query": "tower Friday"})

    assert result.summary == "1 conversation, best: “Release plan”"
    answer = json.loads(result.text)
    assert (answer["total"], answer["matched"]) == (1, "all words")
    [one] = answer["conversations"]
    assert (one["id"], one["agents"], one["messages"]) == ("s-1", ["Ada"], 1)
    assert one["matches"] == [{"message_id": message, "text": "We ship the tower on Friday"}]


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("We deployed the tower", "deployment of towers"),
        ("Der Turm wurde gebaut", "Türme bauen Turm"),
        ("東京の計画は金曜日に決まりました", "東京の計画について何が決まりましたか"),
        ("我们决定星期五发布东京计划", "关于东京计划我们决定了什么"),
        ("도쿄 계획을 금요일에 발표", "도쿄 계획은 언제"),
        ("ประชุมเรื่องหอคอยวันศุกร์", "หอคอยสูงเท่าไร"),
    ],
)
async def test_what_has_only_some_words_is_found_where_nothing_has_all(
    api: Api, project: Project, said: str, query: str
) -> None:
    await api.start("s-1", name="That one", initial_prompt="")
    await api.say("s-1", said)
    await api.start("s-2", name="Another", initial_prompt="")
    await api.say("s-2", "Ganz etwas anderes, whatever")

    answer = await found(toolbox(ALL, workplace(project))["search_record"], query=query)

    assert answer["matched"] == "some words"
    assert [one["id"] for one in answer["conversations"]] == ["s-1"]


async def test_a_rare_word_counts_for_more(api: Api, project: Project) -> None:
    await api.start("rare", name="Rare", initial_prompt="")
    await api.say("rare", "zebra")
    for number in range(6):
        await api.start(f"s-{number}", name=f"Ordinary {number}", initial_prompt="")
        await api.say(f"s-{number}", "the plan the plan the plan")

    search = toolbox(ALL, workplace(project))["search_record"]
    assert (await names(search, query="zebra plan"))[0] == "Rare"
    assert "Rare" not in await names(search, query="plan unheard-of -zebra", limit=20)


async def test_without_words_the_newest_come_first_and_narrowed(api: Api, project: Project) -> None:
    await api.start("s-1", name="First", timestamp="2026-01-01T00:00:00Z")
    others = [{"agent_id": "b-1", "agent_type": "gpt", "name": "Bob"}]
    await api.start("s-2", name="Second", participants=others)
    search = toolbox(ALL, workplace(project))["search_record"]

    assert sorted(await names(search)) == ["First", "Second"]
    for agent in ("Bob", "bob", "GPT", "b-1"):
        assert await names(search, agent=agent) == ["Second"]
    assert await names(search, agent="nobody") == []
    assert await names(search, status="COMPLETED") == []
    assert await names(search, since="2100-01-01T00:00:00") == []
    assert await names(search, until="2000-01-01T00:00:00Z") == []
    assert (await search({"agent": "nobody"})).summary == "nothing"


async def test_only_what_was_recorded_in_the_project_is_seen(api: Api, project: Project) -> None:
    await api.start("s-1", name="Tower")
    await api.say("s-1", "The tower")
    other = await sync_to_async(Project.objects.create)(slug="other")

    tools = toolbox(ALL, workplace(other))
    assert (await found(tools["search_record"], query="tower"))["total"] == 0
    assert (await found(tools["search_record"]))["total"] == 0
    assert (await found(tools["count_record"]))["conversations"] == 0
    with pytest.raises(ToolFailed, match="no conversation s-1"):
        await tools["read_conversation"]({"conversation_id": "s-1"})

    await Conversation.objects.aupdate(kind=Conversation.Kind.CHAT)
    tools = toolbox(ALL, workplace(project))
    assert (await found(tools["search_record"], query="tower"))["total"] == 0
    assert (await found(tools["count_record"]))["conversations"] == 0
    with pytest.raises(ToolFailed, match="no conversation s-1"):
        await tools["read_conversation"]({"conversation_id": "s-1"})


async def test_chats_that_match_hide_nothing(api: Api, project: Project) -> None:
    await api.start("s-1", name="Tower", initial_prompt="")
    for number in range(3):
        await api.start(f"chat-{number}", name="Tower tower", initial_prompt="")
    await Conversation.objects.exclude(public_id="s-1").aupdate(kind=Conversation.Kind.CHAT)

    answer = await found(toolbox(ALL, workplace(project))["search_record"], query="tower", limit=1)

    assert answer["total"] == 1
    assert [one["id"] for one in answer["conversations"]] == ["s-1"]


async def test_a_conversation_is_read_in_parts(api: Api, project: Project) -> None:
    await api.start("s-1", name="Long talk")
    ids = await api.say("s-1", *(f"Sentence {number}" for number in range(30)))
    read = toolbox(ALL, workplace(project))["read_conversation"]

    result = await read({"conversation_id": "s-1", "limit": 3})
    assert result.summary == "3 messages of “Long talk”"
    first = json.loads(result.text)["read"]
    assert [message["text"] for message in first] == ["Sentence 0", "Sentence 1", "Sentence 2"]
    assert first[0]["agent"] == "Ada"

    go_on = first[-1]["number"] + 1
    on = await found(read, conversation_id="s-1", start=go_on, limit=2)
    assert [message["text"] for message in on["read"]] == ["Sentence 3", "Sentence 4"]

    around = await found(read, conversation_id="s-1", around=ids[10], limit=6)
    assert [message["text"] for message in around["read"]] == [
        f"Sentence {number}" for number in range(8, 14)
    ]
    with pytest.raises(ToolFailed, match="no message m-9"):
        await read({"conversation_id": "s-1", "around": "m-9"})


async def test_what_is_read_is_bounded(api: Api, project: Project) -> None:
    await api.start("s-1")
    await api.say("s-1", *(["long " * 20_000] * 15))
    read = toolbox(ALL, workplace(project))["read_conversation"]

    result = await read({"conversation_id": "s-1", "limit": 50})

    assert len(result.text) < 50_000
    [first, *_] = json.loads(result.text)["read"]
    assert first["text"].endswith("… [96000 more characters]")


async def test_figures_are_those_of_the_record(api: Api, project: Project) -> None:
    await api.start("s-1", name="First")
    await api.say("s-1", "one", "two", tokens_used=10, cost=0.25)
    await api.start("s-2", name="Second")
    await api.say("s-2", "three", agent_id="b-1", agent_name="Bob", agent_type="gpt", cost=0.5)
    await api.ingest("conversation.completed", {"conversation_id": "s-2", "status": "completed"})
    count = toolbox(ALL, workplace(project))["count_record"]

    result = await count({})

    assert result.summary == "2 conversations, 3 messages, 20 tokens, $1.0000"
    figures = json.loads(result.text)
    assert figures["statuses"] == {"ACTIVE": 1, "COMPLETED": 1}
    assert figures["newest"]["name"] == "Second"
    assert [(who["name"], who["messages"], who["cost"]) for who in figures["agents"]] == [
        ("Ada", 2, 0.5),
        ("Bob", 1, 0.5),
    ]
    assert (await found(count, agent="Bob"))["messages"] == 1
    assert (await found(count, status="COMPLETED"))["conversations"] == 1
    assert (await found(count, since="2100-01-01T00:00:00Z"))["newest"] is None


async def test_a_database_that_is_away_is_worth_another_try(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> Json:
        raise OperationalError("terminating connection")

    monkeypatch.setattr("agents.tools.record.search", away)
    with pytest.raises(BackendUnavailable, match="database is away"):
        await toolbox(ALL, workplace(project))["search_record"]({})


# Files


async def run_of(project: Project) -> AgentRun:
    return await AgentRun.objects.acreate(
        project=project, agent_id="a", agent_name="A", prompt="Write"
    )


async def test_files_are_kept_with_the_run(api: Api, project: Project) -> None:
    run, other = await run_of(project), await run_of(project)
    tools = toolbox(ALL, workplace(project, files=RunFiles(run.pk)))

    assert (await tools["list_files"]({})).text == "There are no files yet."
    await tools["write_file"]({"path": "a/notes.md", "content": "one"})
    written = await tools["write_file"]({"path": "a/notes.md", "content": " two\0 "})

    assert written.summary == "Wrote a/notes.md: 6 characters"
    assert (await tools["read_file"]({"path": "a/notes.md"})).text == " two\ufffd "
    assert (await tools["list_files"]({})).text == "a/notes.md (6 characters)"
    assert await RunFile.objects.acount() == 1
    strangers = toolbox(ALL, workplace(project, files=RunFiles(other.pk)))
    with pytest.raises(ToolFailed, match=r"no file a/notes\.md"):
        await strangers["read_file"]({"path": "a/notes.md"})


async def test_a_long_file_is_read_in_parts() -> None:
    tools = toolbox(ALL, workplace())
    text = "".join(f"{number} " for number in range(20_000))
    await tools["write_file"]({"path": "long", "content": text})

    first = (await tools["read_file"]({"path": "long"})).text
    assert first.endswith("more characters: read on with start=50000]")
    rest = (await tools["read_file"]({"path": "long", "start": 50_000})).text
    assert first[:50_000] + rest[:50_000] == text[:100_000]


async def test_files_are_bounded() -> None:
    files = MemoryFiles()
    write = toolbox(ALL, workplace(files=files))["write_file"]

    with pytest.raises(ToolFailed, match="at most 1 MiB"):
        await write({"path": "big", "content": "ü" * (LARGEST_FILE // 2 + 1)})
    await write({"path": "big", "content": "x" * LARGEST_FILE})
    for number in range(1, MOST_FILES):
        await write({"path": f"f{number}", "content": ""})
    with pytest.raises(ToolFailed, match="100 files already"):
        await write({"path": "one-more", "content": ""})
    await write({"path": "f1", "content": "still"})
    assert files.contents["f1"] == "still"


# Tasks


class Telling:
    """Answers with what it was asked, after using a tool and keeping where it stands."""

    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        if assignment.state is None:
            await scribe.say("I looked: ")
            listed = await scribe.call("look", "list_files", {}, self.look)
            await scribe.spend(Usage(input_tokens=5, requests=1, cost=Decimal("0.1")))
            await scribe.keep({"listed": listed})
            await scribe.say(listed)
        else:
            await scribe.say(assignment.state["listed"])
        await scribe.status("writing")
        await scribe.say(f" ({assignment.prompt})")

    async def look(self) -> Result:
        return Result(text="nothing", summary="0 files")


HELPER = Agent(id="helper", name="Helper", backend="telling", tools=("list_files", "task"))


def task(scribe: Scribe, files: MemoryFiles, backend: Backend | None = None) -> Tool:
    place = workplace(
        scribe=scribe,
        files=files,
        agents={"helper": HELPER},
        load=lambda agent: backend or Telling(),
    )
    return toolbox(ALL, place)["task"]


async def test_another_agent_answers_a_task() -> None:
    scribe, files = MemoryScribe(), MemoryFiles()
    tool = task(scribe, files)
    assert "helper (Helper)" in tool.description

    result = await tool({"agent": "helper", "prompt": "Why?"})

    assert result.text == "I looked: nothing (Why?)"
    assert result.summary == "24 characters: I looked: nothing (Why?)"
    assert (scribe.answer, scribe.statuses) == ("", ["Helper: writing"])
    [call] = scribe.calls.values()
    assert call.call_id.startswith("task-")
    assert call.call_id.endswith("/look")
    assert scribe.spent == Usage(input_tokens=5, requests=1, cost=Decimal("0.1"))
    # What it kept is not among the files that agents see.
    listed = toolbox(ALL, workplace(files=files))["list_files"]
    assert (await listed({})).summary == "0 files"


async def test_an_interrupted_task_goes_on() -> None:
    whole = await task(MemoryScribe(), MemoryFiles())({"agent": "helper", "prompt": "Why?"})
    scribe, files = MemoryScribe(interrupted_after=1), MemoryFiles()
    tool = task(scribe, files)

    with pytest.raises(Interrupted):
        await tool({"agent": "helper", "prompt": "Why?"})
    scribe.go_on()
    result = await tool({"agent": "helper", "prompt": "Why?"})

    assert result == whole
    assert scribe.begun.total() == 1
    assert scribe.spent.requests == 1
    # It is done now: the same task, asked again, is a new one.
    await tool({"agent": "helper", "prompt": "Why?"})
    assert scribe.spent.requests == 2


async def test_who_asks_hears_what_goes_wrong() -> None:
    class Failing:
        def __init__(self, error: Exception) -> None:
            self.error = error

        async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
            raise self.error

    asked = {"agent": "helper", "prompt": "Why?"}
    with pytest.raises(ToolFailed, match="Helper failed: No ink"):
        await task(MemoryScribe(), MemoryFiles(), Failing(BackendFailed("No ink")))(asked)
    # To try again is for whoever runs the whole.
    with pytest.raises(BackendUnavailable):
        await task(MemoryScribe(), MemoryFiles(), Failing(BackendUnavailable("Later")))(asked)
    with pytest.raises(ToolFailed, match="no agent ghost: there are helper"):
        await task(MemoryScribe(), MemoryFiles())({"agent": "ghost", "prompt": "Why?"})


async def test_a_task_of_a_task_hands_nothing_on() -> None:
    seen: list[bool] = []

    class Passing:
        async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
            tool = assignment.tools.get("task")
            seen.append(tool is not None)
            if tool is not None:
                asked = {"agent": "helper", "prompt": f"{assignment.prompt}!"}
                await scribe.call("ask", "task", asked, lambda: tool(asked))

    await task(MemoryScribe(), MemoryFiles(), Passing())({"agent": "helper", "prompt": "Why?"})

    assert seen == [True, False]
