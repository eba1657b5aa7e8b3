"""The scribe of a run: what an agent does, on its way into the log."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from django.utils import timezone

from agents import events, stats
from agents.backends.base import Json, Todo, Usage, Work
from agents.checkpoint import Standing
from agents.confidence import confidence
from agents.errors import RunLost, ToolFailed
from agents.events import StepEvent
from agents.models import AgentStep
from agents.pace import Place
from agents.progress import Report, passing
from agents.summaries import cleaned, one_line, storable, summary_of
from agents.turns import Turn
from agents.working import Commission, Entry
from streaming import tracing

if TYPE_CHECKING:
    from agents.recorder import Recorder

CHECKPOINT_EVERY_S = 1.0
PROGRESS_EVERY_S = 1.0
# What may wait to be written before an agent has to wait itself.
MOST_WAITING = 256 * 1024
LONGEST_THOUGHT = 400
ENDS_OF_THOUGHTS = (".", "!", "?", "\n", "。", "！", "？")  # noqa: RUF001


class RunScribe:
    """A `Scribe` that keeps what it is told until the recorder takes it, some milliseconds later.

    It knows which text people have seen. An agent that starts a step again says it again: as long
    as that is the same text, nothing is told; from where it differs, the answer starts over.
    """

    def __init__(self, commission: Commission, recorder: "Recorder") -> None:
        self.run = commission.run
        self.recorder = recorder
        self.steps = commission.steps
        self._pieces = [commission.standing.content]
        self.kept = commission.standing.kept
        self.state = commission.standing.state
        self.usage = commission.standing.usage
        self.told = commission.run.told
        # What the agent is doing, and since when nothing was heard of it.
        self.activity = "Thinking"
        self.quiet_since = time.monotonic()
        self.on_lost: Callable[[], object] | None = None
        self.is_lost = False
        self.is_refused = False
        self.has_spoken = self.was_heard = bool(commission.standing.content)
        self._owed = ""
        self._thought = ""
        self._thoughts: set[str] = set()
        # How far it is in its plan.
        self.place = commission.place
        self._new = Entry(run=self.run, told_before=self.told)
        self._size = 0
        self._wants_checkpoint = False
        self._turn_to_save = Turn(self.run.pk, every_s=CHECKPOINT_EVERY_S)
        self._turn_to_report = Turn(self.run.pk, every_s=PROGRESS_EVERY_S)
        self._new_text: list[str] = []
        self._new_reasoning = ""
        # Who waits for what is new, and who for what is on its way.
        self._waiting: list[asyncio.Future[None]] = []
        self._waiting_for_written: list[asyncio.Future[None]] = []
        self._in_flight: asyncio.Future[None] | None = None

    @property
    def content(self) -> str:
        """What was told of the answer, be it written or not yet."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    @property
    def progress(self) -> tuple[int, int]:
        """How much of the answer, and how many calls, no attempt has to make again."""
        return self.kept, sum(step.finished_at is not None for step in self.steps.values())

    # What a backend tells

    async def say(self, text: str) -> None:
        text = cleaned(text)
        if self._thought:
            self._end_thought()
        if self._owed:
            if self._owed.startswith(text):
                self._owed = self._owed[len(text) :]
                return
            if not text.startswith(self._owed):
                self._start_over(text)
                return
            text = text[len(self._owed) :]
            self._owed = ""
        if text:
            self.activity = "Answering"
            self._tell_content(text)
            if self._size > MOST_WAITING:
                await self.written()

    async def think(self, text: str) -> None:
        self.quiet_since = time.monotonic()
        self.activity = "Thinking"
        self._thought += cleaned(text)
        if (
            self._thought.rstrip(" ").endswith(ENDS_OF_THOUGHTS)
            or len(self._thought) > LONGEST_THOUGHT
        ):
            self._end_thought()

    async def plan(self, items: Sequence[Todo]) -> None:
        self.place = Place.of(items)
        self._tell(events.plan(items))
        self._tell_progress(is_kept=True)

    async def status(self, text: str) -> None:
        self._tell(events.status(cleaned(text)))

    async def call(self, call_id: str, name: str, arguments: Json, work: Work) -> str:
        call_id, name = cleaned(call_id), cleaned(name)
        known = self.steps.get(call_id)
        if known and known.finished_at:
            return known.result
        if known:
            known.times_begun += 1
            self._tell(events.status(f"{name} was interrupted, and is run once more"))
            step = known
        else:
            step = AgentStep(
                run=self.run,
                call_id=call_id,
                name=name,
                arguments=storable(arguments),
                args_summary=summary_of(arguments),
            )
            self.steps[call_id] = step
            self._tell(events.tool_start(call_id, name, step.args_summary))
        self._new.begun.append(step)
        self._new.wide.append(events.step_updated(self.run, step))
        self.activity = name
        await self.written()
        return await self._carry_out(step, work)

    async def _carry_out(self, step: AgentStep, work: Work) -> str:
        began = time.monotonic()
        try:
            with tracing.span(f"tool {step.name}"):
                result = await work()
        except ToolFailed as error:
            step.status, step.result = AgentStep.Status.ERROR, cleaned(str(error))
            step.result_summary = one_line(step.result)
        else:
            step.status, step.result = AgentStep.Status.OK, cleaned(result.text)
            step.result_summary = one_line(cleaned(result.summary))
        step.duration_ms = round((time.monotonic() - began) * 1000)
        step.finished_at = timezone.now()
        self._tell(
            events.tool_end(
                step.call_id,
                step.name,
                status=step.status,
                ms=step.duration_ms,
                result_summary=step.result_summary,
            )
        )
        self._new.ended.append(step)
        self._new.wide.append(events.step_updated(self.run, step))
        self.activity = "Thinking"
        await self.written()
        return step.result

    async def spend(self, usage: Usage) -> None:
        self.usage += usage
        self._new.usage = self.usage
        self._wants_checkpoint = True
        self.recorder.note(self)

    async def keep(self, state: Json) -> None:
        if self._owed:
            self._start_over("")
        self._end_thought()
        self.kept = len(self.content)
        self.state = storable(state)
        self._wants_checkpoint = True
        self.recorder.note(self)

    # What the worker asks

    def begin_attempt(self) -> None:
        """From the last finished step on; what was told of the one after it is said again."""
        self._owed = self.content[self.kept :]

    async def written(self) -> None:
        """Wait until all that was told is in the log. Raises RunLost."""
        if self.is_lost:
            raise RunLost
        if self._has_news():
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(written)
            self.recorder.note(self, is_urgent=True)
            await written
        elif self._in_flight:
            await asyncio.shield(self._in_flight)

    async def last_words(self) -> Entry:
        """What is left to be written together with the end."""
        if self._owed:
            self._start_over("")
        self._end_thought()
        if self._new_text or self._new_reasoning:
            self._tell_progress(is_kept=False)
        while self._in_flight:
            await asyncio.shield(self._in_flight)
        entry, self._new = self._new, Entry(run=self.run, told_before=self.told)
        # Written before the end is, it would know of words that are not told yet.
        self._wants_checkpoint = False
        return entry

    def take_back(self, entry: Entry) -> None:
        """They were not written, as far as is known: the worker has to stop."""
        self._new = entry
        self._wants_checkpoint = True

    async def remind(self, text: str) -> None:
        """That it still goes on: which ends no silence."""
        self._new.steps.append(events.status(text))
        self.recorder.note(self)

    def standing(self, *, position: int) -> Standing:
        return Standing(
            position=position,
            content=self.content,
            kept=self.kept,
            state=self.state,
            usage=self.usage,
        )

    # What the recorder asks

    @property
    def is_urgent(self) -> bool:
        return bool(self._waiting)

    def take(self) -> Entry | None:
        """What is new, to be written now."""
        if self.is_lost or not self._has_news():
            return None
        if self._new_text and self._turn_to_report.has_come():
            self._tell_progress(is_kept=self.recorder.is_progress_due(self.run))
        entry = self._new
        if self._wants_checkpoint or (entry.steps and self._turn_to_save.has_come()):
            entry.standing = self.standing(position=entry.told_after)
            self._wants_checkpoint = False
        self.told = entry.told_after
        self._new = Entry(run=self.run, told_before=self.told)
        self._size = 0
        self._in_flight = asyncio.get_running_loop().create_future()
        self._waiting_for_written, self._waiting = self._waiting, []
        return entry

    def was_written(self, *, is_lost: bool) -> None:
        in_flight, self._in_flight = self._in_flight, None
        waiting, self._waiting_for_written = self._waiting_for_written, []
        if is_lost:
            waiting, self._waiting = waiting + self._waiting, []
        for waiter in [*waiting, *([in_flight] if in_flight else [])]:
            if not waiter.done():
                if is_lost:
                    waiter.set_exception(RunLost())
                    # Nobody may be waiting for it.
                    waiter.exception()
                else:
                    waiter.set_result(None)
        if not is_lost:
            self.note_heard()
        if is_lost and not self.is_lost:
            self.is_lost = True
            if self.on_lost:
                self.on_lost()

    def note_heard(self) -> None:
        """What has been told so far is in the log."""
        if self.has_spoken and not self.was_heard:
            self.was_heard = True
            stats.FIRST_PIECE.labels(self.run.agent_id).observe(self.run.age_s)

    def was_refused(self) -> None:
        """The database does not take what the run has to say: whatever follows would have a gap."""
        self.is_refused = True
        self.was_written(is_lost=True)

    # In here

    def _has_news(self) -> bool:
        new = self._new
        return bool(new.steps or new.wide or new.begun or new.ended or self._wants_checkpoint)

    def _tell(self, event: StepEvent) -> None:
        self._end_thought()
        self._add(event)

    def _add(self, event: StepEvent) -> None:
        self.quiet_since = time.monotonic()
        self._new.steps.append(event)
        self.recorder.note(self)

    def _tell_content(self, text: str) -> None:
        self._pieces.append(text)
        self._new_text.append(text)
        self._size += len(text)
        last = self._new.steps[-1] if self._new.steps else None
        if last is not None and last.kind == "content":
            last.data["md"] += text
            self.quiet_since = time.monotonic()
            return
        self._add(events.content(text))
        if not self.has_spoken:
            self.has_spoken = True
            self.recorder.note(self, is_urgent=True)

    def _start_over(self, text: str) -> None:
        """The agent does not say again what it had said: what it says now counts."""
        said_again = self.content[self.kept : len(self.content) - len(self._owed)]
        self._owed = ""
        kept = self.content[: self.kept]
        self._tell(events.reset("Starting this part over"))
        self._pieces = [""]
        for piece in (kept, said_again, text):
            if piece:
                self._tell_content(piece)

    def _end_thought(self) -> None:
        thought, self._thought = self._thought.strip(), ""
        if thought and thought not in self._thoughts:
            self._thoughts.add(thought)
            self._new_reasoning = thought
            self._add(events.rationale(thought))

    def _tell_progress(self, *, is_kept: bool) -> None:
        text = "".join(self._new_text)
        self._new_text.clear()
        reasoning, self._new_reasoning = self._new_reasoning, ""
        report = Report(
            project_id=self.run.project_id,
            agent_id=self.run.agent_id,
            run=self.run,
            status=self.run.status,
            percentage=self.place.percentage,
            current_step=self.place.current_step,
            total_steps=self.place.total,
            tokens_used=self.usage.total_tokens,
            cost=self.usage.cost,
            content=text,
            reasoning=reasoning,
            confidence=confidence(text) if text else None,
        )
        self._new.wide.append(report if is_kept else passing(report).events[0])
