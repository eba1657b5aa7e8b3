"""A brief as it is spoken of in one section, and how phrases are put together."""

import hashlib
import re
from collections.abc import Sequence

from agents.backends.terms import covers, key_terms
from agents.backends.writer.brief import Brief

MOST_FACTS = 4


class Page:
    """A brief as it is spoken of in one section, with the choices of that section."""

    def __init__(self, brief: Brief, section: str) -> None:
        self.brief = brief
        self.section = section
        self.title = sentence_case(" ".join(re.findall(r"[^\W_]+", section)) or "More")
        self.name = brief.name
        self.we = brief.name or "We"
        self.us = brief.name or "us"
        self.offers = list(brief.offers)
        self.topic = self.offers[0] if self.offers else "what we do"
        self.whom = brief.audience
        self.what = brief.what
        # “a family bakery in Leipzig” → “Family bakery in Leipzig”
        self.bare_what = re.sub(r"^(?:an?|the)\s+", "", brief.what)
        self._seed = f"{brief.text}\0{section}"
        self._taken: set[str] = set()
        self.told: set[str] = set()

    def pick(self, *phrases: str) -> str:
        """One of these that was not yet picked in this section, always the same; else nothing."""
        possible = [one for one in phrases if one]
        left = [one for one in possible if one not in self._taken] or possible
        chosen = min(left, key=self._rank, default="")
        self._taken.add(chosen)
        return chosen

    def by_tone(self, plain: Sequence[str], **others: Sequence[str]) -> str:
        return self.pick(*others.get(self.brief.tone, plain))

    def _rank(self, phrase: str) -> bytes:
        return hashlib.sha256(f"{self._seed}\0{phrase}".encode()).digest()

    @property
    def for_whom(self) -> str:
        return f" for {self.whom}" if self.whom else ""

    @property
    def action(self) -> str:
        return sentence_case(self.brief.goal)

    def facts(self, *about: str, most: int = MOST_FACTS) -> list[str]:
        """What the brief says of these words; without words all that it says."""
        wanted = " ".join(about)
        terms = key_terms(wanted, most=12) if wanted else []
        facts = self.brief.facts
        found = [one for one in facts if not terms or any(covers(one, term) for term in terms)]
        return found[:most]


def choice_of(page: Page) -> str:
    offers = page.offers[:3]
    if len(offers) < 2:
        return ""
    any_of_them = listed(offers, last="or")
    return page.pick(
        f"Whether you are here for {any_of_them}, you are in the right place.",
        f"Looking for {any_of_them}? You have come to the right place.",
    )


def listed(items: Sequence[str], *, last: str = "and") -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def unless_said(addition: str, said: str) -> str:
    """Nothing is for two sorts of people in one sentence."""
    return "" if " for " in said else addition


def is_short(phrase: str) -> bool:
    return 0 < len(phrase.split()) <= 9


def is_told(fact: str, said: str) -> bool:
    """Whether most words of a fact have been said before."""
    terms = key_terms(fact, most=8)
    return bool(terms) and sum(covers(said, term) for term in terms) > len(terms) / 2


def paragraph(sentences: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(filter(None, sentences)))


def sentence_case(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}"


def cleaned(said: str) -> str:
    return re.sub(r"[ \t]+", " ", re.sub(r"([.!?])\.+", r"\1", said)).strip()
