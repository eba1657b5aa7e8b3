"""Definitions are saved, changed, deleted; and what is wrong with one is said where it is."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.clients import Api, Json
from tests.workflows.running import PROJECT, Workflows, agent, approval, note, states, tool
from workflows.checking import read_definition
from workflows.errors import Fault, Invalid

DOCUMENT = Path(__file__).parents[2] / "docs/workflows.md"
WORKFLOWS = f"{PROJECT}/workflows"
MUTATIONS = 2_000
SEED = 6

WHOLE: Json = {
    "name": "build",
    "title": "Build a tower",
    "description": "From a plan to a roof",
    "inputs": {
        "topic": {"type": "string"},
        "floors": {"type": "integer", "required": False, "default": 5},
    },
    "nodes": [
        {**agent("draft", retry={"attempts": 2}, timeout_s=60), "prompt": "On {{ input.topic }}"},
        tool("look", "search_record", arguments={"query": "{{ input.topic }}", "limit": 3}),
        {
            "id": "which",
            "kind": "branch",
            "on": "{{ nodes.look.output.total }}",
            "cases": [{"at_least": 1, "then": ["ask"]}, {"equals": 0, "then": ["each"]}],
            "otherwise": ["ask"],
        },
        approval("ask", question="Build {{ nodes.draft.output.text }}?"),
        {
            "id": "each",
            "kind": "map",
            "over": "{{ nodes.look.output.conversations }}",
            "at_once": 2,
            "each": {"kind": "tool", "tool": "note", "arguments": {"text": "{{ item.name }}"}},
        },
        note("end", needs=["ask", "each"]),
    ],
    "output": {"all": "{{ nodes.each.output }}"},
}
AS_JSON = {"content-type": "application/json"}
AS_YAML = """
name: yaml-tower   # words that other readers take for booleans
inputs:
  topic: {type: string}
nodes:
  - id: draft
    kind: agent
    agent: guide
    prompt: |
      Write about {{ input.topic }}.
  - id: which
    kind: branch
    on: "{{ nodes.draft.output.text }}"
    cases: [{is_empty: true, then: [off]}]
  - {id: off, kind: approval, question: "Nothing to say?"}
