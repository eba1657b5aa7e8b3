"""What people type: words, "quoted phrases", beginnings*, and -what must not be there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conversations.search.words import (
    IS_UNSPACED,
    LONGEST_WORD,
    RUNS,
    UNSPACED,
    fold,
    sought_words,
)

LONGEST_QUERY = 1000
INSIDE_A_WORD = f"[^ {UNSPACED}]"
QUOTES = str.maketrans("“”„«»", '"""""')
TERMS = re.compile(r'(?P<no>-(?!-))?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow one another."""

    words: list[str]
    is_beginning: bool
    is_excluded: bool
    pattern: str

    def in_order(self) -> str:
        return self._joined(" <-> ")

    def in_any_order(self) -> str:
        return self._joined(" & ")

    def _joined(self, by: str) -> str:
        # Letters and digits only: nothing in them could end the quotes.
        words = [f"'{word}'" for word in self.words]
        if self.is_beginning:
            words[-1] += ":*"
        return f"({by.join(words)})"


@dataclass(frozen=True, slots=True)
class Query:
    """A query in PostgreSQL's words, and what of a text it would highlight."""

    whole: str
    # The same without the order of words, which the index does not know.
    unordered: str
    pattern: re.Pattern[str]

    @property
    def has_order(self) -> bool:
        return self.whole != self.unordered

    @property
    def has_beginning(self) -> bool:
        return ":*" in self.whole

    def appears_in(self, text: str) -> bool:
        return self.pattern.search(fold(text)) is not None


def read_query(written: str) -> Query | None:
    """None where nothing is asked for: no words, or only such as must not be there."""
    terms = list(_terms(written[:LONGEST_QUERY].translate(QUOTES)))
    wanted = [term for term in terms if not term.is_excluded]
    if not wanted:
        return None
    excluded = [f"!{term.in_order()}" for term in terms if term.is_excluded]
    return Query(
        whole=" & ".join([*(term.in_order() for term in wanted), *excluded]),
        unordered=" & ".join([*(term.in_any_order() for term in wanted), *excluded]),
        pattern=re.compile("|".join(term.pattern for term in wanted)),
    )


def _terms(written: str) -> Iterator[Term]:
    for found in TERMS.finditer(written):
        text = found["word"] or found["phrase"] or ""
        words, is_beginning = sought_words(text)
        if words:
            is_beginning = is_beginning or (found["word"] or "").endswith("*")
            yield Term(words, is_beginning, bool(found["no"]), _pattern(text, is_beginning))


def _pattern(text: str, is_beginning: bool) -> str:
    """How these words look in a folded text."""
    runs = RUNS.findall(fold(text))
    pattern = ""
    for before, run in zip(["", *runs], runs, strict=False):
        is_tight = IS_UNSPACED.match(before) or IS_UNSPACED.match(run)
        pattern += (" *" if is_tight else " +") if before else ""
        pattern += re.escape(run[:LONGEST_WORD])
    if not IS_UNSPACED.match(runs[0]):
        pattern = rf"(?<!{INSIDE_A_WORD})" + pattern
    is_beginning = is_beginning or len(runs[-1]) > LONGEST_WORD
    if not IS_UNSPACED.match(runs[-1]) and not is_beginning:
        pattern += rf"(?!{INSIDE_A_WORD})"
    return pattern
