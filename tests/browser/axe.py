"""What keeps people out of a page: axe-core, with all rules of WCAG 2.1 up to AA."""

from pathlib import Path

from playwright.sync_api import Page

SOURCE = Path(__file__).with_name("vendor").joinpath("axe.min.js").read_text()
RUN = """async () => {
  const only = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
  const { violations } = await axe.run(document, { runOnly: { type: "tag", values: only } });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}"""


def axe(page: Page) -> list[str]:
    """The violations on a page as it stands, in words."""
    # Evaluated, as a script in the page would be against its policy.
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(SOURCE)
    found: list[str] = page.evaluate(RUN)
    return found
