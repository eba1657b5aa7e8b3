"""The place in a text that a query matched: plain text, and where in it the words are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from conversations.search.words import FOLDED, composed

LONGEST_SNIPPET = 160
WORDS_BEFORE = 40
# What follows the first match in the snippet.
ROOM_AFTER = LONGEST_SNIPPET - WORDS_BEFORE
MATCHES_LOOKED_AT = 200

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    text: str
    # Of the characters (code points) of the text, from and up to.
    highlights: list[Span]


def snippet(text: str, pattern: re.Pattern[str]) -> Snippet:
    """The stretch of the text in which most of what is sought stands together."""
    text = composed(text)
    found = _found(text, pattern)
    first = _best_start(found)
    start, end = _edges(text, first)
    before, after = "…" if start else "", "…" if end < len(text) else ""
    shift = len(before) - start
    return Snippet(
        text=before + text[start:end] + after,
        highlights=[
            (max(span[0], start) + shift, min(span[1], end) + shift)
            for span, _ in found
            if span[0] < end and span[1] > start
        ],
    )


def _found(text: str, pattern: re.Pattern[str]) -> list[tuple[Span, str]]:
    """Where in the text the pattern matches, and the words it matched, as they are compared."""
    if text.isascii():
        matches = _first_matches(pattern, text.translate(FOLDED))
        return [(match.span(), match[0]) for match in matches]
    letters = [FOLDED[ord(char)] for char in text]
    ends = list(accumulate(map(len, letters)))
    found = []
    place = 0
    for match in _first_matches(pattern, "".join(letters)):
        while ends[place] <= match.start():
            place += 1
        first = place
        while ends[place] < match.end():
            place += 1
        # Marks that fold to nothing belong to the letter before them.
        last = place + 1
        while last < len(text) and not letters[last]:
            last += 1
        found.append(((first, last), match[0]))
    return found


def _first_matches(pattern: re.Pattern[str], folded: str) -> Iterator[re.Match[str]]:
    for number, match in enumerate(pattern.finditer(folded)):
        if number == MATCHES_LOOKED_AT:
            return
        yield match


def _best_start(found: list[tuple[Span, str]]) -> int:
    best, most = 0, 0
    for number, ((start, _), _) in enumerate(found):
        beside = [words for (_, end), words in found[number:] if end <= start + ROOM_AFTER]
        if len(set(beside)) > most:
            best, most = start, len(set(beside))
    return best


def _edges(text: str, first: int) -> Span:
    """From a little before the match, at the end of a word where there is one near."""
    start = max(0, first - WORDS_BEFORE)
    if start:
        space = re.compile(r"\s").search(text, start, first)
        start = space.end() if space else start
    end = min(len(text), start + LONGEST_SNIPPET)
    if end < len(text):
        spaces = [space.start() for space in re.compile(r"\s").finditer(text, start, end)]
        end = spaces[-1] if spaces and spaces[-1] >= first + ROOM_AFTER // 2 else end
    return start, end
