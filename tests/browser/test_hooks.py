"""The hooks under React itself, in its StrictMode, which mounts everything twice."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.browser.conftest import Open
from tests.servers import KEY, Server, wait_for

pytestmark = pytest.mark.processes

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "static/js"
EXAMPLES = HERE.parents[1] / "docs/examples"
BUILDS = ("react.development.js", "react-dom.development.js")

MOUNT = """async ({ hook, options }) => {
  const { hooksOf } = await import("/static/js/react.js");
  const hooks = hooksOf(React);
  // What an effect of a component gets to see.
  window.seen = [];
  function Shown(given) {
    window.shown = hooks[hook](...given.options);
    React.useEffect(() => {
      if (shown.data) window.seen.push(shown.data);
    }, [shown.data]);
    return React.createElement("pre", { id: "shown" }, JSON.stringify(window.shown));
  }
  const place = document.querySelector("main");
  window.root = ReactDOM.createRoot(place);
  window.mount = (options) => {
    const shown = React.createElement(Shown, { options });
    root.render(React.createElement(React.StrictMode, null, shown));
  };
  mount(options);
}"""

# Playwright's own way to wait wants eval, which the page's policy forbids.
AWAIT = """async () => {
  const isSo = FACT;
  const deadline = Date.now() + 150_000;
  while (!isSo(window.shown)) {
    if (Date.now() > deadline) throw new Error(JSON.stringify(window.shown));
    await new Promise((done) => setTimeout(done, 20));
  }
}"""


@pytest.fixture
def react_page(server: Server, open_page: Open) -> Page:
    """A page of the server's own, under its policy, that has React as well."""
    page = open_page(f"{server.url}/login", strict=False)

    def build(route: Route) -> None:
        path = HERE / "vendor" / route.request.url.rsplit("/", 1)[1]
        route.fulfill(path=path, content_type="text/javascript")

    page.route("**/static/react/*", build)
    for name in BUILDS:
        page.add_script_tag(url=f"/static/react/{name}")
    return page


def mount(page: Page, hook: str, *options: Any) -> None:
    page.evaluate(MOUNT, {"hook": hook, "options": options})


def shows(page: Page, fact: str) -> None:
    """Wait until what the hook gives is so."""
    page.evaluate(AWAIT.replace("FACT", fact))


