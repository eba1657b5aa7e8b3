"""Where the fenced code of a text begins and ends, as CommonMark has it."""

import io
import re
from collections.abc import Iterator

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def blocks(text: str) -> Iterator[tuple[bool, str]]:
    """The text piece by piece, with its fences in the pieces of code; joined, it is the text."""
    fence, piece = "", ""
    for line in _lines(text):
        mark = _mark(line, within=fence)
        if mark and not fence:
            if piece:
                yield False, piece
            fence, piece = mark, line
        elif mark:
            yield True, piece + line
            fence = piece = ""
        else:
            piece += line
    if piece:
        yield bool(fence), piece


def left_open(text: str) -> str:
    """The fence that would close the text; empty where nothing is open."""
    fence = ""
    for line in _lines(text):
        if mark := _mark(line, within=fence):
            fence = "" if fence else mark
    return fence


def _lines(text: str) -> Iterator[str]:
    # Not splitlines: it knows more ends of a line than Markdown does.
    return iter(io.StringIO(text, newline=""))


def _mark(line: str, *, within: str) -> str:
    """The fence in this line, if it opens one or closes the one it is within."""
    found = FENCE.match(line)
    if not found:
        return ""
    mark, rest = found.groups()
    if within:
        return mark if mark.startswith(within) and not rest.strip() else ""
    # Behind backticks there may be no backtick: `` ```a``` `` is a piece of a sentence.
    return "" if mark[0] == "`" and "`" in rest else mark
