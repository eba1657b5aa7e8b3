"""What a key must be made for: to look, to write workflows down, to run them."""

from channels.db import database_sync_to_async

from conversations.models import Project
from conversations.services import make_key
from tests.clients import Api, Json
from tests.workflows.running import PROJECT, Workflows, approval

RUN: Json = {"input": {}}
NEW: Json = {"name": "other", "nodes": [approval("ask")]}


async def _key(project: Project, scope: str) -> str:
    made: str = await database_sync_to_async(lambda: make_key(project, scope, scopes=[scope])[1])()
    return made


async def test_each_door_wants_its_scope(workflows: Workflows, project: Project) -> None:
    run = await workflows.run(approval("ask"))
    here = f"{PROJECT}/workflow-runs/{run['id']}"
    wanted = {
        ("GET", f"{PROJECT}/workflows", None): "read",
        ("GET", f"{PROJECT}/workflows/build", None): "read",
        ("GET", f"{PROJECT}/workflows/build/runs", None): "read",
        ("GET", f"{PROJECT}/workflow-runs", None): "read",
        ("GET", here, None): "read",
        ("GET", f"{here}/events", None): "read",
        ("POST", f"{PROJECT}/workflows", "new"): "write",
        ("PUT", f"{PROJECT}/workflows/build", "build"): "write",
        ("POST", f"{PROJECT}/workflows/build/runs", "run"): "run",
        ("POST", f"{here}/nodes/ask/approve", None): "run",
        ("POST", f"{here}/rerun", "node"): "run",
        ("POST", f"{here}/nodes/ask/reject", None): "run",
        ("POST", f"{here}/resume", None): "run",
        ("POST", f"{here}/cancel", None): "run",
        ("DELETE", f"{PROJECT}/workflows/build", None): "write",
    }
    bodies = {
        "new": NEW,
        "build": {**NEW, "name": "build"},
        "run": RUN,
        "node": {"node": "ask"},
        None: {},
    }
    scopes = {"read", "write", "run"}
    keys = {scope: await _key(project, scope) for scope in scopes}
    for (method, path, body), needed in wanted.items():
        for scope in sorted(scopes, key=lambda it: it == needed):
            async with Api(keys[scope]) as api:
                answer = await api.request(method, path, json=bodies[body])
            is_let_in = answer.status_code < 400
            assert is_let_in == (scope == needed), (method, path, scope, answer.text)
