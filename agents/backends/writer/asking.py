"""The writer that has a model: each part is a request of its own, shown what stands above it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agents.backends.base import Assignment, Json, Scribe, Todo, Usage, Work
from agents.backends.models import Model
from agents.backends.writer.form import tidied, written
from agents.backends.writer.writing import NAMES, Writer
from agents.errors import BackendFailed

WANTED = {
    "headline": "the headline: one line of at most ten words",
    "subheadline": "the line below the headline: one sentence that adds to it",
    "body": "the text: 40 to 150 words in short sentences, in paragraphs or a list, no headings",
    "cta": "the words on the button: two to five of them, beginning with a verb",
}


class AskingWriter(Writer):
    async def write(
        self,
        part: str,
        section: str,
        brief: str,
        above: Mapping[str, str],
        assignment: Assignment,
        scribe: Scribe,
    ) -> str:
        so_far = f" So far it says:\n{written(above)}" if above else ""
        prompt = (
            f"The brief of a website:\n{brief}\n\n"
            f"You write its section “{section}”.{so_far}\n\n"
            f"Write {WANTED[part]}. Answer with nothing else, in the language of the brief."
        )
        teller = _PartTeller(part, scribe)
        asked = replace(assignment, prompt=prompt, history=(), state=None)
        await Model().answer(asked, teller)
        if not teller.told:
            raise BackendFailed(f"The model has written nothing as: {NAMES[part]}")
        return teller.told


class _PartTeller:
    """A scribe of one part: it keeps nothing by itself, and tells only what belongs to the part."""

    def __init__(self, part: str, scribe: Scribe) -> None:
        self._part = part
        self._scribe = scribe
        self._said = ""
        self.told = ""

    async def say(self, text: str) -> None:
        self._said += text
        tidy = tidied(self._part, self._said)
        if len(tidy) > len(self.told):
            piece, self.told = tidy[len(self.told) :], tidy
            await self._scribe.say(piece)

    async def think(self, text: str) -> None:
        await self._scribe.think(text)

    async def plan(self, items: Sequence[Todo]) -> None:
        pass

    async def status(self, text: str) -> None:
        await self._scribe.status(text)

    async def call(self, call_id: str, name: str, arguments: Json, work: Work) -> str:
        return await self._scribe.call(f"{self._part}-{call_id}", name, arguments, work)

    async def spend(self, usage: Usage) -> None:
        await self._scribe.spend(usage)

    async def keep(self, state: Json) -> None:
        pass