"""


def at(definition: Json, *path: str | int) -> Any:
    found: Any = definition
    for step in path:
        found = found[step]
    return found


def put(*path: str | int, value: Any) -> Callable[[Json], None]:
    def change(definition: Json) -> None:
        at(definition, *path[:-1])[path[-1]] = value

    return change


def left_out(*path: str | int) -> Callable[[Json], None]:
    def change(definition: Json) -> None:
        del at(definition, *path[:-1])[path[-1]]

    return change


FAULTY: list[tuple[Callable[[Json], None], str, str]] = [
    (put("nodes", 0, "needs", value=["roof"]), "nodes.0.needs.0", "There is no node roof"),
    (put("nodes", 2, "otherwise", value=["roof"]), "nodes.2.otherwise.0", "There is no node roof"),
    (put("nodes", 2, "cases", 0, "then", value=["x"]), "nodes.2.cases.0.then.0", "no node x"),
    (put("nodes", 1, "needs", value=["end"]), "nodes.1", "A cycle: look → end → "),
    (put("nodes", 0, "needs", value=["draft"]), "nodes.0", "A cycle: draft → draft"),
    (put("nodes", 0, "agent", value="ghost"), "nodes.0.agent", "There is no agent ghost"),
    (put("nodes", 1, "tool", value="hammer"), "nodes.1.tool", "There is no tool hammer"),
    (put("nodes", 4, "each", "tool", value="saw"), "nodes.4.each.tool", "There is no tool saw"),
    (put("nodes", 1, "arguments", "limit", value="x"), "nodes.1.arguments.limit", "integer"),
    (put("nodes", 1, "arguments", "size", value=1), "nodes.1.arguments.size", "not permitted"),
    (left_out("nodes", 5, "arguments", "text"), "nodes.5.arguments.text", "Required"),
    (left_out("inputs", "topic"), "nodes.0.prompt", "there is no input topic"),
    (put("nodes", 0, "prompt", value="{{ nodes.roof.output }}"), "nodes.0.prompt", "no node roof"),
    (put("nodes", 0, "prompt", value="{{ nodes.look.text }}"), "nodes.0.prompt", "its output"),
    (put("nodes", 0, "prompt", value="{{ item }}"), "nodes.0.prompt", "there is no item outside"),
    (put("nodes", 0, "prompt", value="{{ 1 + 1 }}"), "nodes.0.prompt", "a reference is a path"),
    (put("nodes", 0, "prompt", value="{{ secrets.key }}"), "nodes.0.prompt", "begins with input"),
    (put("output", "all", value="{{ nodes.x.output }}"), "output.all", "there is no node x"),
    (put("nodes", 0, "prompt", value=7), "nodes.0.prompt", "string"),
    (left_out("nodes", 0, "prompt"), "nodes.0.prompt", "Required"),
    (put("nodes", 0, "kind", value="robot"), "nodes.0.kind", "The kinds are agent, tool, map"),
    (left_out("nodes", 0, "kind"), "nodes.0.kind", "Required"),
    (put("nodes", 4, "each", "kind", value="approval"), "nodes.4.each.kind", "agent, tool"),
    (put("nodes", 4, "each", value=[]), "nodes.4.each", "Expected an object"),
    (put("nodes", 4, "over", value="abc"), "nodes.4.over", "Expected a list"),
    (put("nodes", 2, "cases", 0, "at_most", value=2), "nodes.2.cases.0", "one comparison"),
    (
        put("nodes", 2, "cases", 1, "equals", value="{{ input.topic }}"),
        "nodes.2.cases.1.equals",
        "",
    ),
    (put("nodes", 0, "retry", "attempts", value=0), "nodes.0.retry.attempts", "greater than"),
    (put("nodes", 0, "colour", value="red"), "nodes.0.colour", "not permitted"),
    (put("nodes", 1, "id", value="draft"), "nodes.1.id", "two nodes draft"),
    (put("nodes", 1, "id", value="a.b"), "nodes.1.id", "pattern"),
    (put("inputs", "floors", "default", value="x"), "inputs.floors.default", "an integer"),
    (put("inputs", "topic", "type", value="text"), "inputs.topic.type", "string"),
    (put("nodes", value=[]), "nodes", "at least 1"),
    (put("nodes", value={}), "nodes", "list"),
    (put("name", value="A Tower"), "name", "pattern"),
]


@pytest.mark.parametrize(
    ("spoil", "path", "words"), FAULTY, ids=[f"{path}-{words[:20]}" for _, path, words in FAULTY]
)
async def test_what_is_wrong_is_said_with_its_path(
    api: Api, spoil: Callable[[Json], None], path: str, words: str
) -> None:
    definition = copy.deepcopy(WHOLE)
    spoil(definition)

    answer = await api.post(WORKFLOWS, json=definition)

    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == "Validation failed"
    assert (body["field"], words in body["message"]) == (path, True), body
    assert ".".join(map(str, body["details"][0]["path"])) == path


async def test_workflows_are_saved_listed_changed_and_deleted(api: Api) -> None:
    saved = (await api.post(WORKFLOWS, json=WHOLE)).json()["workflow"]
    assert (saved["name"], saved["version"], saved["isShipped"]) == ("build", 1, False)
    assert saved["definition"] == WHOLE
    listed = (await api.get(WORKFLOWS)).json()
    assert saved["name"] in [one["name"] for one in listed["items"]]
    assert (await api.post(WORKFLOWS, json=WHOLE)).status_code == 409

    changed = await api.put(f"{WORKFLOWS}/build", json={**WHOLE, "title": "Build two"})
    assert (changed.json()["workflow"]["title"], changed.json()["workflow"]["version"]) == (
        "Build two",
        2,
    )
    bad = await api.put(f"{WORKFLOWS}/build", json={**WHOLE, "nodes": []})
    assert (bad.status_code, bad.json()["field"]) == (400, "nodes")
    assert (await api.put(f"{WORKFLOWS}/ruin", json=WHOLE)).status_code == 404

    assert (await api.delete(f"{WORKFLOWS}/build")).status_code == 204
    assert (await api.get(f"{WORKFLOWS}/build")).status_code == 404
    assert (await api.delete(f"{WORKFLOWS}/build")).status_code == 404


async def test_a_definition_may_be_yaml(api: Api) -> None:
    headers = {"content-type": "application/yaml"}

    saved = await api.post(WORKFLOWS, content=AS_YAML, headers=headers)

    assert saved.status_code == 201, saved.text
    branch = saved.json()["workflow"]["definition"]["nodes"][1]
    assert (branch["on"], branch["cases"][0]["then"]) == ("{{ nodes.draft.output.text }}", ["off"])


@pytest.mark.usefixtures("worker")
async def test_the_example_of_the_documents_runs(workflows: Workflows, api: Api) -> None:
    written = DOCUMENT.read_text().split("```yaml\n")[1].split("```")[0]
    headers = {"content-type": "application/yaml"}
    assert (await api.post(WORKFLOWS, content=written, headers=headers)).status_code == 201

    run = await workflows.ended(await workflows.start("release-notes", topic="towers"))

    # Nothing is recorded here about towers, nor about anything else.
    assert states(run)["nothing"] == "completed"
    assert {states(run)[name] for name in ("draft", "review", "publish")} == {"skipped"}
    assert (run["status"], run["output"]) == ("completed", {"text": None, "reviews": None})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b"nodes: [", "line 1, column 9: expected the node content, but found '<stream end>'"),
        (b"a: &x [1]\nb: *x", "line 2, column 4: aliases are not read"),
        (b"a: 1\na: 2", "line 2, column 1: a is there twice"),
        (b"? [1]\n: 2", "line 1, column 3: a key is a word"),
        (b"a: !!python/object:os.system 1", "line 1, column 4: could not determine"),
        (b"[" * 5_000, "nested too deeply"),
        (b"a: \xff", "the body is not UTF-8 (byte 3)"),
    ],
)
async def test_what_is_no_yaml_is_said_with_its_line(
    api: Api, written: bytes, message: str
) -> None:
    headers = {"content-type": "application/yaml"}

    answer = await api.post(WORKFLOWS, content=written, headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (400, "Invalid YAML")
    assert answer.json()["message"].startswith(message)


async def test_a_long_text_of_yaml_is_too_much(api: Api) -> None:
    """A reader written in Python takes seconds for a megabyte, and holds up everybody else."""
    headers = {"content-type": "application/yaml"}

    answer = await api.post(WORKFLOWS, content=b"# x\n" * 40_000, headers=headers)

    assert answer.status_code == 413


async def test_what_a_run_is_given_is_looked_at(workflows: Workflows, api: Api) -> None:
    assert (await api.post(WORKFLOWS, json=WHOLE)).status_code == 201
    for given, path, message in (
        ({}, "input.topic", "Required"),
        ({"topic": 7}, "input.topic", "Expected a string"),
        ({"topic": "x", "floors": 1.5}, "input.floors", "Expected an integer"),
        ({"topic": "x", "floors": True}, "input.floors", "Expected an integer"),
        ({"topic": "x", "roof": 1}, "input.roof", "The workflow has no such input"),
    ):
        answer = await api.post(f"{WORKFLOWS}/build/runs", json={"input": given})
        assert answer.status_code == 400
        assert (answer.json()["field"], answer.json()["message"]) == (path, message)
    answer = await api.post(f"{WORKFLOWS}/build/runs", json={"input": []})
    assert (answer.status_code, answer.json()["field"]) == (400, "input")
    assert (await api.get(f"{PROJECT}/workflow-runs")).json()["items"] == []


async def test_no_spoilt_definition_is_more_than_a_complaint(api: Api) -> None:
    """Whatever is changed at whatever place: it is saved, or each fault is said with its path."""
    chance = random.Random(SEED)
    refused = 0
    for number in range(MUTATIONS):
        definition = mutated(chance)
        faults = faults_of(definition)
        refused += bool(faults)
        context = f"{number}: {definition!r} {faults}"
        assert all(leads_somewhere(definition, path) for path, _, _ in faults), context
        # A door takes a hundred times as long as the reading of what comes in through it.
        if number % 40 == 0:
            written = json.dumps(definition).encode()
            answer = await api.post(WORKFLOWS, content=written, headers=AS_JSON)
            assert answer.status_code == (400 if faults else 201), (context, answer.text)
            if faults:
                assert answer.json()["error"] == "Validation failed", (context, answer.text)
            else:
                name = answer.json()["workflow"]["name"]
                assert (await api.delete(f"{WORKFLOWS}/{name}")).status_code == 204
    assert MUTATIONS / 2 < refused < MUTATIONS


def faults_of(definition: Any) -> Sequence[Fault]:
    try:
        read_definition(copy.deepcopy(definition))
    except Invalid as error:
        return error.faults
    return []


NONSENSE: list[Any] = [
    *(None, True, False, 0, -1, 3.5, 10**30, 1e308, "", "x", "\x00", "draft", "{{ input.topic }}"),
    *("{{", "{{ }}", "{{ nodes }}", "{{ nodes.draft.output }}", "{{ item }}", "\ud800", "🏰" * 50),
    *([], {}, [[]], {"": {}}, ["draft"], {"kind": "tool"}, {"then": []}, [None], ["end", "end"]),
]


def mutated(chance: random.Random) -> Any:
    definition = copy.deepcopy(WHOLE)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        place = chance.choice(list(places(definition)))
        if not place:
            return chance.choice(NONSENSE)
        outer = at(definition, *place[:-1])
        match chance.randrange(5):
            case 0:
                del outer[place[-1]]
            case 1:
                outer[place[-1]] = copy.deepcopy(
                    at(definition, *chance.choice(list(places(definition))))
                )
            case 2 if isinstance(outer, dict):
                outer[chance.choice(["kind", "needs", "x", "id", "over"])] = outer.pop(place[-1])
            case 3 if isinstance(outer, list):
                outer.append(copy.deepcopy(outer[place[-1]]))
            case _:
                outer[place[-1]] = copy.deepcopy(chance.choice(NONSENSE))
    return definition


def places(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


def leads_somewhere(definition: Any, path: list[str | int]) -> bool:
    """Into what was written down, or to what is missing from it: that may be in a part left out."""
    found = definition
    for number, step in enumerate(path):
        is_there = (
            step in found
            if isinstance(found, dict)
            else isinstance(found, list) and isinstance(step, int) and step < len(found)
        )
        if not is_there:
            return number >= len(path) - 2 and isinstance(found, dict)
        found = found[step]
    return bool(path) or not isinstance(definition, dict)
