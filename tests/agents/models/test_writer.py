"""The writer asks its model part by part, and takes of its answers only what belongs there."""

from typing import Any

import pytest

from agents import roster
from agents.backends.base import Backend, Json
from agents.backends.writer.form import parts_of
from agents.errors import BackendFailed
from tests.agents.models.asking import assignment
from tests.agents.scribes import MemoryScribe, interrupted_everywhere
from tests.vendors import Answer, FakeVendors, Text

BRIEF = "Section: about\n\nA bakery in Leipzig."
PARTS = {
    "headline": "Bread & time",
    "subheadline": "We bake slowly.",
    "body": "Every day.\n\n- **Rye.** Dark.",
    "cta": "Order now",
}


@pytest.fixture
def _written(vendors: FakeVendors) -> None:
    said = {
        "at most ten words": '# **"Bread\n& time"**\n',
        "line below the headline": "We bake slowly.\n",
        "40 to 150 words": "\n## Every day.\n\n- **Rye.** Dark.\n",
        "on the button": "[Order now]",
    }
    for words, text in said.items():
        vendors.when(words, Answer(pieces=(Text(text=text, each=3),)))


def asking_writer() -> Backend:
    return roster.backend_of("agents.backends.writer.asking.AskingWriter")


def asked(state: Json | None = None, **given: Any) -> Any:
    return assignment(question=BRIEF, state=state, **given)


@pytest.mark.usefixtures("_written")
async def test_each_part_is_asked_for_and_tidied(vendors: FakeVendors) -> None:
    scribe = MemoryScribe()
    await asking_writer().answer(asked(), scribe)

    assert parts_of(scribe.answer) == PARTS
    assert len(vendors.requests) == 4
    assert scribe.spent.requests == 4
    assert "# Bread & time" in str(vendors.requests[1])


@pytest.mark.usefixtures("_written")
async def test_an_interrupted_section_goes_on_with_the_part_that_was_written() -> None:
    for scribe in await interrupted_everywhere(asking_writer(), asked):
        assert (parts_of(scribe.answer), scribe.resets) == (PARTS, 0)


async def test_a_part_that_the_model_leaves_out_is_a_failure(vendors: FakeVendors) -> None:
    vendors.when("at most ten words", Answer(pieces=(Text(text='"" ', each=1),)))

    with pytest.raises(BackendFailed, match="Headline"):
        await asking_writer().answer(asked(), MemoryScribe())
