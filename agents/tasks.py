"""What the worker does for runs: asks the agent, tries again, goes on where another left off."""

import asyncio
import random
import time
from dataclasses import replace

import structlog
from django.db import InterfaceError, OperationalError, connection
from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason
from structlog.contextvars import bound_contextvars

from agents import checkpoint, history, queue, recorder, roster, stats, working
from agents.backends.base import Agent, Assignment, Backend
from agents.errors import AgentNotFound, BackendFailed, BackendUnavailable, RunLost
from agents.models import AgentRun
from agents.recorder import in_database, persistently
from agents.scribe import RunScribe
from agents.tools import Workplace, toolbox
from agents.tools.files import RunFiles
from agents.working import Commission
from streaming import tracing

MOST_ATTEMPTS = 5
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
TOLD_EVERY_S = 15

REFUSED = "The database did not take what the agent had to say: the log of the server has it"

# A worker that stops leaves its runs to the next; a database that is gone comes back.
AGAIN = RetryStrategy(wait=1, retry_exceptions={OperationalError, InterfaceError, JobAborted})

logger = structlog.get_logger(__name__)


@app.task(name=queue.TASK, pass_context=True, retry=AGAIN)
async def answer(context: JobContext, run_id: int) -> None:
    """Carry out a run to its end, from wherever it stands."""
    commission = await in_database(working.take_up, run_id)
    if commission is None:
        return
    run = commission.run
    _note_beginning(run)
    with (
        stats.AT_WORK.track_inprogress(),
        bound_contextvars(run=run.public_id, project=run.project.slug),
        tracing.span("run", after=[run.trace], begins=True, run=run.public_id, agent=run.agent_id),
    ):
        await _work_on(commission, context)


def _note_beginning(run: AgentRun) -> None:
    if run.epoch == 1:
        stats.WAITED.labels(run.agent_id).observe(run.age_s)
    else:
        stats.TAKEN_OVER.inc()


async def _work_on(commission: Commission, context: JobContext) -> None:
    scribe = RunScribe(commission, recorder.of_this_process())
    working_on_it = asyncio.create_task(_carry_out(commission, scribe))
    scribe.on_lost = lambda: working_on_it.cancel()
    try:
        await asyncio.shield(working_on_it)
    except asyncio.CancelledError:
        await _stop(working_on_it)
        if context.abort_reason() == AbortReason.SHUTDOWN and not scribe.is_refused:
            await _hand_over(scribe)
            raise JobAborted from None
    except RunLost:
        pass
    else:
        return
    if scribe.is_refused:
        await persistently(working.fail_run, commission.run.pk, commission.run.epoch, error=REFUSED)
    # Where it was cancelled, the worker alone knows what the model has cost by now.
    await persistently(working.settle, commission.run.pk, commission.run.epoch, scribe.usage)


async def _carry_out(commission: Commission, scribe: RunScribe) -> None:
    error = ""
    talking = asyncio.create_task(_say_how_long(scribe))
    try:
        await _ask(commission, scribe)
    except (BackendFailed, AgentNotFound) as failure:
        error = str(failure)
    except (RunLost, asyncio.CancelledError):
        raise
    except Exception:
        logger.exception("run.failed", run=commission.run.public_id)
        error = "Something went wrong: the log of the server has it"
    finally:
        talking.cancel()
    entry = await scribe.last_words()
    standing = scribe.standing(position=entry.told_after)
    try:
        await persistently(working.finish_run, entry, standing=standing, error=error)
    except RunLost:
        raise
    except asyncio.CancelledError:
        scribe.take_back(entry)
        raise
    except Exception:
        logger.exception("run.refused", run=commission.run.public_id)
        scribe.is_refused = True
        raise RunLost from None
    scribe.note_heard()


async def _ask(commission: Commission, scribe: RunScribe) -> None:
    agent = roster.agent_named(commission.run.agent_id)
    assignment = _assignment(agent, commission, scribe)
    backend = await asyncio.to_thread(roster.backend_of, agent.backend)
    attempt = 1
    while True:
        began_at = scribe.progress
        scribe.begin_attempt()
        try:
            await backend.answer(replace(assignment, state=scribe.state), scribe)
            return
        except BackendUnavailable as error:
            if scribe.progress != began_at:
                attempt = 1
            if attempt == MOST_ATTEMPTS:
                raise BackendFailed(f"{error} (tried {attempt} times)") from error
            stats.VENDOR_RETRIES.labels(commission.run.agent_id).inc()
            wait_s = _wait_s(attempt, error.retry_after_s)
            attempt += 1
            await scribe.status(
                f"{error}. Trying again in {wait_s:.0f} s ({attempt} of {MOST_ATTEMPTS})"
            )
            await asyncio.sleep(wait_s)


def _wait_s(attempt: int, retry_after_s: float | None) -> float:
    backing_off_s: float = FIRST_WAIT_S * 2 ** (attempt - 1) * random.uniform(1, 1.25)  # noqa: S311
    return max(backing_off_s, min(retry_after_s or 0, LONGEST_WAIT_S))


def _assignment(agent: Agent, commission: Commission, scribe: RunScribe) -> Assignment:
    run = commission.run
    workplace = Workplace(
        project=run.project,
        files=RunFiles(run.pk),
        scribe=scribe,
        agents={other.id: other for other in roster.agents() if other.id != agent.id},
        load=_backend,
    )
    return Assignment(
        agent=agent,
        prompt=run.prompt,
        history=commission.history,
        tools=toolbox(agent.tools, workplace),
        metadata=run.metadata,
    )


def _backend(agent: Agent) -> Backend:
    return roster.backend_of(agent.backend)


async def _say_how_long(scribe: RunScribe) -> None:
    """Whoever watches is told now and then that it still goes on."""
    told_s = TOLD_EVERY_S
    while True:
        await asyncio.sleep(1)
        quiet_s = time.monotonic() - scribe.quiet_since
        if quiet_s < TOLD_EVERY_S:
            told_s = TOLD_EVERY_S
        elif quiet_s >= told_s:
            await scribe.remind(f"{scribe.activity} ({told_s} s elapsed)")
            told_s += TOLD_EVERY_S


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def _hand_over(scribe: RunScribe) -> None:
    """The worker stops: what was told is written, and the next one goes on from there."""
    try:
        async with asyncio.timeout(2):
            await scribe.written()
    except (RunLost, TimeoutError):
        logger.info("run.left", run=scribe.run.public_id)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="sweep_runs", pass_context=False)
def sweep_runs(timestamp: int) -> None:
    """Runs that no job stands for get one again, and checkpoints that nobody needs go."""
    for run_id in queue.without_job().values_list("pk", flat=True):
        working.queue_again(run_id)
    checkpoint.forget_old()
    connection.close()


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="thin_progress", pass_context=False)
def thin_progress(timestamp: int) -> None:
    """Of what is long ago, charts need fewer points."""
    history.thin()
    connection.close()
