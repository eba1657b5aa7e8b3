"""Reading a question: what is to be looked for, and what about it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from agents.backends.base import Turn
from agents.backends.guide import vocabulary as words_for
from agents.backends.guide.times import Span, span_in
from conversations.search.words import IS_UNSPACED, fold

# Passages, figures, a list of conversations, or who answers here.
Kind = Literal["passages", "figures", "list", "self"]
Order = Literal["newest", "oldest", "costliest", "longest"]

LONGEST_QUESTION = 2000
MOST_WORDS = 16
# With no more words of its own, a question that points somewhere is about the one before.
FEW_WORDS = 2
LONGEST_POINTING = 8
QUOTED = re.compile(r"[\"“”„«»「」『』]([^\"“”„«»「」『』]{2,200})[\"“”„«»「」『』]")
# Versions, numbers and names of things, whose parts alone say nothing: 2.4, node-3, 10:00.
COMPOUND = re.compile(r"[^\W_]+(?:[._/:@-][^\W_]+)+")
WRITTEN = re.compile(r"\w+")
UNSPACED_COUNTING = re.compile("多少|几个|いくつ|何件|いくら|몇|كم|сколько")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    kind: Kind
    words: tuple[str, ...] = ()
    # Those among them that an earlier question asked.
    words_before: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    # Only conversations of this agent, status and time.
    agent: str = ""
    status: str = ""
    span: Span | None = None
    order: Order = "newest"
    # What is counted, and whether it is asked which agent has most of it.
    metric: Literal["conversations", "messages", "tokens", "cost"] = "conversations"
    by_agent: bool = False
    wants_one: bool = False
    wants_summary: bool = False

    @property
    def query(self) -> str:
        return " ".join([*(f'"{phrase}"' for phrase in self.phrases), *self.words])

    @property
    def is_narrowed(self) -> bool:
        return bool(self.agent or self.status or self.span)


def read_question(
    text: str, history: Sequence[Turn], *, agents: Sequence[str], now: datetime
) -> Question:
    """The question alone, or where it points back, with what the one before was about."""
    question = _alone(text, agents, now)
    earlier = [place for place, turn in enumerate(history) if turn.role == "user"]
    if not earlier or not _points_back(text, question):
        return question
    last = earlier[-1]
    before = read_question(history[last].content, history[:last], agents=agents, now=now)
    if before.kind == "self":
        return question
    return _together(before, question)


def _together(before: Question, question: Question) -> Question:
    return replace(
        question,
        kind=before.kind if question.kind in {"self", "list"} else question.kind,
        words=tuple(dict.fromkeys([*question.words, *before.words]))[:MOST_WORDS],
        words_before=(*before.words, *before.phrases) if question.words else (),
        phrases=question.phrases or before.phrases,
        agent=question.agent or before.agent,
        status=question.status or before.status,
        span=question.span or before.span,
        order=before.order if question.order == "newest" else question.order,
        wants_one=question.wants_one or before.wants_one,
    )


def _points_back(text: str, question: Question) -> bool:
    spoken = fold(text[:LONGEST_QUESTION]).split()
    if question.phrases or _is_greeting(spoken) or _asks_about_itself(" ".join(spoken)):
        return False
    if not question.words:
        # “The latest conversations” need nothing else to be understood.
        return not words_for.CONVERSATIONS & set(spoken)
    if len(spoken) > LONGEST_POINTING:
        return False
    if words_for.POINTERS & set(spoken) or spoken[0] in words_for.GOING_ON:
        return len(question.words) <= FEW_WORDS
    return len(question.words) == 1 and bool(words_for.ASKING & set(spoken))


def _alone(text: str, agents: Sequence[str], now: datetime) -> Question:
    text = text[:LONGEST_QUESTION]
    phrases = tuple(QUOTED.findall(text))
    folded = " ".join(fold(QUOTED.sub(" ", text)).split())
    if not phrases and (_is_greeting(folded.split()) or _asks_about_itself(folded)):
        return Question(kind="self")
    span, rest = span_in(folded, now)
    named, rest = _agents_in(rest, agents)
    compounds = [found for found in COMPOUND.findall(text) if any(map(str.isdigit, found))]
    for compound in compounds:
        parts = " ".join(fold(compound).split())
        if not phrases and f" {parts} " in f" {rest} ":
            rest = f" {rest} ".replace(f" {parts} ", " ")
            phrases = (compound,)
    spoken = rest.split()
    subject = [word for word in spoken if not _is_empty(word)]
    status = _status(spoken, subject)
    domain = _domain(spoken)
    counts = _counts(folded)
    is_of_money = bool(words_for.MONEY & set(spoken))
    words = [word for word in subject if word not in _SAID_OTHERWISE]
    if not status:
        words = [word for word in subject if word in words_for.STATUS_OF or word in words]
    if is_of_money and not domain - {"cost"} and words:
        # What something costs that is talked about, not what the talk did.
        words = [word for word in subject if word in words_for.MONEY or word in words]
        counts = False
    compares = len(named) > 1 and not words and not phrases
    question = Question(
        kind="passages",
        words=_spelled(words, text),
        phrases=phrases,
        agent="" if compares else named[0] if named else "",
        status=status,
        span=span,
        order=_order(spoken),
        metric=_metric(domain),
        by_agent=compares or "agents" in domain,
        wants_one=_wants_one(spoken),
        wants_summary=bool(words_for.SUMMARY & set(spoken)),
    )
    return replace(question, kind=_kind(question, domain, counts, folded))


def _kind(question: Question, domain: set[str], counts: bool, folded: str) -> Kind:
    about = question.words or question.phrases
    if counts and (domain or not about):
        return "figures"
    if question.by_agent and not about:
        return "figures"
    if domain & {"cost", "tokens"} and not about and "conversations" not in domain:
        return "figures"
    if not about:
        has_place = domain or question.is_narrowed or question.order != "newest"
        is_list = has_place or bool(words_for.LATEST & set(folded.split()))
        return "list" if is_list else "self"
    return "passages"


def _counts(folded: str) -> bool:
    spoken = f" {folded} "
    return any(f" {phrase} " in spoken for phrase in words_for.COUNTING) or bool(
        UNSPACED_COUNTING.search(folded)
    )


def _domain(spoken: Sequence[str]) -> set[str]:
    """Of what the record is made that is named."""
    named = {
        "conversations": words_for.CONVERSATIONS,
        "messages": words_for.MESSAGES,
        "agents": words_for.AGENTS,
        "tokens": words_for.TOKENS,
        "cost": words_for.MONEY,
    }
    return {name for name, words in named.items() if words & set(spoken)}


_SAID_OTHERWISE = frozenset(
    {
        *words_for.CONVERSATIONS,
        *words_for.MESSAGES,
        *words_for.AGENTS,
        *words_for.TOKENS,
        *words_for.MONEY,
        *words_for.LATEST,
        *words_for.OLDEST,
        *words_for.MOST,
        *words_for.LENGTH,
        *words_for.STATUS_OF,
        *" ".join(words_for.COUNTING).split(),
    }
)


def _is_empty(word: str) -> bool:
    return word in words_for.EMPTY or (len(word) == 1 and not IS_UNSPACED.match(word))


def _agents_in(folded: str, agents: Sequence[str]) -> tuple[list[str], str]:
    """The agents that are named, in that order, and the words without them."""
    places: dict[str, int] = {}
    rest = f" {folded} "
    # The longest first: one name may be part of another.
    for name in sorted(agents, key=lambda name: (-len(name), name)):
        known = " ".join(fold(name).split())
        if len(known) < 2 or known in words_for.EMPTY or known in _SAID_OTHERWISE:
            continue
        if f" {known} " in rest:
            places[name] = f" {folded} ".index(f" {known} ")
            rest = rest.replace(f" {known} ", " ")
    return sorted(places, key=lambda name: (places[name], name)), rest.strip()


def _spelled(words: Iterable[str], text: str) -> tuple[str, ...]:
    """The words as they were written, so that people know them again."""
    written = {fold(word).strip(): word for word in WRITTEN.findall(text)}
    return tuple(dict.fromkeys(written.get(word, word) for word in words))[:MOST_WORDS]


def _status(spoken: Sequence[str], subject: Sequence[str]) -> str:
    """A status, where conversations are spoken of and not what failed in one."""
    named = [word for word in spoken if word in words_for.STATUS_OF]
    others = [word for word in subject if word not in _SAID_OTHERWISE]
    if not named or (others and not words_for.CONVERSATIONS & set(spoken)):
        return ""
    return words_for.STATUS_OF[named[0]]


def _order(spoken: Sequence[str]) -> Order:
    named = set(spoken)
    if named & words_for.MOST or named & words_for.MONEY:
        if named & words_for.MONEY:
            return "costliest"
        if named & (words_for.LENGTH | words_for.MESSAGES):
            return "longest"
    return "oldest" if named & words_for.OLDEST else "newest"


def _metric(domain: set[str]) -> Literal["conversations", "messages", "tokens", "cost"]:
    if "cost" in domain:
        return "cost"
    if "tokens" in domain:
        return "tokens"
    return "messages" if "messages" in domain else "conversations"


def _wants_one(spoken: Sequence[str]) -> bool:
    """“The last conversation” is one, “the last conversations” are several."""
    ordered = words_for.LATEST | words_for.OLDEST | words_for.MOST
    plural = {word for word in words_for.CONVERSATIONS if word.endswith(("s", "en"))}
    return bool(ordered & set(spoken)) and not plural & set(spoken) and "list" not in spoken


def _is_greeting(spoken: Sequence[str]) -> bool:
    if not spoken:
        return True
    text = " ".join(spoken)
    return all(word in words_for.GREETINGS for word in spoken) or (
        text.startswith(words_for.UNSPACED_GREETINGS) and len(text) <= 6
    )


def _asks_about_itself(folded: str) -> bool:
    # “Hi there, what can you do for us?”: who greets first is not asking for greetings.
    spoken = folded.split()
    while spoken and spoken[0] in words_for.GREETINGS:
        spoken = spoken[1:]
    asked = " ".join(spoken)
    return any(
        asked.startswith(phrase) and all(map(_is_empty, asked.removeprefix(phrase).split()))
        for phrase in words_for.ABOUT_ITSELF
    )
