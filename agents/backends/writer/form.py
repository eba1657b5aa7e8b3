"""The form in which a section of a website is written: Markdown, whose parts can be told apart.

    # Headline

    ## Subheadline

    Body

    [Call to action](#contact)

Its parts are known while it is still being written.
"""

import re
from collections.abc import Mapping

PARTS = ("headline", "subheadline", "body", "cta")
OPENINGS = {"headline": "# ", "subheadline": "\n\n## ", "body": "\n\n", "cta": "\n\n["}
CLOSING = "](#contact)"

ROUND = str.maketrans("[]", "()")
_CTA = re.compile(r"(?:^|\n\n)\[([^\]\n]*)(?:\](?:\([^)\n]*\)?)?)?\s*$")
_HEADING = re.compile(r"(?m)^\s*#+[ \t]*")


def parts_of(text: str) -> dict[str, str]:
    """The parts that have been begun, as far as they are."""
    rest = text
    found: dict[str, str] = {}
    if action := _CTA.search(rest):
        found["cta"] = action[1].strip()
        rest = rest[: action.start()]
    lines = rest.lstrip().split("\n")
    for name, mark in (("headline", "# "), ("subheadline", "## ")):
        while lines and not lines[0].strip():
            lines.pop(0)
        if lines and lines[0].startswith(mark):
            found[name] = lines.pop(0).removeprefix(mark).strip()
    # What is left of a mark that is still being written is no text.
    if body := "\n".join(lines).strip().rstrip("#[ \n"):
        found["body"] = body
    return {name: found[name] for name in PARTS if found.get(name)}


def written(parts: Mapping[str, str]) -> str:
    """A section in this form."""
    said = "".join(OPENINGS[name] + parts[name] for name in PARTS if parts.get(name))
    return said + CLOSING if parts.get("cta") else said


def tidied(part: str, said: str) -> str:
    """What somebody has said as a part, without what would end it or begin another.

    More of it only ever makes more of this: so it can be told while it is still being said.
    """
    if part == "body":
        without = re.sub(r"(?m)^[ \t]*\[", "(", _HEADING.sub("", said.lstrip()))
        return without.rstrip().rstrip("#")
    return " ".join(said.split()).lstrip("#*_\"“”'[ ").rstrip("*_\"“”'[] ").translate(ROUND)
