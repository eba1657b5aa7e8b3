"""Whatever is said, nothing of it runs: hundreds of attacks, shown as texts are shown."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, Request, expect

from tests.browser.asking import call, post
from tests.browser.conftest import Open
from tests.servers import KEY, Server, wait_for

pytestmark = pytest.mark.processes

ATTACKS: list[str] = json.loads(Path(__file__).with_name("attacks.json").read_text())

# All that may be left of a text: what stands where it should not, in words.
FAULTS = """() => {
  const elements = new Set(
    ("p h3 h4 h5 h6 blockquote hr ul ol li pre code span strong em del br a img"
      + " table thead tbody tr th td").split(" "),
  );
  const attributes = new Set(
    "href src alt title align start class target rel tabindex".split(" "),
  );
  const faults = [];
  for (const one of document.querySelectorAll("#shown *:not(markdown-text)")) {
    if (!elements.has(one.localName)) faults.push(one.outerHTML);
    for (const { name, value } of one.attributes) {
      if (!attributes.has(name)) faults.push(one.outerHTML);
      const isElsewhere = /^(https?:\\/\\/|mailto:)/i.test(value);
      const isOfTheRecord = /^\\/conversations\\/[\\w.~%-]+$/.test(value);
      if (name === "href" && !isElsewhere && !isOfTheRecord) faults.push(one.outerHTML);
      if (name === "src" && !value.startsWith("data:image/")) faults.push(one.outerHTML);
      if (name === "class" && !/^(language-|hljs-)/.test(value)) faults.push(one.outerHTML);
    }
  }
  return faults;
}"""

SHOW = """async (attacks) => {
  await import("/static/js/elements/markdown-text.js");
  document.querySelector("main").innerHTML = "<div id=shown></div>";
  for (const attack of attacks) {
    const whole = document.createElement("markdown-text");
    whole.textContent = attack;
    document.querySelector("#shown").append(whole);
  }
}"""

SHOW_IN_PIECES = """async (attacks) => {
  const { Markdown } = await import("/static/js/markdown.js");
  document.querySelector("main").innerHTML = "<div id=shown></div>";
  for (const attack of attacks) {
    const place = document.createElement("div");
    document.querySelector("#shown").append(place);
    const shown = new Markdown(place);
    for (const piece of attack.match(/[^]{1,5}/gu) ?? []) shown.write(piece);
    shown.close();
    place.replaceWith(...place.childNodes);
  }
}"""

SANITIZE = """async (attacks) => {
  const { safeElement } = await import("/static/js/markdown/sanitize.js");
  document.querySelector("main").innerHTML = "<div id=shown></div>";
  for (const attack of attacks) {
    document.querySelector("#shown").append(safeElement(`<p>${attack}</p>`), safeElement(attack));
  }
}"""


class Watched:
    """A page that would tell if something ran, was forbidden, or was asked for elsewhere."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.did: list[str] = []
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self._note(request, server.url))
        page.evaluate(
            "window.forbidden = [];"
            "addEventListener('securitypolicyviolation', (e) => forbidden.push(e.blockedURI))"
        )

    def _dismiss(self, dialog: Dialog) -> None:
        self.did.append(f"opened {dialog.message}")
        dialog.dismiss()

    def _note(self, request: Request, home: str) -> None:
        if not request.url.startswith((f"{home}/static/", "data:")):
            self.did.append(f"asked for {request.url}")

    def settle(self) -> None:
        """Until what would run by itself had its turn: handlers, animations, loads."""
        self.page.evaluate("() => new Promise(done => setTimeout(done, 200))")
        self.page.wait_for_load_state("networkidle")

    def assert_nothing_happened(self) -> None:
        assert self.did == []
        assert self.page.evaluate("forbidden") == []


@pytest.fixture
def watched(common_server: Server, open_page: Open) -> Watched:
    # The sign-in page follows nothing: what it asks for, it asks for because of us.
    return Watched(open_page(f"{common_server.url}/login"), common_server)


def test_there_are_enough_of_them() -> None:
    assert len(set(ATTACKS)) >= 200


