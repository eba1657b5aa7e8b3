"""Plays a script, for tests and demos: one that the question brings in its metadata, or a demo.

Each step that is finished is kept, so that after an interruption it goes on with the next; what
was half said is said again from its start.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from agents.backends import script
from agents.backends.base import Assignment, Result, Scribe, Todo, Usage
from agents.backends.metronome import until
from agents.errors import BackendFailed, BackendUnavailable, ToolFailed


class Scripted:
    async def answer(self, assignment: Assignment, scribe: Scribe) -> None:
        written = assignment.metadata.get("script")
        if written is None:
            steps = script.read_script(DEMO, "demo")
        else:
            steps = script.read_script(written, "metadata.script")
        state = assignment.state or {"finished": 0, "failures": 0}
        finished: int = state["finished"]
        for number, step in enumerate(steps[finished:], finished):
            if isinstance(step, script.BeUnavailable) and state["failures"] < step.times:
                await scribe.keep({"finished": number, "failures": state["failures"] + 1})
                raise BackendUnavailable(step.unavailable, retry_after_s=step.retry_after_s)
            await _play(step, number, assignment, scribe)
            state = {"finished": number + 1, "failures": 0}
            await scribe.keep(state)


async def _play(step: script.Step, number: int, assignment: Assignment, scribe: Scribe) -> None:
    match step:
        case script.Say():
            await _tell(scribe.say, step.say, step)
        case script.Think():
            await _tell(scribe.think, step.think, step)
        case script.Plan():
            items = [
                Todo(id=item.id or str(place), text=item.text, status=item.status)
                for place, item in enumerate(step.plan, 1)
            ]
            await scribe.plan(items)
        case script.UseTool():
            await scribe.call(
                f"script-{number}", step.tool, step.args, lambda: _use(step, assignment)
            )
        case script.Status():
            await scribe.status(step.status)
        case script.Wait():
            await asyncio.sleep(step.wait_ms / 1000)
        case script.Spend():
            await scribe.spend(Usage(**dict(step.usage)))
        case script.Fail():
            raise BackendFailed(step.fail)
        case script.BeUnavailable():
            pass  # often enough


async def _tell(
    tell: Callable[[str], Awaitable[None]], text: str, paced: script.Say | script.Think
) -> None:
    """By the clock: what took long to tell does not put off what is behind it.

    Pieces that are due by then are told together, as a vendor's are when they are read late.
    """
    clock = asyncio.get_running_loop()
    beat_s = paced.every_ms / 1000
    due = clock.time()
    piece = ""
    for next_piece in _pieces(text, paced.pieces):
        piece += next_piece
        due += beat_s
        if not beat_s:
            await tell(piece)
        elif due > clock.time():
            await tell(piece)
            await until(due)
        else:
            continue
        piece = ""
    if piece:
        await tell(piece)


def _pieces(text: str, count: int) -> Iterator[str]:
    count = min(count, len(text))
    for number in range(count):
        yield text[number * len(text) // count : (number + 1) * len(text) // count]


async def _use(step: script.UseTool, assignment: Assignment) -> Result:
    await asyncio.sleep(step.ms / 1000)
    if step.fails:
        raise ToolFailed(step.result or f"{step.tool} failed")
    if step.result is not None:
        return Result(text=step.result, summary=step.summary or step.result[:80])
    tool = assignment.tools.get(step.tool)
    if tool is None:
        raise ToolFailed(f"There is no tool {step.tool}")
    return await tool(step.args)


# Every kind of step that goes well.
DEMO = [
    {
        "plan": [
            {"text": "Look at what was asked", "status": "in_progress"},
            {"text": "Measure the tower"},
            {"text": "Answer"},
        ]
    },
    {"think": "A tower is asked for. I measure first, because plans are older than walls."},
    {"wait_ms": 200},
    {
        "plan": [
            {"text": "Look at what was asked", "status": "completed"},
            {"text": "Measure the tower", "status": "in_progress"},
            {"text": "Answer"},
        ]
    },
    {
        "tool": "measure",
        "args": {"what": "tower"},
        "ms": 400,
        "result": "Five floors, 42 metres",
    },
    {"status": "Asking the weather station"},
    {"tool": "weather", "args": {"at": "tower"}, "ms": 200, "result": "No answer", "fails": True},
    {
        "plan": [
            {"text": "Look at what was asked", "status": "completed"},
            {"text": "Measure the tower", "status": "completed"},
            {"text": "Answer", "status": "in_progress"},
        ]
    },
    {
        "say": "The tower has **five floors** and is 42 metres high [1]. ",
        "pieces": 12,
        "every_ms": 40,
    },
    {
        "repeat": 2,
        "steps": [{"say": "Nothing was said about the weather. ", "pieces": 6, "every_ms": 40}],
    },
    {"say": "\n\n1. Measured just now", "pieces": 4, "every_ms": 40},
    {"usage": {"input_tokens": 120, "output_tokens": 60, "cost": "0.00126"}},
    {
        "plan": [
            {"text": "Look at what was asked", "status": "completed"},
            {"text": "Measure the tower", "status": "completed"},
            {"text": "Answer", "status": "completed"},
        ]
    },
]
