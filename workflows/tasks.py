"""What the worker does for workflows: uses tools, hears of agents, ends what takes too long."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection
from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason
from psycopg.errors import QueryCanceled

from agents.errors import BackendFailed, BackendUnavailable, ToolFailed
from agents.recorder import in_database, persistently
from streaming import tracing
from workflows import queue, working
from workflows.errors import NodeFailed
from workflows.models import NodeState
from workflows.tools import InTransaction
from workflows.working import Errand

# A worker that stops leaves its nodes to the next; a database that is gone comes back.
AGAIN = RetryStrategy(wait=1, retry_exceptions={OperationalError, InterfaceError, JobAborted})
TOO_LONG = "It has taken too long"
SOMETHING = "Something went wrong: the log of the server has it"

logger = structlog.get_logger(__name__)


@app.task(name=queue.CARRY_OUT, pass_context=True, retry=AGAIN)
async def carry_out(context: JobContext, state_id: int) -> None:
    """Do what a node does, from wherever a worker before this one left it."""
    with await in_database(_part_of_the_run, pk=state_id):
        errand = await in_database(working.take_up, state_id)
        if errand is None:
            return
        try:
            await _do(errand)
        except asyncio.CancelledError:
            if context.abort_reason() == AbortReason.SHUTDOWN:
                raise JobAborted from None
            # Cancelled: what it answers is no longer wanted.


async def _do(errand: Errand) -> None:
    error, may_retry = "", True
    try:
        if isinstance(errand.tool, InTransaction):
            await in_database(working.do_in_transaction, errand)
            return
        async with asyncio.timeout(errand.timeout_s):
            output = await errand.tool.does(errand.task, errand.arguments)
    except TimeoutError:
        error = TOO_LONG
    except (ToolFailed, BackendUnavailable) as failure:
        error = str(failure)
    except (NodeFailed, BackendFailed) as failure:
        error, may_retry = str(failure), False
    except (OperationalError, InterfaceError) as failure:
        if not isinstance(failure.__cause__, QueryCanceled):
            raise  # the database was away: nothing was committed, and it is done again
        error = TOO_LONG
    except Exception:
        logger.exception("workflow.node_failed", run=errand.run_id, node=errand.task.node_id)
        error = SOMETHING
    else:
        await persistently(working.finish, errand, output)
        return
    await persistently(working.fail, errand, error, may_retry=may_retry)


@app.task(name=queue.HEAR_AGENT, retry=AGAIN)
def hear_agent(run_id: int) -> None:
    try:
        with _part_of_the_run(agent_run=run_id):
            working.hear_agent(run_id)
    finally:
        connection.close()


@app.task(name=queue.TIME_OUT, retry=AGAIN)
def time_out(state_id: int, round: int, attempt: int) -> None:
    try:
        with _part_of_the_run(pk=state_id):
            working.time_out(state_id, round, attempt)
    finally:
        connection.close()


def _part_of_the_run(**of: Any) -> AbstractContextManager[None]:
    """A job for a node goes on with the trace in which the run of the workflow was started."""
    if not tracing.is_on():
        return nullcontext()
    nodes = NodeState.objects.filter(**of)
    found = nodes.values_list("run__trace", "run__public_id", "node_id").first()
    trace, run, node = found or ("", "", "")
    return tracing.span("node", after=[trace], begins=True, run=run, node=node)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="sweep_workflows", pass_context=False)
def sweep_workflows(timestamp: int) -> None:
    """Nodes that no job stands for get one again, and what an agent has ended is heard."""
    for state_id in queue.without_job().values_list("pk", flat=True):
        working.queue_again(state_id)
    for run_id in queue.unheard().values_list("pk", flat=True):
        working.hear_agent(run_id)
    connection.close()
