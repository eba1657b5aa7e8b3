"""The agent that writes websites: what it makes of a brief, and how it is interrupted."""

import itertools

import pytest

from agents.backends.base import Agent, Assignment, Json
from agents.backends.terms import covers, key_terms
from agents.backends.writer import Writer, writing
from agents.backends.writer.brief import read_brief
from agents.backends.writer.composing import compose
from agents.backends.writer.form import PARTS, parts_of, tidied, written
from agents.errors import BackendFailed
from tests.agents.scribes import MemoryScribe, interrupted_everywhere

BAKERY = (
    "Tower Bakery is a family bakery in Leipzig that bakes sourdough bread with organic flour."
    " For families and commuters in the neighbourhood. We want people to order online and pick up"
    " at the shop from 7 am. Friendly, warm tone."
)
APP = (
    "A landing page for Fieldnote, a note-taking app for geologists. Offline maps, voice notes,"
    " photo tagging, and sync when back online. Audience: field geologists and students."
    " Tone: precise and calm. CTA: start a free trial."
)
SECTIONS = ("hero", "features", "about", "contact", "faq", "opening hours")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PAUSE_S", 0)


def assignment(prompt: str, state: Json | None = None) -> Assignment:
    agent = Agent(id="writer", name="Writer", backend="agents.backends.writer.Writer")
    return Assignment(agent=agent, prompt=prompt, state=state)


async def test_a_section_has_its_four_parts_in_order() -> None:
    scribe = MemoryScribe()
    await Writer().answer(assignment(f"Section: about\n\n{BAKERY}"), scribe)

    assert parts_of(scribe.answer) == compose("about", BAKERY)
    assert tuple(parts_of(scribe.answer)) == PARTS
    assert len(scribe.pieces) > 20
    assert [todo.status for todo in scribe.plans[-1]] == ["completed"] * 4


async def test_interrupted_anywhere_it_says_the_same_and_nothing_twice() -> None:
    whole = MemoryScribe()
    await Writer().answer(assignment(BAKERY), whole)

    scribes = await interrupted_everywhere(Writer(), lambda state: assignment(BAKERY, state))

    assert len(scribes) > 20
    assert {scribe.answer for scribe in scribes} == {whole.answer}
    assert {scribe.resets for scribe in scribes} == {0}


async def test_without_a_brief_there_is_nothing_to_write() -> None:
    with pytest.raises(BackendFailed, match="brief"):
        await Writer().answer(assignment("Section: hero\n\n"), MemoryScribe())


def test_a_brief_is_read_by_its_words() -> None:
    brief = read_brief(BAKERY)
    assert (brief.name, brief.what) == ("Tower Bakery", "a family bakery in Leipzig")
    assert brief.doing == "bake sourdough bread with organic flour"
    assert brief.audience == "families and commuters in the neighbourhood"
    assert (brief.place, brief.tone, brief.goal) == ("Leipzig", "warm", "order online")

    brief = read_brief(APP)
    assert brief.name == "Fieldnote"
    assert brief.offers == ("offline maps", "voice notes", "photo tagging", "sync when back online")
    assert (brief.audience, brief.goal) == ("field geologists and students", "start a free trial")


@pytest.mark.parametrize("text", [BAKERY, APP, "dog walking", "Яблоки и груши", "?", "We", "A: b"])
def test_every_brief_makes_every_section(text: str) -> None:
    for section in SECTIONS:
        parts = compose(section, text)
        assert tuple(parts) == PARTS
        assert all(parts.values()), parts
        assert parts_of(written(parts)) == parts


def test_what_is_written_is_about_the_brief() -> None:
    page = "\n".join(written(compose(section, BAKERY)) for section in SECTIONS)

    terms = key_terms(BAKERY, most=12)
    assert sum(covers(page, term) for term in terms) >= 0.8 * len(terms)
    assert "lorem" not in page.lower()


def test_the_same_brief_gives_the_same_text_and_another_gives_another() -> None:
    assert compose("hero", BAKERY) == compose("hero", BAKERY)
    heroes = {
        compose("contact", f"Website for a shop that sells {what}.")["subheadline"].replace(
            what, ""
        )
        for what in ("lamps", "shoes", "tea", "kites", "maps", "clocks")
    }
    assert len(heroes) > 1


def test_parts_are_known_while_they_are_written() -> None:
    whole = written(compose("hero", BAKERY))
    grown: list[dict[str, str]] = [parts_of(whole[:end]) for end in range(len(whole) + 1)]

    final = parts_of(whole)
    for earlier, later in itertools.pairwise(grown):
        assert list(earlier) == list(later)[: len(earlier)]
    for parts in grown:
        for name, said in parts.items():
            assert final[name].startswith(said.rstrip()), (name, said)


@pytest.mark.parametrize("part", PARTS)
def test_more_of_a_part_only_ever_adds_to_it(part: str) -> None:
    said = '## "**A** line\n[of](x) text"\n\n# and more\n[button] "quoted"** '
    tidy = [tidied(part, said[:end]) for end in range(len(said) + 1)]

    for earlier, later in itertools.pairwise(tidy):
        assert later.startswith(earlier)
    assert parts_of(written({"headline": "Above", part: tidy[-1]})).get(part) == tidy[-1]


def test_terms_are_phrases_of_the_text_in_its_order() -> None:
    assert key_terms(APP, most=4) == [
        term for term in key_terms(APP, most=9) if term in key_terms(APP, most=4)
    ]
    assert key_terms("and of the", most=4) == []
    assert covers("We baked loaves of bread", "baking bread")
    assert not covers("We sell bread", "baking bread")
