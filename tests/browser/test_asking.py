"""A page that asks an agent by itself: with fetch, EventSource, and nothing of ours."""

from typing import Any

import pytest

from tests.browser.conftest import Open
from tests.servers import Server

pytestmark = pytest.mark.processes

# As a page of our own origin does it that knows no key: the address of the stream is enough.
ASK = """
async ([script, suffix]) => {
  const post = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const chat = await post("/api/users/ada/chats", { title: "Towers", agent_id: "scripted" });
  const asked = await post(`/api/chats/${chat.chat_id}/messages`, {
    content: "How high?",
    metadata: { script },
  });
  const follow = () => new Promise((resolve) => {
    const steps = [];
    const source = new EventSource(asked.stream_url + suffix);
    const note = (event) => {
      steps.push(JSON.parse(event.data));
      if (steps.at(-1).type === "end") {
        source.close();
        resolve(steps);
      }
    };
    source.onmessage = note;
    if (!suffix) {
      for (const type of ["start", "plan", "tool_start", "tool_end", "status", "rationale",
        "content", "end"]) {
        source.addEventListener(type, note);
      }
    }
  });
  const live = await follow();
  const late = await follow();
  const history = await (await fetch(`/api/chats/${chat.chat_id}/messages`)).json();
  return { live, late, history: history.items };
}
"""
SCRIPT = [
    {"plan": [{"text": "Measure", "status": "in_progress"}]},
    {"think": "A tower is asked for."},
    {"tool": "measure", "args": {"what": "tower"}, "result": "42 m"},
    {"status": "Writing"},
    {"say": "It is **42 m** high 🗼.", "pieces": 5, "every_ms": 60},
]


def test_a_page_asks_and_follows_the_answer(server: Server, open_page: Open) -> None:
    page = open_page(server.url)

    for suffix in ("&unnamed=1", ""):
        found: dict[str, Any] = page.evaluate(ASK, [SCRIPT, suffix])

        kinds = [step["type"] for step in found["live"]]
        assert (kinds[0], kinds[-1]) == ("start", "end")
        assert {"plan", "rationale", "tool_start", "tool_end", "status", "content"} <= set(kinds)
        assert kinds.count("content") > 1
        assert found["late"] == found["live"]
        question, answer = found["history"]
        assert (question["role"], question["content"]) == ("user", "How high?")
        said = "".join(step.get("md", "") for step in found["live"])
        assert said == answer["content"] == "It is **42 m** high 🗼."
