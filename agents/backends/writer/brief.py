"""What a brief says: who it is about, what is offered, to whom, and how it should sound.

It is read by its words, without a model: what is not found is left out, and nothing is made up.
"""

# ruff: noqa: RUF001 - apostrophes and quotation marks are meant

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.backends.terms import covers, key_terms
from agents.backends.writer.wording import (
    BIDDING,
    CALLED,
    DIRECTION,
    DOING,
    FOR_WHOM,
    IN_PLACE,
    IS,
    ITEM,
    LABELLED,
    MONTHS,
    NO_NAMES,
    OF_SITE,
    OFFERING,
    QUOTED,
    SITE_FOR,
    SUBJECT,
    THAT,
    TONES,
    VERBS,
    WANTED,
    WE_DO,
)

MOST_OFFERS = 6
FEWEST_OFFERS = 3
MOST_TERMS = 10
LONGEST_OFFER = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    text: str
    name: str
    # “a family bakery in Leipzig”
    what: str
    # “bake sourdough bread”, as in “we …”
    doing: str
    offers: tuple[str, ...]
    audience: str
    place: str
    # formal, warm, lively, calm; or empty
    tone: str
    # “order online”
    goal: str
    # Sentences that can be said to visitors as they are.
    facts: tuple[str, ...]
    terms: tuple[str, ...]


def read_brief(text: str) -> Brief:
    labelled, rest = _labelled(text)
    sentences = list(_sentences(rest))
    what = labelled.get("what") or _what(sentences)
    what, doing = _parted(what, sentences)
    name = labelled.get("name") or _name(rest, sentences)
    # “the Harbour Choir, an amateur choir”
    what = re.sub(rf"^the {re.escape(name)},\s*", "", what) if name else what
    audience = labelled.get("audience") or _audience(sentences, what)
    keywords = _items(labelled.get("keywords", ""))
    place = labelled.get("place") or _place(rest, name)
    terms = [*keywords, *key_terms(_without_labels(text), most=MOST_TERMS)]
    goal = _goal(labelled.get("goal", ""), sentences)
    offers = _offers(
        labelled.get("offers", ""),
        rest,
        sentences,
        doing=doing,
        terms=terms,
        elsewhere=(what, name, audience, place, goal),
    )
    return Brief(
        text=text,
        name=name,
        what=what,
        doing=doing,
        offers=tuple(offers),
        audience=_lowered(_cut(audience)),
        place=place,
        tone=_tone(f"{labelled.get('tone', '')} {text}"),
        goal=goal,
        facts=tuple(one for one in sentences if _is_fact(one)),
        terms=tuple(dict.fromkeys(terms)),
    )


def _labelled(text: str) -> tuple[dict[str, str], str]:
    found: dict[str, str] = {}
    rest: list[str] = []
    for line in text.splitlines():
        # A label may also stand in the middle of a line, behind a full stop.
        for piece in re.split(r"(?<=[.!?])\s+(?=[A-Z][A-Za-z ]{1,18}:)", line.strip()):
            for field, pattern in LABELLED.items():
                if said := pattern.match(piece.strip("*_ ")):
                    head, _, tail = _first_sentence(said[1])
                    found.setdefault(field, head.strip(" .*_"))
                    rest.append(tail)
                    break
            else:
                rest.append(piece)
    return found, "\n".join(filter(None, rest))


def _first_sentence(text: str) -> tuple[str, str, str]:
    parts = re.split(r"(?<=[.!?])\s+", text, maxsplit=1)
    return parts[0], "", parts[1] if len(parts) > 1 else ""


def _without_labels(text: str) -> str:
    return "\n".join(
        re.sub(r"^\s*[*_]*(?:tone|voice|style|mood)\s*:.*$", "", line, flags=re.IGNORECASE)
        for line in re.split(r"\n|(?<=[.!?])\s+(?=[A-Z][A-Za-z ]{1,18}:)", text)
    )


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if ITEM.match(line):
            continue
        for one in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\"“])", " ".join(line.split())):
            if one.strip(" .!?"):
                yield one.strip() if one.rstrip().endswith((".", "!", "?")) else f"{one.strip()}."