@pytest.mark.parametrize("how", [SHOW, SHOW_IN_PIECES], ids=["whole", "pieces"])
def test_an_attack_is_a_text_like_any_other(watched: Watched, how: str) -> None:
    watched.page.evaluate(how, ATTACKS)
    watched.settle()

    assert watched.page.locator("#shown > *").count() >= len(ATTACKS)
    assert watched.page.evaluate(FAULTS) == []
    watched.assert_nothing_happened()


def test_the_sanitizer_would_hold_alone(common_server: Server, open_page: Open) -> None:
    """As if markdown had let all markup through. It is the parser that the policy stops."""
    page = open_page(f"{common_server.url}/login", strict=False)
    watched = Watched(page, common_server)
    watched.page.evaluate(SANITIZE, ATTACKS)
    watched.settle()

    assert watched.page.locator("#shown > *").count() == 2 * len(ATTACKS)
    assert watched.page.evaluate(FAULTS) == []
    assert watched.did == []


def test_markup_can_be_read(watched: Watched) -> None:
    attack = "<script>alert(1)</script>"
    watched.page.evaluate(SHOW, [attack, f"```html\n{attack}\n```"])

    expect(watched.page.locator("p")).to_have_text(attack)
    expect(watched.page.locator("code .hljs-name").first).to_have_text("script")
    expect(watched.page.locator("code")).to_have_text(attack)


