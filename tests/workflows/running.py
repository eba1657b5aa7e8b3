"""How tests write workflows down, run them, and look at them."""

from typing import Any

import httpx

from tests.clients import Api, Json, eventually

PROJECT = "/api/projects/tower"
ENDED = ("completed", "failed", "cancelled")


class Workflows:
    def __init__(self, api: Api) -> None:
        self.api = api

    async def save(self, *nodes: Json, name: str = "build", **rest: Any) -> Json:
        answer = await self.api.post(
            f"{PROJECT}/workflows", json={"name": name, "nodes": list(nodes), **rest}
        )
        assert answer.status_code == 201, answer.text
        saved: Json = answer.json()["workflow"]
        return saved

    async def start(self, name: str = "build", **given: Any) -> Json:
        answer = await self.api.post(f"{PROJECT}/workflows/{name}/runs", json={"input": given})
        assert answer.status_code == 201, answer.text
        run: Json = answer.json()["run"]
        return run

    async def run(self, *nodes: Json, **rest: Any) -> Json:
        await self.save(*nodes, **rest)
        return await self.start()

    async def shown(self, run: Json) -> Json:
        found: Json = (await self.api.get(self.address(run))).json()["run"]
        return found

    async def reached(self, run: Json, *statuses: str) -> Json:
        async def has() -> bool:
            return (await self.shown(run))["status"] in statuses

        try:
            await eventually(has)
        except AssertionError:
            raise AssertionError(await self.shown(run)) from None
        return await self.shown(run)

    async def ended(self, run: Json) -> Json:
        return await self.reached(run, *ENDED)

    async def do(self, run: Json, what: str, **body: Any) -> httpx.Response:
        return await self.api.post(f"{self.address(run)}/{what}", json=body)

    async def events(self, run: Json) -> list[Json]:
        found: list[Json] = (await self.api.get(f"{self.address(run)}/events")).json()["items"]
        return found

    def address(self, run: Json) -> str:
        return f"{PROJECT}/workflow-runs/{run['id']}"


def tool(
    node_id: str, name: str = "say_back", *, arguments: Json | None = None, **rest: Any
) -> Json:
    return {"id": node_id, "kind": "tool", "tool": name, "arguments": arguments or {}, **rest}


def note(node_id: str, text: str = "", **rest: Any) -> Json:
    return tool(node_id, "note", arguments={"text": text or node_id}, **rest)


def agent(node_id: str, *script: Json, **rest: Any) -> Json:
    return {
        "id": node_id,
        "kind": "agent",
        "agent": "scripted",
        "prompt": "Go on",
        "metadata": {"script": list(script or ({"say": "Done."},))},
        **rest,
    }


def approval(node_id: str, **rest: Any) -> Json:
    return {"id": node_id, "kind": "approval", "question": "May it go on?", **rest}


def states(run: Json) -> dict[str, str]:
    return {node["id"]: node["state"] for node in run["nodes"]}


def outputs(run: Json) -> dict[str, Any]:
    return {node["id"]: node["output"] for node in run["nodes"]}