def _name(text: str, sentences: list[str]) -> str:
    for pattern in (CALLED, OF_SITE):
        if (found := pattern.search(text)) and _is_name(found[1]):
            return found[1].strip(" .,")
    for one in sentences:
        if (found := SUBJECT.match(one)) and _is_name(found[1]):
            return found[1].strip(" .,")
    quoted = QUOTED.search(text)
    return quoted[1] if quoted and quoted[1][0].isupper() else ""


def _is_name(found: str) -> bool:
    first = found.split()[0]
    return first.casefold() not in NO_NAMES and first not in MONTHS and not first.isdigit()


def _what(sentences: list[str]) -> str:
    for pattern in (SITE_FOR, IS):
        for one in sentences:
            if found := pattern.search(one):
                return re.sub(r"^(?:our|my)\s+", "a ", found[1].strip(), flags=re.IGNORECASE)
    return ""


def _parted(what: str, sentences: list[str]) -> tuple[str, str]:
    """What it is, and what it does."""
    head, *tail = THAT.split(what, maxsplit=1)
    doing = _as_we(tail[0]) if tail and _starts_with_verb(tail[0]) else ""
    for one in sentences:
        if not doing and (found := WE_DO.match(one)):
            doing = found[1].strip()
    return _cut(head).rstrip(" ,."), doing.rstrip(" ,.")


def _starts_with_verb(clause: str) -> bool:
    return clause.partition(" ")[0] in DOING


def _as_we(clause: str) -> str:
    """“bakes bread” as “bake bread”: what follows “we”."""
    first, _, rest = clause.partition(" ")
    rest = re.sub(
        r"\b(and|or|,)\s+([a-z]+)\b",
        lambda found: f"{found[1]} {_base(found[2]) if found[2] in DOING else found[2]}",
        rest,
    )
    return f"{_base(first)} {rest}".strip()


def _base(verb: str) -> str:
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    if verb.endswith(("shes", "ches", "sses", "xes", "oes")):
        return verb[:-2]
    return verb.removesuffix("s")


def _audience(sentences: list[str], what: str) -> str:
    for one in sentences:
        if found := FOR_WHOM.search(one):
            said = found[1] or found[2]
            if not re.match(r"(?:an?|us|you|it|me|our|this|\d)\b", said, re.IGNORECASE):
                return said
    _, separator, whom = what.partition(" for ")
    return whom if separator and not re.match(r"(?:an?|the)\b", whom) else ""


def _place(text: str, name: str) -> str:
    for found in IN_PLACE.finditer(text):
        if found[1] not in MONTHS and found[1] not in name:
            return found[1]
    return ""


def _tone(text: str) -> str:
    words = re.findall(r"[a-z]+", text.casefold())
    counts = {tone: sum(word in names.split() for word in words) for tone, names in TONES.items()}
    tone = max(counts, key=lambda one: counts[one])
    return tone if counts[tone] else ""


def _goal(labelled: str, sentences: list[str]) -> str:
    if labelled:
        return _cut(labelled)
    for one in sentences:
        if found := WANTED.search(one):
            return _short(found[1] or found[2])
    for one in sentences:
        if found := BIDDING.match(one):
            return _short(found[1])
    return ""


def _short(clause: str) -> str:
    """As much of it as goes on a button."""
    head = re.split(r",|\band\b|\bso that\b|\bbefore\b|\bby \d", clause.strip())[0]
    return _lowered(" ".join(head.split()[:6]))


