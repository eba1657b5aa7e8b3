"""How the guide goes about a question, step by step; each that is finished is kept.

What was found and read goes into the state: after an interruption the answer is the same, also
where the record has changed meanwhile.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from agents.backends.base import Assignment, Json, Scribe, Todo, TodoStatus
from agents.backends.guide import markdown, writing
from agents.backends.guide.figures import in_figures
from agents.backends.guide.passages import best_passages, first_sentences
from agents.backends.guide.question import Question, read_question
from agents.errors import BackendFailed

MOST_FOUND = 8
MOST_READ = 4
READ_AROUND = 12
MOST_ENDINGS = 3


class Guide:
    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        await _Answer(assignment, scribe).give()


class _Answer:
    def __init__(self, assignment: Assignment, scribe: Scribe) -> None:
        self.assignment = assignment
        self.scribe = scribe
        self.state: Json = dict(assignment.state or {"asked_at": datetime.now(UTC).isoformat()})
        self.todos: list[str] = []

    async def give(self) -> None:
        if "is_answered" in self.state:
            return
        record = await self._once("record", self._look)
        question = self._question(record)
        if question.kind == "self" or not record["conversations"]:
            self.todos = ["See what the record holds", "Answer"]
            text = writing.introduction(record) if record["conversations"] else writing.EMPTY
        else:
            self.todos = _todos(question)
            text = await self._answer(question, record)
        await self._plan(len(self.todos) - 1)
        for piece in markdown.pieces(text):
            await self.scribe.say(piece)
            await asyncio.sleep(0)
        await self._plan(len(self.todos))
        await self.scribe.keep({"is_answered": True})

    def _question(self, record: Json) -> Question:
        names = [name for who in record["agents"] for name in (who["name"], who["type"]) if name]
        return read_question(
            self.assignment.prompt,
            self.assignment.history,
            agents=list(dict.fromkeys(names)),
            now=datetime.fromisoformat(self.state["asked_at"]),
        )

    async def _look(self) -> Json:
        self.todos = ["See what the record holds", "Search", "Answer"]
        await self._plan(0)
        record = await self._use("record", "count_record", {})
        if record is None:
            raise BackendFailed("The record cannot be read just now")
        return record

    async def _answer(self, question: Question, record: Json) -> str:
        if question.kind == "figures":
            return await self._count(question)
        found = await self._once("found", lambda: self._search(question))
        answer, is_widened = found["answer"], found["is_widened"]
        if not answer["total"]:
            newest = await self._once("newest", lambda: self._newest(question))
            return writing.nothing(question, record, newest["conversations"])
        if question.kind == "list":
            return await self._list(question, answer)
        if question.wants_summary and (summary := await self._overview(question, answer)):
            return summary
        readings = await self._read(answer)
        chosen = best_passages(
            readings,
            answer["words"],
            agent=question.agent,
            asked=self.assignment.prompt,
            asked_before=question.words_before,
        )
        if not chosen:
            # The words are in its name only.
            return await self._overview(question, answer) or writing.listing(question, answer, [])
        return writing.passages(question, answer, chosen, readings, is_widened=is_widened)

    async def _search(self, question: Question) -> Json:
        await self._plan(1)
        arguments = {**_narrowed(question), "query": question.query, "limit": MOST_FOUND}
        if question.kind == "list":
            arguments["order"] = question.order
            arguments["limit"] = 1 if question.wants_one else MOST_FOUND
        answer = await self._use("search-1", "search_record", arguments) or dict(NOTHING)
        is_widened = False
        if not answer["total"] and question.query and question.is_narrowed:
            await self.scribe.think("Nothing there; I look everywhere else. ")
            everywhere = {"query": question.query, "limit": MOST_FOUND}
            answer = await self._use("search-2", "search_record", everywhere) or dict(NOTHING)
            is_widened = bool(answer["total"])
        await self.scribe.think(_why(question, answer))
        return {"answer": answer, "is_widened": is_widened}

    async def _newest(self, question: Question) -> Json:
        arguments = {"limit": MOST_ENDINGS}
        return await self._use("newest", "search_record", arguments) or dict(NOTHING)

    async def _count(self, question: Question) -> str:
        counted = await self._once("counted", lambda: self._figures(question))
        return in_figures(question, counted["figures"], counted["found"])

    async def _figures(self, question: Question) -> Json:
        await self._plan(1)
        found = None
        if question.query:
            arguments = {**_narrowed(question), "query": question.query, "limit": MOST_FOUND}
            found = await self._use("search-1", "search_record", arguments) or dict(NOTHING)
        figures = await self._use("count", "count_record", _narrowed(question))
        if figures is None:
            raise BackendFailed("The record cannot be counted just now")
        await self.scribe.think("This asks for figures, so I count and quote nothing. ")
        return {"figures": figures, "found": found}

    async def _list(self, question: Question, answer: Json) -> str:
        listed = answer["conversations"]
        await self._plan(2)
        if question.wants_one and (overview := await self._overview(question, answer)):
            return overview
        endings = []
        for number, one in enumerate(listed[:MOST_ENDINGS], 1):
            reading = await self._reading(f"ending-{number}", _ending(one, 1))
            endings.append(_last_words(reading))
        return writing.listing(question, answer, endings)

    async def _overview(self, question: Question, answer: Json) -> str:
        """Of the first conversation; nothing where it is gone."""
        await self._plan(2)
        one = answer["conversations"][0]
        first = await self._reading("first", {"conversation_id": one["id"], "limit": 4})
        ending = await self._reading("last", _ending(one, 4))
        if first is None or ending is None:
            return ""
        others = answer["conversations"][1:] if question.query else []
        return writing.one_conversation(question, one, first, ending, others)

    async def _read(self, answer: Json) -> list[Json]:
        await self._plan(2)
        readings = []
        for number, one in enumerate(answer["conversations"][:MOST_READ], 1):
            arguments = {"conversation_id": one["id"], "limit": READ_AROUND}
            said = [match["message_id"] for match in one["matches"] if match["message_id"]]
            if said:
                arguments["around"] = said[0]
            reading = await self._reading(f"read-{number}", arguments)
            if reading is not None:
                readings.append(_with_matches(reading, one))
        return readings

    async def _reading(self, name: str, arguments: Json) -> Json | None:
        async def read() -> Json:
            return {"found": await self._use(name, "read_conversation", arguments)}

        found: Json | None = (await self._once(name, read))["found"]
        return found

    async def _once(self, name: str, do: Callable[[], Awaitable[Json]]) -> Json:
        if name not in self.state:
            self.state[name] = await do()
            await self.scribe.keep(dict(self.state))
        done: Json = self.state[name]
        return done

    async def _use(self, call_id: str, name: str, arguments: Json) -> Json | None:
        """What a tool found; None where it could not."""
        tool = self.assignment.tools.get(name)
        if tool is None:
            raise BackendFailed(f"The guide needs the tool {name}")
        told = await self.scribe.call(call_id, name, arguments, lambda: tool(arguments))
        try:
            found: Any = json.loads(told)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    async def _plan(self, at: int) -> None:
        def status(place: int) -> TodoStatus:
            if place == at:
                return "in_progress"
            return "completed" if place < at else "pending"

        await self.scribe.plan(
            [
                Todo(id=str(place + 1), text=text, status=status(place))
                for place, text in enumerate(self.todos)
            ]
        )


NOTHING: Json = {"total": 0, "matched": "", "words": [], "conversations": []}


def _todos(question: Question) -> list[str]:
    about = ", ".join([*(f"“{phrase}”" for phrase in question.phrases), *question.words])
    if question.kind == "figures":
        return ["See what the record holds", "Count", "Answer"]
    search = f"Search for {about}" if about else "Find the conversations"
    return ["See what the record holds", search, "Read the best ones", "Answer, with sources"]


def _narrowed(question: Question) -> Json:
    arguments: Json = {}
    if question.agent:
        arguments["agent"] = question.agent
    if question.status:
        arguments["status"] = question.status
    if question.span:
        arguments["since"] = question.span.since.isoformat()
        if question.span.until:
            arguments["until"] = question.span.until.isoformat()
    return arguments


def _why(question: Question, answer: Json) -> str:
    total = answer["total"]
    if not total:
        return "Nothing matches. I say so, and show what there is. "
    if question.kind == "list":
        return "This asks for no words, so I go by the order of the conversations. "
    best = "it" if total == 1 else f"the best {min(total, MOST_READ)}"
    if answer["matched"] == "some words":
        return (
            "No conversation has the words as they were asked; I go by those that have most of"
            f" them, where rare words count for more, and read {best}. "
        )
    where = "one conversation" if total == 1 else f"{total} conversations"
    return f"All the words are in {where}; I read {best} around the places where they stand. "


def _with_matches(reading: Json, one: Json) -> Json:
    """Places that match and were not read, because they are far off or their messages long."""
    texts = "\n".join(message["text"] for message in reading["read"])
    missing = [
        {"id": match["message_id"], "agent": "", "text": match["text"].strip("…")}
        for match in one["matches"]
        if match["message_id"] and match["text"].strip("…") not in texts
    ]
    return {**reading, "read": [*reading["read"], *missing]}


def _ending(one: Json, many: int) -> Json:
    start = max(0, one["last_number"] - many + 1)
    return {"conversation_id": one["id"], "start": start, "limit": many}


def _last_words(reading: Json | None) -> str:
    if not reading or not reading["read"]:
        return ""
    last = reading["read"][-1]
    by = f" — {markdown.plain(last['agent'])}" if last["agent"] else ""
    return f"“{markdown.plain(first_sentences(last['text'], 160))}”{by}"
