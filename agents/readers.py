"""Who else reads an answer while it is written: whoever the settings name for a word in its run.

They read inside the transaction that keeps the pieces, so that what they make of them is kept with
them or not at all.
"""

from collections.abc import Callable, Sequence
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from agents.events import StepEvent
from agents.models import AgentRun

Reader = Callable[[AgentRun, Sequence[StepEvent]], None]


def read_along(run: AgentRun, steps: Sequence[StepEvent]) -> None:
    for word, path in settings.ANSWER_READERS.items():
        if steps and word in run.metadata:
            _reader(path)(run, steps)


@cache
def _reader(path: str) -> Reader:
    reader: Reader = import_string(path)
    return reader