def _offers(
    labelled: str,
    text: str,
    sentences: list[str],
    *,
    doing: str,
    terms: list[str],
    elsewhere: Sequence[str],
) -> list[str]:
    """What is offered; where little of that is named, terms that stand for nothing else."""
    listed = [found[1] for line in text.splitlines() if (found := ITEM.match(line))]
    found_items = [*map(_lowered, [*_items(labelled), *(item.strip(" .") for item in listed)])]
    if len(found_items) < 2:
        for one in sentences:
            offering = OFFERING.search(one)
            if _is_list(one) and not offering:
                found_items += _items(_lowered(one))
            elif offering:
                items = [IN_PLACE.sub("", item).strip() for item in _items(offering[1])]
                is_plain = all(len(item.split()) <= LONGEST_OFFER for item in items)
                # One thing with which something is done is no offer.
                if is_plain and (len(items) > 1 or "speciali" in offering[0]):
                    found_items += items
    if len(found_items) < 2 and doing:
        first, *others = re.split(r"\band\b|,", doing)
        found_items += [_object(first), *map(_thing, others)]
    for known in (" ".join(elsewhere), " ".join(elsewhere[1:]), ""):
        if len(found_items) > 1:
            break
        # A single word beside others is as likely something else.
        others = [
            term for term in terms if not covers(known, term) and (" " in term or not found_items)
        ]
        found_items += others[:FEWEST_OFFERS]
    seen: list[str] = []
    for item in found_items:
        is_said = any(covers(item, other) or covers(other, item) for other in seen)
        if (
            item
            and not is_said
            and not item.endswith(" ones")
            and len(item.split()) <= LONGEST_OFFER + 2
        ):
            seen.append(item)
    return seen[:MOST_OFFERS]


def _object(clause: str) -> str:
    """“bake sourdough bread with flour” → “sourdough bread”"""
    words = re.split(r"\b(?:with|from|for|in|at|to)\b", clause.strip())[0].split()
    return " ".join(words[1:]) if words[-1:] != ["ones"] else ""


def _thing(clause: str) -> str:
    """“folk songs” as it is, and “sell used ones” without the verb."""
    verb = clause.strip().partition(" ")[0]
    return _object(clause) if verb in VERBS else clause.strip()


def _items(listed: str) -> list[str]:
    parts = re.split(r",\s*(?:and\s+|or\s+)?|;\s*|\s+and\s+|\s*/\s*", listed.strip(" ."))
    return [part.strip() for part in parts if part.strip()]


def _is_list(sentence: str) -> bool:
    """“Offline maps, voice notes and sync.”"""
    items = _items(sentence)
    is_said = re.search(r"\b(?:is|are|have|has|we|you|can)\b", sentence, re.IGNORECASE)
    return (
        not is_said and len(items) >= 3 and all(len(one.split()) <= LONGEST_OFFER for one in items)
    )


def _is_fact(sentence: str) -> bool:
    if DIRECTION.search(sentence) or _is_list(sentence) or BIDDING.match(sentence):
        return False
    words = sentence.rstrip(".!?").split()
    # Neither a list of things nor of moods, and no half of a sentence.
    has_verb = re.search(
        r"\b(?:is|are|was|were|has|have|can|will|do|does|since|open|[a-z]{3,}(?:s|ed|en))\b",
        sentence,
    )
    is_audience = re.match(r"(?:for|aimed at)\b", sentence, re.IGNORECASE)
    return len(words) >= 3 and bool(has_verb or sentence.startswith("We ")) and not is_audience


def _cut(clause: str) -> str:
    """Without what was added behind a comma or a dash."""
    return re.split(r"\s[–—-]\s|,(?!\s*(?:and|or)\b)(?=\s*(?:with|who|which|that|so)\b)", clause)[
        0
    ].strip(" .,;")


def _lowered(phrase: str) -> str:
    """In the middle of a sentence; names stay as they are."""
    first, _, rest = phrase.partition(" ")
    is_name = first[1:].lower() != first[1:] or bool(rest[:1].isupper())
    return phrase if is_name else f"{first[:1].lower()}{first[1:]} {rest}".strip()
