"""A scribe that writes into memory, and can be interrupted."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.backends.base import Assignment, Backend, Json, Todo, Usage, Work
from agents.errors import ToolFailed


class Interrupted(Exception):
    """The worker is gone."""


@dataclass(slots=True)
class Call:
    call_id: str
    name: str
    arguments: Json
    status: str = "running"
    result: str = ""
    summary: str = ""


@dataclass(slots=True)
class MemoryScribe:
    """Remembers what was told, as the next attempt and everyone who watches would have it."""

    # Raised when so many more things were told or begun.
    interrupted_after: int | None = None
    error: Callable[[], BaseException] = Interrupted
    answer: str = ""
    pieces: list[str] = field(default_factory=list)
    thoughts: str = ""
    plans: list[list[Todo]] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    # How often the work of each call was begun.
    begun: Counter[str] = field(default_factory=Counter)
    spent: Usage = field(default_factory=Usage)
    state: Json | None = None
    # Steps that were told otherwise the second time.
    resets: int = 0
    _kept_answer: str = ""
    _kept_thoughts: str = ""
    _said: str = ""
    _thought: str = ""

    async def say(self, text: str) -> None:
        self._pass()
        self.pieces.append(text)
        self._said += text
        self.answer = self._told(self._kept_answer, self._said, self.answer)

    async def think(self, text: str) -> None:
        self._pass()
        self._thought += text
        self.thoughts = self._told(self._kept_thoughts, self._thought, self.thoughts)

    async def plan(self, items: Sequence[Todo]) -> None:
        self._pass()
        if not self.plans or self.plans[-1] != list(items):
            self.plans.append(list(items))

    async def status(self, text: str) -> None:
        self._pass()
        self.statuses.append(text)

    async def call(self, call_id: str, name: str, arguments: Json, work: Work) -> str:
        self._pass()
        call = self.calls.setdefault(call_id, Call(call_id, name, arguments))
        if call.status == "running":
            self.begun[call_id] += 1
            try:
                result = await work()
            except ToolFailed as error:
                call.status, call.result, call.summary = "error", str(error), str(error)
            else:
                call.status, call.result, call.summary = "ok", result.text, result.summary
        return call.result

    async def spend(self, usage: Usage) -> None:
        self.spent += usage

    async def keep(self, state: Json) -> None:
        self._pass()
        self.state = state
        self._kept_answer, self._said = self._kept_answer + self._said, ""
        self._kept_thoughts, self._thought = self._kept_thoughts + self._thought, ""
        if (self.answer, self.thoughts) != (self._kept_answer, self._kept_thoughts):
            self.resets += 1  # less was said than before
        self.answer, self.thoughts = self._kept_answer, self._kept_thoughts

    def go_on(self, *, interrupted_after: int | None = None) -> None:
        """Another worker takes over."""
        self._said = self._thought = ""
        self.interrupted_after = interrupted_after

    def _told(self, kept: str, again: str, before: str) -> str:
        now = kept + again
        if before.startswith(now) or now.startswith(before):
            return max(before, now, key=len)
        self.resets += 1
        return now

    def _pass(self) -> None:
        if self.interrupted_after is not None:
            if not self.interrupted_after:
                raise self.error()
            self.interrupted_after -= 1


async def interrupted_everywhere(
    backend: Backend, assignment: Callable[[Json | None], Assignment]
) -> list[MemoryScribe]:
    """The scribes of runs, each of which was interrupted at another of its moments and went on."""
    scribes = []
    for moment in range(10_000):
        scribe = MemoryScribe(interrupted_after=moment)
        try:
            await backend.answer(assignment(None), scribe)
        except Interrupted:
            scribe.go_on()
            await backend.answer(assignment(scribe.state), scribe)
            scribes.append(scribe)
        else:
            return scribes
    raise AssertionError("It never ends")
