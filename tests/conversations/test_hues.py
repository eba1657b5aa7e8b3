"""The colours of agents."""

import pytest

from conversations.templatetags.hues import HUES, hue


def test_an_agent_has_the_same_colour_as_in_the_browser() -> None:
    # The same list is in tests/js/hue.test.js.
    agents = ["", "claude", "Ada", "é😀", "gpt-5", "gemini-1.5", "a-1", "b-2"]

    assert [hue(agent) for agent in agents] == [21, 4, 7, 7, 2, 23, 13, 15]


@pytest.mark.parametrize(
    "agents",
    [
        ["claude", "gpt", "gemini", "codex", "qwen", "guide", "writer", "default"],
        ["a-1", "b-2", "c-3", "d-4", "e-5", "f-6", "a-2", "b-1"],
        ["agent-1", "agent-2", "agent-3", "agent-4", "agent-5", "agent-6"],
        ["opus", "sonnet", "haiku", "gpt-5", "gpt-5-mini", "gemini-pro"],
    ],
)
def test_agents_that_are_often_together_can_be_told_apart(agents: list[str]) -> None:
    assert len({hue(agent) for agent in agents}) == len(agents)


def test_all_colours_are_as_likely() -> None:
    hues = [hue(f"agent-{number}") for number in range(1000 * HUES)]

    assert all(900 < hues.count(one) < 1100 for one in range(HUES))