def post(server: Server, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        server.url + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def get(server: Server, path: str) -> Any:
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_events_of_a_conversation_come_once_each_also_over_a_restart(
    server: Server, react_page: Page
) -> None:
    server.say("before", conversation_id="tower")
    mount(react_page, "useRealtimeEvents", {"conversationId": "tower", "reconnectInterval": 200})
    shows(react_page, "({ isConnected, error }) => isConnected && error === null")

    server.say("one")
    server.say("elsewhere", conversation_id="another")
    shows(react_page, "({ events }) => events.length === 1")
    server.kill()
    shows(react_page, "({ isConnected, error }) => !isConnected && error instanceof Error")
    server.start()
    server.say("two")
    server.say("three")

    shows(react_page, "({ events, isConnected }) => isConnected && events.length === 3")
    said = react_page.evaluate("shown.events.map((event) => event.data.message.content)")
    assert said == ["one", "two", "three"]
    assert react_page.evaluate("Object.keys(shown.events[0])") == ["type", "timestamp", "data"]
    react_page.evaluate("shown.clearEvents()")
    shows(react_page, "({ events }) => events.length === 0")
    react_page.evaluate("shown.disconnect()")
    shows(react_page, "({ isConnected }) => !isConnected")


def test_an_answer_is_asked_for_once_and_streamed(server: Server, react_page: Page) -> None:
    chat = post(server, "/api/users/ada/chats", {"title": "Towers", "agent_id": "scripted"})
    script = [
        {"plan": [{"text": "Compare", "status": "in_progress"}]},
        {"think": "Wind decides."},
        {"tool": "search_record", "args": {"query": "steel"}, "result": "3 found"},
        {"say": "Steel is lighter than **stone**.", "pieces": 8, "every_ms": 50},
    ]
    mount(react_page, "useStreamingMessage", chat["chat_id"], "Stone or steel?", {"script": script})

    shows(react_page, "({ isStreaming, messageId }) => isStreaming && messageId")
    shows(react_page, "({ isStreaming, content }) => !isStreaming && content")
    shown = react_page.evaluate("shown")
    assert shown["content"] == "Steel is lighter than **stone**."
    assert (shown["status"], shown["error"]) == ("Completed", None)
    assert shown["rationale"] == "Wind decides."
    assert [item["text"] for item in shown["plan"]] == ["Compare"]
    (call,) = shown["toolCalls"]
    assert (call["name"], call["status"]) == ("search_record", "completed")
    assert call["duration"] >= 0

    # New objects that say the same are no new question; new words are.
    react_page.evaluate("(options) => mount(options)", [chat["chat_id"], "And now?", {}])
    shows(react_page, f"({{ messageId }}) => messageId && messageId !== '{shown['messageId']}'")
    asked = get(server, f"/api/chats/{chat['chat_id']}/messages")["items"]
    assert [one["content"] for one in asked if one["role"] == "user"] == [
        "Stone or steel?",
        "And now?",
    ]


def test_a_question_that_is_refused_says_so(server: Server, react_page: Page) -> None:
    mount(react_page, "useStreamingMessage", "0" * 24, "Anyone?", {})

    shows(react_page, "({ error }) => error === 'Failed to create message'")
    assert react_page.evaluate("[shown.isStreaming, shown.messageId]") == [False, None]


def test_the_events_of_an_import_come_from_its_beginning(server: Server, react_page: Page) -> None:
    session = {"conversation": {"name": "Towers"}, "messages": []}
    job = post(server, "/api/projects/default/ingest/jobs", session)["job"]
    mount(react_page, "useIngestStream", "default", job["id"])

    shows(react_page, "(events) => /completed|failed/.test(events.at(-1)?.type)")
    kinds = react_page.evaluate("shown.map((event) => event.type)")
    assert kinds[0] == "ingest.job.created"
    assert react_page.evaluate("shown.every((event) => event.job.id)")


def example(server: Server, name: str) -> str:
    """What a script of the documentation prints, that tells of work done elsewhere."""
    command = [sys.executable, str(EXAMPLES / name), server.url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_agents_outside_are_followed_over_a_socket(server: Server, react_page: Page) -> None:
    progress = f"{server.url}/api/projects/default/agents/early/progress"
    put = urllib.request.Request(
        progress, b'{"percentage": 30}', {"Content-Type": "application/json"}, method="PUT"
    )
    urllib.request.urlopen(put).close()
    mount(react_page, "useAgentProgress", "default")
    # Where it was before anybody looked.
    shows(react_page, "({ progress }) => progress.early?.progress === 30")

    researcher, writer = example(server, "outside_crew.py").split()

    shows(react_page, "({ progress }) => progress.writer?.status === 'completed'")
    shown = react_page.evaluate("shown.progress")
    assert shown["researcher"]["progress"] == shown["writer"]["progress"] == 100
    assert shown["researcher"]["content"] == "compare stone and steel: done"
    assert react_page.evaluate("shown.progress.writer.lastUpdated instanceof Date")
    assert react_page.evaluate("[shown.connected, shown.subscription.phase]") == [True, "live"]
    runs = get(server, "/api/projects/default/runs")["items"]
    assert {run["id"]: (run["status"], run["toolCalls"]) for run in runs} == {
        researcher: ("completed", 2),
        writer: ("completed", 1),
    }


def test_agents_outside_are_followed_over_server_sent_events(
    server: Server, react_page: Page
) -> None:
    mount(react_page, "useSSEProgress", "default")
    shows(react_page, "({ connected }) => connected")

    example(server, "outside_crew.py")

    shows(react_page, "({ events }) => events.filter(({ complete }) => complete).length === 2")
    told = react_page.evaluate("shown.events.map((one) => [one.agentId, one.percentage])")
    assert told[-1] == ["writer", 100]
    of_researcher = [percentage for agent, percentage in told if agent == "researcher"]
    assert of_researcher == sorted(of_researcher)
    run = example(server, "outside_graph.py").split()[0]
    done = get(server, f"/api/projects/default/workflow-runs/{run}")["run"]
    assert (done["status"], done["workflow"]) == ("completed", "tower-report")
    assert [node["state"] for node in done["nodes"]] == ["completed"] * 3


def test_of_pieces_that_come_together_a_stream_shows_each(server: Server, react_page: Page) -> None:
    mount(react_page, "useStream", "/api/projects/default/preview/stream")
    shows(react_page, "({ loading, data }) => loading && data === null")
    wait_for(lambda: get(server, "/api/realtime/stats")["connections"]["total"] == 1)

    pieces = [
        {"type": "preview.section.updated", "section": {"sectionId": "hero", "updates": {"n": n}}}
        for n in range(20)
    ]
    post(server, "/api/projects/default/events", pieces)

    shows(react_page, "({ data }) => data?.updates.n === 19")
    assert react_page.evaluate("[...new Set(window.seen.map(({ updates }) => updates.n))]") == [
        *range(20)
    ]
    assert react_page.evaluate("[shown.loading, shown.error]") == [False, None]
    server.kill()
    shows(react_page, "({ error }) => error instanceof Error")


def test_what_leaves_the_page_leaves_no_connection(server: Server, react_page: Page) -> None:
    server.say("before")
    mount(react_page, "useRealtimeEvents", {"conversationId": "tower"})
    shows(react_page, "({ isConnected }) => isConnected")
    wait_for(lambda: get(server, "/api/realtime/stats")["connections"]["total"] == 1)

    react_page.evaluate("root.unmount()")

    wait_for(lambda: get(server, "/api/realtime/stats")["connections"]["total"] == 0)


def test_the_package_holds_what_others_need_and_no_more() -> None:
    packed = subprocess.run(
        ["npm", "pack", "--dry-run", "--json"],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=True,
    )
    files = {file["path"] for file in json.loads(packed.stdout)[0]["files"]}

    assert files == {
        "README.md",
        "package.json",
        "react.d.ts",
        "react.js",
        *(f"stream/{name}.js" for name in ("answer", "index", "resume", "socket", "source")),
        "stream/index.d.ts",
    }
