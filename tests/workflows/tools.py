"""Tools whose effects can be counted."""

import asyncio
from typing import Any

from django.utils import timezone

from agents.errors import ToolFailed
from conversations.models import RawEvent
from workflows.errors import NodeFailed
from workflows.tools import Arguments, InTransaction, Outside, Task


class ToNote(Arguments):
    text: str
    # So often it fails after it has noted.
    fails: bool = False


class ToStumble(Arguments):
    times: int
    for_good: bool = False


class ToWait(Arguments):
    ms: int


class ToSay(Arguments):
    value: Any = None


def _note(task: Task, wanted: ToNote) -> Any:
    RawEvent.objects.create(
        project=task.project,
        kind="noted",
        timestamp=timezone.now(),
        data={"key": task.key, "text": wanted.text},
    )
    if wanted.fails:
        raise ToolFailed("The pencil broke")
    return {"noted": wanted.text}


_stumbled: dict[str, int] = {}


async def _stumble(task: Task, wanted: ToStumble) -> Any:
    if wanted.for_good:
        raise NodeFailed("There is a hole")
    _stumbled[task.key] = _stumbled.get(task.key, 0) + 1
    if _stumbled[task.key] <= wanted.times:
        raise ToolFailed(f"Stumbled {_stumbled[task.key]} times")
    return {"tries": _stumbled[task.key]}


async def _dawdle(task: Task, wanted: ToWait) -> Any:
    await asyncio.sleep(wanted.ms / 1000)
    return {"waited": wanted.ms}


async def _say_back(task: Task, wanted: ToSay) -> Any:
    return wanted.value


async def _lie(task: Task, wanted: ToSay) -> Any:
    raise RuntimeError("nobody is to read this")


note = InTransaction(description="Write it down", reads=ToNote, does=_note)
stumble = Outside(description="Fail some times", reads=ToStumble, does=_stumble)
dawdle = Outside(description="Take its time", reads=ToWait, does=_dawdle)
say_back = Outside(description="What it was given", reads=ToSay, does=_say_back)
lie = Outside(description="Break", reads=ToSay, does=_lie)
