"""A worker dies in the middle of a node, and another one takes it up: step by step, by hand."""

from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from agents.models import AgentRun
from conversations.models import RawEvent
from tests.clients import Api, Json
from tests.workflows.running import Workflows, agent, note, outputs, states, tool
from workflows import queue, tasks, working
from workflows.models import NodeState
from workflows.tools import InTransaction
from workflows.working import Errand


async def of(look: Any, *given: Any) -> Any:
    return await database_sync_to_async(look)(*given)


async def state_of(run: Json, node_id: str) -> NodeState:
    found: NodeState = await of(
        lambda: NodeState.objects.get(run__public_id=run["id"], node_id=node_id)
    )
    return found


async def taken_up(run: Json, node_id: str) -> Errand:
    errand = await of(working.take_up, (await state_of(run, node_id)).pk)
    assert isinstance(errand, Errand)
    return errand


async def test_the_next_worker_goes_on_under_the_same_key_and_the_first_is_not_heard(
    workflows: Workflows,
) -> None:
    run = await workflows.run(tool("say"), note("last", needs=["say"]))
    first, second = await taken_up(run, "say"), await taken_up(run, "say")

    await of(working.finish, first, "from the dead")
    assert states(await workflows.shown(run)) == {"say": "running", "last": "pending"}
    await of(working.finish, second, "from the living")

    shown = await workflows.shown(run)
    assert (states(shown)["last"], outputs(shown)["say"]) == ("queued", "from the living")
    assert first.task.key == second.task.key
    assert shown["nodes"][0]["attempt"] == 1
    # Nobody heard whether it was written, and so it is written again.
    await of(working.finish, second, "twice")
    assert outputs(await workflows.shown(run))["say"] == "from the living"
    assert await of(working.take_up, first.state_id) is None


async def test_what_a_dead_worker_has_not_committed_is_done_by_the_next(
    workflows: Workflows,
) -> None:
    run = await workflows.run(note("keep"))
    first, second = await taken_up(run, "keep"), await taken_up(run, "keep")
    assert isinstance(first.tool, InTransaction)

    for errand in (first, second, second):
        await of(working.do_in_transaction, errand)

    assert await of(RawEvent.objects.filter(kind="noted").count) == 1
    assert (await workflows.shown(run))["status"] == "completed"


async def test_an_effect_goes_back_with_what_comes_after_it(
    workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await workflows.run(note("keep"))
    errand = await taken_up(run, "keep")

    def die(course: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("workflows.course.Course.go_on", die)
        with pytest.raises(KeyboardInterrupt):
            await of(working.do_in_transaction, errand)
    assert await of(RawEvent.objects.filter(kind="noted").count) == 0
    told = await workflows.events(run)
    assert told[-1]["node"]["state"] == "running"

    await of(working.do_in_transaction, await taken_up(run, "keep"))

    assert await of(RawEvent.objects.filter(kind="noted").count) == 1
    assert (await workflows.events(run))[-1]["workflow"]["status"] == "completed"


async def test_a_node_that_kills_every_worker_fails_in_the_end(workflows: Workflows) -> None:
    run = await workflows.run(tool("say"))
    await taken_up(run, "say")
    await of(lambda: NodeState.objects.update(epoch=working.MOST_WORKERS))

    assert await of(working.take_up, (await state_of(run, "say")).pk) is None

    assert (await workflows.shown(run))["error"].startswith("say: 100 workers have begun it")


async def test_nodes_whose_jobs_are_lost_get_one_again(workflows: Workflows) -> None:
    run = await workflows.run(tool("say"), agent("ask"))
    # The queue's rows are its own to write.
    await of(_forget_jobs)
    ended = {"status": "completed", "output": "Done."}
    await of(lambda: AgentRun.objects.update(**ended))

    await of(tasks.sweep_workflows, 0)

    assert (await state_of(run, "say")).job_id is not None
    assert not await of(queue.without_job().exists)
    assert outputs(await workflows.shown(run))["ask"] == {"text": "Done."}


def _forget_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_events")
        cursor.execute("DELETE FROM procrastinate_jobs")


async def test_a_node_hears_of_the_end_of_its_agent_in_the_transaction_of_that_end(
    workflows: Workflows, api: Api
) -> None:
    run = await workflows.run(agent("ask"))
    agent_run = (await workflows.shown(run))["nodes"][0]["agentRunId"]
    assert not await of(ProcrastinateJob.objects.filter(task_name=queue.HEAR_AGENT).exists)

    answer = await api.post(f"/api/projects/tower/runs/{agent_run}/cancel")

    assert answer.status_code == 200
    assert await of(ProcrastinateJob.objects.filter(task_name=queue.HEAR_AGENT).exists)
    await of(working.hear_agent, (await state_of(run, "ask")).agent_run_id)
    assert (await workflows.shown(run))["error"] == "ask: The run of the agent was cancelled"
