"""Texts while they come: what stands there stays there."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.servers import Server

pytestmark = pytest.mark.processes

BEGIN = """async () => {
  await import("/static/js/elements/markdown-text.js");
  const text = document.createElement("markdown-text");
  document.querySelector("main").replaceChildren(text);
  text.write("A first paragraph.\\n\\nA second **one**.\\n\\n");
}"""

SELECT = """(selector) => {
  window.chosen = document.querySelector(selector);
  getSelection().selectAllChildren(chosen);
}"""

WRITE = """async (pieces) => {
  const text = document.querySelector("markdown-text");
  for (const piece of pieces) {
    text.write(piece);
    await new Promise(requestAnimationFrame);
  }
}"""


@pytest.fixture
def page(common_server: Server, open_page: Open) -> Page:
    page = open_page(f"{common_server.url}/login")
    page.add_style_tag(url="/static/css/prose.css")
    page.evaluate(BEGIN)
    expect(page.locator("markdown-text > p")).to_have_count(2)
    return page


def selected(page: Page) -> str:
    words: str = page.evaluate("getSelection().toString()")
    return words


@pytest.mark.parametrize("block", ["first", "last"])
def test_a_selection_stays_while_more_comes(page: Page, block: str) -> None:
    page.evaluate(SELECT, f"markdown-text > p:{block}-child")
    before = selected(page)

    page.evaluate(WRITE, ["- one", "\n- two", "\n\n```python\nx = 1", "\n```\n\nThe end", "."])

    expect(page.locator("markdown-text > :last-child")).to_have_text("The end.")
    assert selected(page) == before
    assert page.evaluate("chosen.isConnected")


def test_a_selection_stays_in_the_paragraph_that_grows(page: Page) -> None:
    page.evaluate(WRITE, ["The **height** is"])
    page.evaluate(SELECT, "markdown-text > p:last-child > strong")

    page.evaluate(WRITE, [" three", " hundred *metres*", ", or more."])

    expect(page.locator("markdown-text > p").last).to_contain_text("metres, or more.")
    assert selected(page) == "height"


def test_code_has_its_colours_when_its_block_has_ended(page: Page) -> None:
    page.evaluate(WRITE, ["```python\ndef build():\n"])
    expect(page.locator("pre code")).to_have_text("def build():")
    assert page.locator("pre code span").count() == 0

    page.evaluate("document.querySelector('markdown-text').write('```\\n\\nDone')")

    expect(page.locator("pre .hljs-keyword")).to_have_text("def")
    assert page.locator("pre code").text_content() == "def build():"


def test_a_text_is_shown_again_as_it_was_written(page: Page) -> None:
    page.evaluate("document.querySelector('markdown-text').text = '# One\\n\\n*two*'")

    expect(page.locator("markdown-text h3")).to_have_text("One")
    expect(page.locator("markdown-text em")).to_have_text("two")
    assert page.evaluate("document.querySelector('markdown-text').text") == "# One\n\n*two*"


def test_a_long_answer_costs_no_more_at_its_end(page: Page) -> None:
    """A minute's worth of fifty pieces a second, each drawn by itself: a frame is 16 ms.

    The median, as what a busy machine does to some of them says nothing of the page.
    """
    ends = ["\n\n" if number % 9 == 0 else " " for number in range(3000)]
    pieces = [f"Word {number} of **many**, `code`.{end}" for number, end in enumerate(ends)]
    took_ms = page.evaluate(
        """async (pieces) => {
          const { Markdown } = await import("/static/js/markdown.js");
          const shown = new Markdown(document.querySelector("markdown-text"));
          const took = pieces.map((piece) => {
            const before = performance.now();
            shown.write(piece);
            return performance.now() - before;
          });
          return took.slice(-500).sort((one, other) => one - other)[250];
        }""",
        pieces,
    )
    assert took_ms < 16
