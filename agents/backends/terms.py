"""What a text is about: its key terms, by rapid automatic keyword extraction (RAKE).

Words that say nothing by themselves, and punctuation, divide a text into candidate phrases. A word
counts for more the longer the phrases are in which it stands; a phrase is worth what its words are.
"""

# ruff: noqa: RUF001 - apostrophes and quotation marks are meant

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from agents.backends.guide.vocabulary import EMPTY
from conversations.search.words import fold

LONGEST_TERM = 3


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of briefs: how they are laid out, and what everybody says of everything.
OF_BRIEFS = _words(
    """
    website websites web site sites page pages landing homepage online brief section
    sections audience tone name goal offer offers keywords call action write please build
    create based help helps provide provides sell sells include includes including feature
    features company business customer customers visitor visitors product products service
    services new best great good better well day days also like kind each around today us we
    re ll ve don isn aren s t don’t cta ones webseite seite specialising specializing
    specialises specializes used pick back start started friendly warm calm precise
    professional playful bold formal tone simple simply easy easily modern quality first
    second able way ways lot lots run runs called named located open opens people person
    people's them own owned everything everyone
    """
)
WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
BREAK = re.compile(r"[.,;:!?()\[\]{}\"“”„«»—–|/\n\r\t•*#<>=]+|\s-\s")


def key_terms(text: str, *, most: int) -> list[str]:
    """The phrases and words that say most, in the order in which the text has them."""
    phrases = list(_phrases(text))
    frequency: Counter[str] = Counter()
    degree: defaultdict[str, int] = defaultdict(int)
    for phrase in phrases:
        for word in phrase:
            frequency[stem(word)] += 1
            degree[stem(word)] += len(phrase)
    worth: dict[tuple[str, ...], float] = {}
    said: dict[tuple[str, ...], str] = {}
    for phrase in phrases:
        stems = tuple(map(stem, phrase))
        worth[stems] = sum(degree[one] / frequency[one] for one in stems)
        # What is said again is meant.
        worth[stems] *= 1 + 0.5 * (sum(frequency[one] for one in stems) / len(stems) - 1)
        said.setdefault(stems, " ".join(phrase))
    ranked = sorted(said, key=lambda stems: -worth[stems])
    chosen: list[tuple[str, ...]] = []
    for stems in ranked:
        if len(chosen) == most:
            break
        if not any(set(stems) <= set(other) for other in chosen):
            chosen.append(stems)
    return [said[stems] for stems in said if stems in chosen]


def covers(text: str, term: str) -> bool:
    """Whether a text has all words of a term, in whatever form and order."""
    return set(stems_of(term)) <= set(stems_of(text))


def stems_of(text: str) -> list[str]:
    return [stem(word) for word in WORD.findall(text)]


def stem(word: str) -> str:
    """A word without case, accents and the commonest endings of English."""
    folded = fold(word.removesuffix("'s").removesuffix("’s")).strip()
    if len(folded) > 3 and folded.endswith("s") and not folded.endswith(("ss", "us", "is")):
        if folded.endswith("ies") and len(folded) > 4:
            return f"{folded[:-3]}y"
        folded = folded[:-2] if folded.endswith(("shes", "ches", "xes", "sses")) else folded[:-1]
    for ending in ("ing", "ed"):
        root = folded.removesuffix(ending)
        if root != folded and len(root) > 2:
            # baking, baked and bake; planning and plan
            return root[:-1] if root[-1] == root[-2] and root[-1] not in "lsz" else root
    return folded.removesuffix("e") if len(folded) > 3 else folded


def _phrases(text: str) -> Iterable[list[str]]:
    for part in BREAK.split(text):
        phrase: list[str] = []
        for word in [*WORD.findall(part), ""]:
            if word and not _says_nothing(word):
                phrase.append(word)
                continue
            if phrase:
                yield phrase[-LONGEST_TERM:]
            phrase = []


def _says_nothing(word: str) -> bool:
    folded = fold(word).strip()
    return len(folded) < 3 or folded in EMPTY or folded in OF_BRIEFS or folded.isdigit()
