"""Reasoning between tags is told apart from the answer, wherever the pieces are cut."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.backends.thinking import Splitter

FRAGMENTS = (
    *("<thinking>", "</thinking>", "<think>", "</think>", "<thin air>", "<", "</", "think>"),
    *("<<think>", "<thinkin", "a", " ", "\n", "né", "🦊"),
)


def told(pieces: list[str]) -> tuple[str, str]:
    splitter = Splitter()
    found = [part for piece in pieces for part in splitter.feed(piece)] + splitter.end()
    assert all(text for _, text in found)
    return (
        "".join(text for kind, text in found if kind == "answer"),
        "".join(text for kind, text in found if kind == "thought"),
    )


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("plain", "plain", ""),
        ("<thinking>why</thinking>because", "because", "why"),
        ("a<think>b</think>c<thinking>d</thinking>e", "ace", "bd"),
        ("over <thin air> and <thinks>", "over <thin air> and <thinks>", ""),
        ("1 < 2 and <<think>x</think>", "1 < 2 and <", "x"),
        ("<thinking>never closed", "", "never closed"),
        ("ends like a tag <thinki", "ends like a tag <thinki", ""),
        ("<think>a </thinking> b</think>c", "c", "a </thinking> b"),
        ("<think>a <think> b</think>c", "c", "a <think> b"),
        ("stray </thinking> stays", "stray </thinking> stays", ""),
        ("<think></think>\n\nhello", "\n\nhello", ""),
        ("", "", ""),
    ],
)
def test_thoughts_leave_the_answer_at_every_cut(text: str, answer: str, thought: str) -> None:
    assert told([text]) == (answer, thought)
    assert told(list(text)) == (answer, thought)
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            cut = [text[:first], text[first:second], text[second:]]
            assert told(cut) == (answer, thought)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), st.data())
def test_any_text_is_told_the_same_however_it_is_cut(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    assert told(pieces) == split_by_expression(text)


def test_what_cannot_be_a_tag_is_told_at_once() -> None:
    splitter = Splitter()
    assert splitter.feed("Hello <th") == [("answer", "Hello ")]
    assert splitter.feed("e end") == [("answer", "<the end")]


def split_by_expression(text: str) -> tuple[str, str]:
    """The same in one go, which can look ahead."""
    thoughts: list[str] = []

    def take(match: re.Match[str]) -> str:
        thoughts.append(match["thought"])
        return ""

    tagged = re.compile(r"<(think(?:ing)?)>(?P<thought>.*?)(?:</\1>|\Z)", re.DOTALL)
    answer = tagged.sub(take, text)
    return answer, "".join(thoughts)
