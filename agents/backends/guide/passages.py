"""The sentences that answer best: those with the words of the question, the rare ones above all."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

from agents.backends.base import Json
from conversations.search.words import IS_UNSPACED, fold

MOST_PASSAGES = 5
MOST_OF_A_SOURCE = 2
LONGEST_PASSAGE = 320
# A sentence this short is shown with the one behind it.
SHORT = 60
# Of the best one's score, or a sentence is not worth showing.
WORTH_SHOWING = 0.35
# What follows a question answers it; what follows anything else may go on with it.
AFTER_A_QUESTION = 0.7
AFTER_A_MATCH = 0.2
A_QUESTION = 0.5
OF_ANOTHER_AGENT = 0.25
A_PROMPT = 0.7
# What was asked before counts for less than what is asked now.
ASKED_BEFORE = 0.2
# In a conversation that is about just this, a reason needs no other word of the question.
REASON_ALONE = 0.8
# Reasons for who asks why, numbers for who asks when or how many.
FITTING = 1.4
REASON = re.compile(
    "because|cause|reason|due to|weil|grund|parce|raison|porque|perche|因为|ので|から"
)
HINTS = (
    (
        re.compile(
            "^(why|warum|wieso|weshalb|pourquoi|por que|perche)(?![^ ])|原因|为什么|なぜ|왜"
        ),
        re.compile(
            "because|cause|reason|due to|weil|grund|parce|raison|porque|perche|因为|ので|から"
        ),
    ),
    (
        re.compile("^(when|how many|how much|how long|how high|wann|wie|quand|combien|cu)(?![^ ])"),
        re.compile("[0-9]"),
    ),
)
ENDS = re.compile(r"(?<=[.!?…])[\"”)*_]*\s+|(?<=[。！？])|\s*\n+\s*")  # noqa: RUF001
# What stands before a line of Markdown and is not said.
MARKS = re.compile(r"^(?:#{1,6}\s|>\s?|[-*+•]\s+|\d{1,3}[.)]\s+)+")
NOT_SAID = re.compile(r"```.*|[-=|:\s]+")
CELLS = re.compile(r"\s*\|\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    text: str
    agent: str
    # The conversation that it is from, by its place among those that were read.
    source: int
    score: float


@dataclass(slots=True)
class Sentence:
    text: str
    folded: str
    agent: str
    source: int
    message: str
    weight: float
    score: float = 0.0


def best_passages(
    readings: Sequence[Json],
    words: Sequence[str],
    *,
    agent: str,
    asked: str,
    asked_before: Sequence[str],
) -> list[Passage]:
    """By score, then in their order; words are written as a search writes them."""
    sentences = [
        sentence
        for source, reading in enumerate(readings)
        for sentence in _sentences(reading, source, agent)
    ]
    worth = {word: _worth(word, asked_before) for word in words}
    _score(sentences, worth, asked=" ".join(fold(asked).split()))
    ranked = sorted(range(len(sentences)), key=lambda place: (-sentences[place].score, place))
    return list(_chosen(sentences, ranked))


def first_sentences(text: str, length: int = LONGEST_PASSAGE) -> str:
    """The beginning of a text as one line, cut between words."""
    return _cut(_joined(_split(text[: 4 * length])), length)


def _sentences(reading: Json, source: int, agent: str) -> Iterator[Sentence]:
    for text in _split(reading["prompt"]):
        yield Sentence(text, fold(text), "prompt", source, "", A_PROMPT)
    wanted = fold(agent)
    for message in reading["read"]:
        is_other = wanted and wanted != fold(message["agent"])
        for text in _split(message["text"]):
            weight = OF_ANOTHER_AGENT if is_other else 1.0
            yield Sentence(text, fold(text), message["agent"], source, message["id"], weight)


def _split(text: str) -> list[str]:
    pieces = (piece.strip() for piece in ENDS.split(text))
    return [_without_marks(piece) for piece in pieces if piece and not NOT_SAID.fullmatch(piece)]


def _without_marks(piece: str) -> str:
    if piece.startswith("|"):
        piece = CELLS.sub(" · ", piece.strip("|")).strip()
    return " ".join(MARKS.sub("", piece).split())


def _joined(sentences: Sequence[str]) -> str:
    """One after another; where a line ended and no sentence, this is shown."""
    text = ""
    for sentence in sentences:
        if text and not text.endswith(("。", "！", "？")):  # noqa: RUF001
            text += " " if text.endswith((".", "!", "?", "…", ":", ",")) else " / "
        text += sentence
    return text


def _worth(word: str, asked_before: Sequence[str]) -> float:
    if word.startswith('"'):
        return 2 * (ASKED_BEFORE if word.strip('"') in asked_before else 1)
    beginning = word.removesuffix("*")
    return ASKED_BEFORE if any(fold(old).startswith(beginning) for old in asked_before) else 1.0


def _score(sentences: Sequence[Sentence], worth: Mapping[str, float], *, asked: str) -> None:
    for word, worth_of_it in worth.items():
        held = [_holds(sentence.folded, word) for sentence in sentences]
        rarity = log(1 + len(sentences) / (1 + sum(held)))
        for sentence, has_it in zip(sentences, held, strict=True):
            sentence.score += worth_of_it * rarity * has_it
    _favour_what_fits(sentences, asked)
    before: Sentence | None = None
    own = 0.0
    for sentence in sentences:
        carried = 0.0
        if before is not None and before.source == sentence.source:
            carried = own * (AFTER_A_QUESTION if _is_question(before) else AFTER_A_MATCH)
        before, own = sentence, sentence.score
        is_asked = " ".join(sentence.folded.split()) == asked
        sentence.score = 0.0 if is_asked else (sentence.score + carried) * _weight(sentence)


def _favour_what_fits(sentences: Sequence[Sentence], asked: str) -> None:
    best = max((sentence.score for sentence in sentences), default=0.0)
    is_of_one = len({sentence.source for sentence in sentences}) == 1
    for wish, sign in HINTS:
        if wish.search(asked):
            for sentence in sentences:
                if sign.search(sentence.folded):
                    alone = REASON_ALONE * best if is_of_one and sign is REASON else 0.0
                    sentence.score = max(sentence.score * FITTING, alone)


def _weight(sentence: Sentence) -> float:
    length = len(sentence.text)
    by_length = min(1.0, length / 20) / (1 + max(0, length - 250) / 500)
    return sentence.weight * by_length * (A_QUESTION if _is_question(sentence) else 1)


def _is_question(sentence: Sentence) -> bool:
    return sentence.text.rstrip('"”)*_').endswith(("?", "？"))  # noqa: RUF001


def _holds(folded: str, word: str) -> bool:
    if word.startswith('"'):
        return " ".join(fold(word).split()) in " ".join(folded.split())
    sought = word.removesuffix("*")
    if IS_UNSPACED.match(sought):
        return sought in folded
    ending = "" if word.endswith("*") else " "
    return f" {sought}{ending}" in f" {' '.join(folded.split())} "


def _chosen(sentences: Sequence[Sentence], ranked: Sequence[int]) -> Iterator[Passage]:
    shown: set[int] = set()
    texts: set[str] = set()
    by_source: dict[int, int] = {}
    sources = {sentence.source for sentence in sentences}
    for place in ranked:
        sentence = sentences[place]
        if (
            len(texts) == MOST_PASSAGES
            or sentence.score <= WORTH_SHOWING * sentences[ranked[0]].score
        ):
            return
        is_heard_enough = by_source.get(sentence.source, 0) >= MOST_OF_A_SOURCE
        if place in shown or sentence.folded in texts or (is_heard_enough and len(sources) > 1):
            continue
        places = list(_with_what_follows(sentences, place, shown))
        shown.update(places)
        texts.add(sentence.folded)
        by_source[sentence.source] = by_source.get(sentence.source, 0) + 1
        yield Passage(
            text=_cut(_joined([sentences[one].text for one in places]), LONGEST_PASSAGE),
            agent=sentence.agent,
            source=sentence.source,
            score=sentence.score,
        )


def _with_what_follows(sentences: Sequence[Sentence], place: int, shown: set[int]) -> Iterator[int]:
    yield place
    first = sentences[place]
    if len(first.text) < SHORT and place + 1 < len(sentences) and place + 1 not in shown:
        follows = sentences[place + 1]
        if (follows.source, follows.message) == (first.source, first.message):
            yield place + 1


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    space = text.rfind(" ", length // 2, length)
    return f"{text[: space if space > 0 else length - 1].rstrip()}…"