def test_the_feed_shows_attacks_as_what_they_are(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    expect(page.locator("connection-state")).to_have_text("Live")
    watched = Watched(page, server)
    _record(server, [_said(attack, number) for number, attack in enumerate(ATTACKS)])

    expect(page.locator(".event")).to_have_count(len(ATTACKS))
    watched.settle()
    assert page.locator(".feed :is(script, img, svg, iframe, style, form)").count() == 0
    assert page.locator('.feed a:not([href^="/conversations/"])').count() == 0
    assert watched.page.evaluate("forbidden") == []
    assert [what for what in watched.did if "/api/" not in what] == []
    page.reload()
    expect(page.locator(".event")).to_have_count(50)
    assert page.locator(".feed :is(script, img, svg, iframe, style, form)").count() == 0
    assert page.locator('.feed a:not([href^="/conversations/"])').count() == 0


# What of a page was not written by us: markup that came from somebody's words.
FOREIGN = """() => {
  const faults = [];
  const inline = "markdown-text :is(svg, math, iframe, form, input, button, style, script, object)";
  for (const one of document.querySelectorAll(`base, iframe, object, embed, ${inline}`)) {
    faults.push(one.outerHTML);
  }
  // Styles are not looked at: plots place their parts by them, and those in markup are reported.
  for (const one of document.querySelectorAll("body *")) {
    for (const { name, value } of one.attributes) {
      const scheme = /^\\s*([a-z]+):/i.exec(value)?.[1];
      const leads = ["href", "src", "action", "formaction", "srcset", "poster"].includes(name);
      const isOdd = leads && scheme && !/^(https?|mailto|data)$/.test(scheme);
      if (name.startsWith("on") || isOdd) faults.push(one.outerHTML);
    }
  }
  return faults;
}"""


def test_no_page_obeys_what_anybody_has_written(
    server: Server, open_page: Open, tmp_path: Path
) -> None:
    """In names, titles, notes, tools, plans, thoughts, errors, files, keys, workflows."""
    chat, run, job, flow = _write_everywhere(server)
    page = open_page(f"{server.url}/login")
    page.add_init_script(
        "window.forbidden = [];"
        "addEventListener('securitypolicyviolation', (e) => forbidden.push(e.blockedURI))"
    )
    did: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        did.append(dialog.message)
        dialog.dismiss()

    def note(request: Request) -> None:
        if not request.url.startswith((server.url, "data:")):
            did.append(request.url)

    page.on("dialog", dismiss)
    page.on("request", note)
    paths = {
        "/": ".event",
        "/conversations": ".conversation",
        "/conversations?q=alert": ".conversation mark",
        "/conversations/tower": ".message",
        "/chats": ".chat-list a",
        f"/chats/{chat}": "answer-stream markdown-text > *",
        "/runs": ".run",
        f"/runs/{run}": ".story__line",
        f"/workflow-runs/{flow}": "[data-node]",
        "/projects/default": "h1",
        "/import": "import-list article",
        f"/import/{job}": "article li",
        "/settings": "#keys .thing__name",
    }

    for path, shown in paths.items():
        page.goto(server.url + path)
        expect(page.locator(shown).first).to_be_visible()
        if path == f"/runs/{run}":
            page.get_by_role("button", name="Replay").click()
            page.get_by_label("Speed").select_option("20")
            expect(page.get_by_role("button", name="Play")).to_be_visible()
        for closed in page.locator("main details:not([open]) > summary").all():
            if closed.is_visible():
                closed.click()
        page.evaluate("() => new Promise(done => setTimeout(done, 200))")
        assert page.evaluate(FOREIGN) == [], path
        assert page.evaluate("forbidden") == [], path
        assert did == [], path

    # It would be found.
    page.evaluate("document.querySelector('main').innerHTML = '<a href=javascript:x></a>'")
    assert page.evaluate(FOREIGN) == ['<a href="javascript:x"></a>']

    exported = tmp_path / "export.html"
    with urllib.request.urlopen(f"{server.url}/api/conversations/tower/export?format=html") as it:
        exported.write_bytes(it.read())
    page.goto(exported.as_uri())
    assert page.locator("article").count() == len(ATTACKS)
    assert page.evaluate(FOREIGN) == []
    assert did == [exported.as_uri()]


def _write_everywhere(server: Server) -> tuple[str, str, str, str]:
    """A chat, a run, an import and a workflow of attacks; and whatever else has a name."""
    everything = "\n\n".join(ATTACKS)
    short = "<img src=x onerror=alert(1)><svg/onload=alert(1)>"
    _record(server, [_said(attack, number) for number, attack in enumerate(ATTACKS)])
    notes = json.dumps({"name": short, "notes": everything}).encode()
    call(server, "/api/conversations/tower", notes, method="PATCH")
    post(server, "/api/projects/default/keys", {"name": short, "scopes": ["read"]})
    script: list[dict[str, Any]] = [
        {"plan": [{"text": attack} for attack in ATTACKS[:50]]},
        *[{"think": attack} for attack in ATTACKS[50:100]],
        *[
            {"tool": attack[:100], "args": {attack: attack}, "result": attack, "summary": attack}
            for attack in ATTACKS[::3]
        ],
        {"status": short},
        {"say": everything, "pieces": 20},
        {"fail": everything},
    ]
    chat = post(server, "/api/users/local/chats", {"title": short, "agent_id": "scripted"})
    question = {"content": everything, "metadata": {"script": script}}
    path = f"/api/chats/{chat['chat_id']}/messages"
    post(server, path, question)
    wanted = {"agentId": "scripted", "prompt": everything, "metadata": {"script": script}}
    run = post(server, "/api/projects/default/runs", wanted)["run"]["id"]
    sent = {"conversation": {"name": short}, "messages": [{"role": short, "content": short}]}
    job = post(server, "/api/projects/default/ingest/jobs", [sent, *ATTACKS])["job"]["id"]

    brief = {"brief": f"Name: {short}\nOffer: {short}\n{everything[:5000]}"}
    flows = "/api/projects/default/workflows/website-content/runs"
    flow = post(server, flows, {"input": brief})["run"]["id"]

    def is_done() -> bool:
        found = call(server, f"/api/projects/default/ingest/jobs/{job}")["job"]
        runs = call(server, "/api/projects/default/runs")["items"]
        flowed = call(server, f"/api/projects/default/workflow-runs/{flow}")["run"]
        ended = [found["finished_at"], flowed["finishedAt"], *(one["finishedAt"] for one in runs)]
        return all(ended)

    wait_for(is_done)
    return chat["chat_id"], run, job, flow


def _said(attack: str, number: int) -> dict[str, Any]:
    names = dict.fromkeys(("agent_id", "agent_name", "agent_type", "model"), attack[:100])
    data = {"conversation_id": "tower", "content": attack, "sequence_number": number, **names}
    return {"type": "message.created", "data": data}


def _record(server: Server, events: list[dict[str, Any]]) -> None:
    request = urllib.request.Request(
        f"{server.url}/api/ingest/batch",
        data=json.dumps(events).encode(),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["accepted"] == len(events)
