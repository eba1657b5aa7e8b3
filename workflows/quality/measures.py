"""The measures: each gives a text a value from 0 to 100, and says why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from agents.backends.terms import covers, key_terms
from workflows.quality.words import sentences_of, syllables_in, words_of

KEY_TERMS = 12
# As many of the key terms as one section is expected to speak of.
TERMS_OF_A_SECTION = 3
REPEATED_NAMED = 3
# What people can be expected to read, in words: of a headline, and of all that stands below it.
HEADLINE = (2, 12)
TARGETS = {
    "hero": (20, 70),
    "features": (60, 220),
    "services": (60, 220),
    "about": (50, 200),
    "contact": (20, 100),
    "faq": (60, 300),
    "pricing": (30, 160),
}
ANY_TARGET = (30, 200)

# Flesch's own words for his scale.
EASE = (
    (90, "very easy"),
    (80, "easy"),
    (70, "fairly easy"),
    (60, "plain English"),
    (50, "fairly difficult"),
    (30, "difficult"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    measure: str
    # What the measure is called elsewhere.
    name: str
    value: float
    why: str
    detail: dict[str, Any] = field(default_factory=dict)


def readability(text: str) -> Score:
    """Flesch's reading ease: short sentences of short words are read with ease."""
    words, sentences = words_of(text), sentences_of(text)
    if not words:
        return _score("readability", 0, "There is nothing to read.")
    length = len(words) / len(sentences)
    syllables = sum(map(syllables_in, words)) / len(words)
    ease = 206.835 - 1.015 * length - 84.6 * syllables
    called = next((name for least, name in EASE if ease >= least), "very difficult")
    return _score(
        "readability",
        ease,
        f"{ease:.0f} is {called}: {_counted(length, 'word')} a sentence,"
        f" {_counted(syllables, 'syllable')} a word.",
        wordsPerSentence=round(length, 2),
        syllablesPerWord=round(syllables, 2),
        ease=round(ease, 2),
    )


def length(headline: str, text: str, *, kind: str) -> Score:
    """Whole where both are within their targets; halved where one is half as long, or twice."""
    least, most = TARGETS.get(kind, ANY_TARGET)
    of_text, of_headline = len(words_of(text)), len(words_of(headline))
    parts = [_fit(of_text, least, most), _fit(of_headline, *HEADLINE)]
    return _score(
        "length",
        100 * min(parts),
        f"{_counted(of_text, 'word')}, where {least} to {most} are asked for;"
        f" {of_headline} in the headline, where {HEADLINE[0]} to {HEADLINE[1]} are.",
        words=of_text,
        headlineWords=of_headline,
        target=[least, most],
    )


def repetition(text: str) -> Score:
    """Distinct-2: the share of pairs of neighbouring words that are said once only, or first."""
    pairs = [pair for part in sentences_of(text) for pair in pairwise(_said(part))]
    if not pairs:
        return _score("repetition", 100 if text.strip() else 0, "There is nothing to repeat.")
    share = len(set(pairs)) / len(pairs)
    again = [pair for pair, times in Counter(pairs).most_common() if times > 1]
    named = ", ".join(f"“{' '.join(pair)}”" for pair in again[:REPEATED_NAMED])
    return _score(
        "repetition",
        100 * share,
        f"{len(set(pairs))} of {len(pairs)} pairs of words are new"
        + (f"; said again: {named}." if named else "."),
        distinct2=round(share, 4),
    )


def keyword_cover(text: str, *, brief: str, wanted: int | None = None) -> Score:
    """The share of the brief's key terms that the text has, of which so many are wanted."""
    terms = key_terms(brief, most=KEY_TERMS)
    found = [term for term in terms if covers(text, term)]
    if not terms:
        return _score("keywords", 100, "The brief has no key terms.")
    enough = min(wanted or len(terms), len(terms))
    missing = [term for term in terms if term not in found]
    why = f"{len(found)} of {_counted(len(terms), 'key term')}"
    if enough < len(terms):
        why += f", where {enough} are enough for one section"
    why += f": {', '.join(found)}" if found else ""
    why += f"; missing: {', '.join(missing)}" if missing and len(found) < enough else ""
    return _score(
        "keywords", 100 * min(1, len(found) / enough), f"{why}.", found=found, missing=missing
    )


def of_section(parts: dict[str, str], *, kind: str, brief: str) -> list[Score]:
    below = _joined([parts.get("subheadline", ""), parts.get("body", "")])
    whole = _joined([parts.get("headline", ""), below, parts.get("cta", "")])
    return [
        readability(below),
        length(parts.get("headline", ""), below, kind=kind),
        repetition(whole),
        keyword_cover(whole, brief=brief, wanted=TERMS_OF_A_SECTION),
    ]


def of_page(sections: Sequence[dict[str, str]], *, brief: str) -> list[Score]:
    """Of all sections together: what they say twice between them counts, too."""
    names = ("headline", "subheadline", "body", "cta")
    whole = _joined(_joined(parts.get(name, "") for name in names) for parts in sections)
    below = _joined(_joined(parts.get(name, "") for name in names[1:3]) for parts in sections)
    return [readability(below), repetition(whole), keyword_cover(whole, brief=brief)]


NAMES = {
    "readability": "Flesch reading ease",
    "length": "Words against a target",
    "repetition": "Distinct-2",
    "keywords": "Keyword cover",
}


def _score(measure: str, value: float, why: str, **detail: Any) -> Score:
    bounded = round(max(0.0, min(100.0, value)), 1)
    return Score(measure=measure, name=NAMES[measure], value=bounded, why=why, detail=detail)


def _fit(count: int, least: int, most: int) -> float:
    if count < least:
        return count / least
    return most / count if count > most else 1


def _said(text: str) -> list[str]:
    return [word.casefold() for word in words_of(text)]


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text.strip())


def _counted(count: float, noun: str) -> str:
    written = f"{count:.1f}".removesuffix(".0")
    return f"{written} {noun}" if written == "1" else f"{written} {noun}s"
