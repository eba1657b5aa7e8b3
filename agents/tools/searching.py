"""Finding conversations of the record: with all the words if there are such, else with some."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from math import log

from django.db.models import Exists, OuterRef, Q, QuerySet

from agents.backends.base import Json
from conversations.models import Conversation, Message, Participant, Project
from conversations.search import FoundConversations
from conversations.search.finding import Found
from conversations.search.words import IS_UNSPACED, RUNS, fold
from streaming.events import iso

NEWEST_FIRST = ("-started_at", "-id")
ORDERS = {
    "newest": NEWEST_FIRST,
    "oldest": ("started_at", "id"),
    "costliest": ("-total_cost", *NEWEST_FIRST),
    "longest": ("-total_messages", *NEWEST_FIRST),
}
MOST_WORDS = 12
# Of each word on its own, so many of its best conversations are weighed against the others'.
WEIGHED = 50
MOST_AGENTS_NAMED = 8
PARTS = re.compile(r'-?"[^"]*"|\S+')
QUOTES = str.maketrans("“”„«»「」『』", '"""""""""')
# Longest first. Words of most European languages differ in such endings.
ENDINGS = re.compile(
    "(?<=....)(?:ations?|ments?|ings?|ions?|ungen|ung|ers?|ies|ed|es|en|em|er|ly|s|e|n|y)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What conversations are looked for; those that are found by words are the best first."""

    query: str = ""
    order: str = "newest"
    agent: str = ""
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 5

    @property
    def is_narrowed(self) -> bool:
        return bool(self.agent or self.status or self.since or self.until)


def recorded(project: Project, wanted: Wanted) -> QuerySet[Conversation]:
    """Of these all that were recorded: chats, where the questions are asked, answer nothing."""
    matches = Q(kind=Conversation.Kind.RECORDED)
    if wanted.status:
        matches &= Q(status=wanted.status.upper())
    if wanted.since:
        matches &= Q(started_at__gte=wanted.since)
    if wanted.until:
        matches &= Q(started_at__lt=wanted.until)
    if wanted.agent:
        is_agent = is_of(wanted.agent)
        of_this = {"conversation": OuterRef("pk")}
        matches &= Exists(Participant.objects.filter(is_agent, **of_this)) | Exists(
            Message.objects.filter(is_agent, **of_this)
        )
    return project.conversations.filter(matches).order_by(*NEWEST_FIRST)


def is_of(agent: str) -> Q:
    return Q(agent_name__iexact=agent) | Q(agent_type__iexact=agent) | Q(agent_id=agent)


def search(project: Project, wanted: Wanted) -> Json:
    """Conversations as an agent is shown them, best first, and how many there are."""
    within = recorded(project, wanted)
    words, excluded = _words(wanted.query)
    if not wanted.query:
        first = within.order_by(*ORDERS[wanted.order])[: wanted.limit]
        newest = [Candidate(conversation=found) for found in first]
        return _answer(within.count(), wanted.order, words, newest)
    whole = _found(project, wanted.query, within, wanted)
    if total := whole.count():
        best = [_candidate(found) for found in whole[: wanted.limit]]
        return _answer(total, "all words", words, best)
    some = _with_some(project, words, excluded, within, wanted)
    return _answer(len(some), "some words", words, some[: wanted.limit])


def _found(
    project: Project, query: str, within: QuerySet[Conversation], wanted: Wanted
) -> FoundConversations:
    """Chats are few: to leave them out afterwards is quicker than to join, unless they crowd."""
    if not wanted.is_narrowed:
        found = FoundConversations(project, query, within=within, is_narrowed=False)
        ours = set(within.filter(pk__in=found.best).values_list("pk", flat=True))
        has_others = len(ours) < len(found.best)
        found.best = {pk: hits for pk, hits in found.best.items() if pk in ours}
        if len(ours) >= wanted.limit or not has_others:
            return found
    return FoundConversations(project, query, within=within, is_narrowed=True)


@dataclass(slots=True, kw_only=True)
class Candidate:
    conversation: Conversation
    # By message; None is the name or the prompt.
    places: dict[str | None, str] = field(default_factory=dict)


def _candidate(found: Found) -> Candidate:
    candidate = Candidate(conversation=found.conversation)
    for match in found.matches:
        candidate.places.setdefault(match.message, match.snippet.text)
    return candidate


def _with_some(
    project: Project,
    words: list[str],
    excluded: list[str],
    within: QuerySet[Conversation],
    wanted: Wanted,
) -> list[Candidate]:
    """What has most of the words, where a rare word counts for more than one that is everywhere."""
    candidates: dict[int, Candidate] = {}
    scores: dict[int, float] = defaultdict(float)
    for word in words:
        found = _found(project, " ".join([word, *excluded]), within, wanted)
        worth = 1 / log(2 + found.count())
        for place, one in enumerate(found[:WEIGHED]):
            key = one.conversation.pk
            scores[key] += worth * (1 - place / (2 * WEIGHED))
            candidate = candidates.setdefault(key, Candidate(conversation=one.conversation))
            for match in one.matches:
                candidate.places.setdefault(match.message, match.snippet.text)
    return sorted(
        candidates.values(), key=lambda it: (-scores[it.conversation.pk], -it.conversation.pk)
    )


def _words(query: str) -> tuple[list[str], list[str]]:
    """The words and phrases to look for one by one, and what must not be there."""
    parts = PARTS.findall(query.translate(QUOTES))
    excluded = [part for part in parts if part.startswith("-")]
    wanted: list[str] = []
    for part in parts:
        if part.startswith('"'):
            wanted.append(part)
        elif not part.startswith("-"):
            for run in RUNS.findall(fold(part)):
                wanted += _unspaced(run) if IS_UNSPACED.match(run) else [_beginning(run)]
    return list(dict.fromkeys(wanted))[:MOST_WORDS], excluded


def _beginning(word: str) -> str:
    """What other forms of the word begin with as well."""
    return f"{ENDINGS.sub('', word)}*" if len(word) > 3 else word


def _unspaced(run: str) -> list[str]:
    """Words of a script that leaves no spaces: stretches of one script, and pairs of long ones."""
    words = []
    for kind, letters in groupby(run, key=_script):
        stretch = "".join(letters)
        if kind == "katakana" or len(stretch) <= 2:
            words.append(stretch)
        else:
            words += [stretch[start : start + 2] for start in range(len(stretch) - 1)]
    # What is written in hiragana is grammar, unless there is nothing else.
    return [word for word in words if _script(word[0]) != "hiragana"] or words


def _script(letter: str) -> str:
    if "\u3040" <= letter < "\u30a0":
        return "hiragana"
    if "\u30a0" <= letter < "\u3100":
        return "katakana"
    return "han" if "\u3400" <= letter <= "\u9fff" else "other"


def _answer(total: int, matched: str, words: list[str], candidates: list[Candidate]) -> Json:
    agents = _agents([it.conversation for it in candidates])
    return {
        "total": total,
        "matched": matched,
        "words": words,
        "conversations": [
            {**shown(it.conversation, agents[it.conversation.pk]), "matches": _places(it)}
            for it in candidates
        ],
    }


def _places(candidate: Candidate) -> list[Json]:
    places = list(candidate.places.items())[:5]
    return [{"message_id": message, "text": text} for message, text in places]


def _agents(conversations: list[Conversation]) -> dict[int, list[str]]:
    named: dict[int, list[str]] = {found.pk: [] for found in conversations}
    participants = Participant.objects.filter(conversation__in=named).order_by("position", "pk")
    for participant in participants:
        named[participant.conversation_id].append(str(participant))
    return {pk: list(dict.fromkeys(filter(None, names))) for pk, names in named.items()}


def shown(conversation: Conversation, agents: list[str]) -> Json:
    """A conversation in a few words."""
    return {
        "id": conversation.public_id,
        "name": title_of(conversation),
        "status": conversation.status,
        "started_at": iso(conversation.started_at),
        "agents": agents[:MOST_AGENTS_NAMED],
        "messages": int(conversation.total_messages),
        "last_number": int(conversation.last_sequence_number),
        "tokens": int(conversation.total_tokens),
        "cost": float(conversation.total_cost),
    }


def title_of(conversation: Conversation) -> str:
    """Its name, or what it began with."""
    title = conversation.name or conversation.initial_prompt or conversation.public_id
    title = " ".join(title[:400].split())
    return title if len(title) <= 80 else f"{title[:79].rstrip()}…"
