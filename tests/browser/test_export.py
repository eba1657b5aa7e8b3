"""The page that is exported, opened from disk by a browser that runs what it finds."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page

from tests.servers import KEY, Server

pytestmark = pytest.mark.processes

ATTACKS = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script><style>",
    "<img src=http://127.0.0.1:9/x onerror=alert(1)>",
    '"><svg/onload=alert(1)><iframe src=javascript:alert(1)>',
    "'><a href=javascript:alert(1) autofocus onfocus=alert(1)>x</a>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "</textarea></pre></div></li></ol><meta http-equiv=refresh content=0;url=http://127.0.0.1:9/>",
    "<link rel=stylesheet href=http://127.0.0.1:9/><base href=http://127.0.0.1:9/>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;",
    "<\u0000script>\u2028\u202e<scr\u00adipt>alert(1)</scr\u00adipt>",
    "```html\n<script>alert(1)</script>\n```\n~~~\n<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% debug %} {title} {0} %s",
]


@pytest.fixture(scope="module")
def exported(common_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conversation in which every text is an attack."""
    server = common_server
    everything = "\n".join(ATTACKS)
    agents = [
        {
            "agent_id": attack,
            "agent_type": attack,
            "name": attack,
            "model": attack,
            "prompt": attack,
        }
        for attack in ATTACKS
    ]
    server.ingest(
        "conversation.started",
        conversation_id="tower",
        name=everything,
        mode=everything,
        initial_prompt=everything,
        participants=agents,
        metadata={everything: everything},
    )
    for number, attack in enumerate(ATTACKS):
        names = dict.fromkeys(("agent_id", "agent_type", "agent_name", "model", "role"), attack)
        server.say(attack, sequence_number=number, **names)
    server.ingest("conversation.error", conversation_id="tower", error_message=everything)
    server.ingest(
        "conversation.completed",
        conversation_id="tower",
        status="error",
        summary={"text": everything, "short_text": everything, "agent_type": everything},
    )
    path = tmp_path_factory.mktemp("exported") / "export.html"
    request = urllib.request.Request(
        f"{server.url}/api/conversations/tower/export?format=html",
        headers={"Authorization": f"Bearer {KEY}"},
    )
    with urllib.request.urlopen(request) as answer:
        path.write_bytes(answer.read())
    return path


@pytest.fixture
def page(browser: Browser, exported: Path) -> Iterator[Page]:
    """The page after everything on it has had its chance."""
    page = browser.new_page()
    did: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        did.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("request", lambda request: did.append(request.url))
    page.on("console", lambda message: did.append(message.text))
    page.on("pageerror", lambda error: did.append(str(error)))
    page.goto(exported.as_uri(), wait_until="load")
    assert did == [exported.as_uri()]
    yield page
    page.close()


def test_nothing_that_was_said_becomes_a_part_of_the_page(page: Page) -> None:
    foreign = "script, img, svg, iframe, link, base, object, form, [onerror], [onload], [onfocus]"
    assert page.locator(foreign).count() == 0
    assert page.locator("meta").count() == 4
    assert page.locator("style").count() == 1
    assert page.locator("article").count() == len(ATTACKS)
    hrefs = page.locator("[href]").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert hrefs == [f"#m{number + 1}" for number in range(len(ATTACKS))]


def test_everything_that_was_said_can_be_read(page: Page) -> None:
    for number, attack in enumerate(ATTACKS):
        article = page.locator("article").nth(number)
        text = "".join(article.locator(".text, .code").all_text_contents())
        assert text == attack.replace("\u0000", "\ufffd")
        assert article.locator(".name").text_content() == attack.replace("\u0000", "\ufffd")
    assert page.title()
    assert page.locator("article").nth(12).locator(".code").count() == 2


def test_the_page_would_not_run_a_script_that_was_in_it(
    browser: Browser, exported: Path, tmp_path: Path
) -> None:
    """Its own policy forbids it, should the escaping ever fail."""
    whole = exported.read_text().replace(
        "<h1", "<script>document.title = 'ran'</script><img src='http://127.0.0.1:9/x'><h1", 1
    )
    spoilt = tmp_path / "export.html"
    spoilt.write_text(whole)
    failed: list[str] = []
    with browser.new_page() as page:
        page.on("requestfailed", lambda request: failed.append(str(request.failure)))
        page.goto(spoilt.as_uri(), wait_until="load")

        assert page.title() != "ran"
    assert set(failed) <= {"csp"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_by_day_and_by_night_and_on_a_telephone(
    browser: Browser, exported: Path, scheme: str
) -> None:
    with browser.new_page(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": 360, "height": 700},
    ) as page:
        page.goto(exported.as_uri())

        colour, ground = page.evaluate(
            "() => ['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])"
        )
        is_dark = sum(map(int, ground[4:-1].split(","))) < sum(map(int, colour[4:-1].split(",")))
        assert is_dark == (scheme == "dark")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
