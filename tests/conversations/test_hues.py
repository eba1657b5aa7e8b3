"""The colours of agents."""

from conversations.templatetags.hues import hue


def test_an_agent_has_the_same_colour_as_in_the_browser() -> None:
    # The same list is in tests/js/hue.test.js.
    agents = ["", "claude", "Ada", "é😀", "gpt-5", "gemini-1.5"]

    assert [hue(agent) for agent in agents] == [1, 3, 11, 4, 4, 9]
