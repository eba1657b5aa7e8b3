"""What a worker writes of the runs it carries out, and what it finds when it takes one up.

A run's row is locked before anything of it is written, and carries the number of the worker that
has it and of the events it has told: whoever was given up for dead writes no more, and a write
that is repeated, because nobody heard whether it succeeded, is written once.

Conversations are locked before runs, runs before messages, these before the progress of a project,
that before its figures, and topics last.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from agents import checkpoint, events, progress, queue, readers, stats
from agents.backends.base import Turn, Usage
from agents.checkpoint import Standing
from agents.errors import RunLost
from agents.events import AgentEvent, StepEvent
from agents.models import AgentRun, AgentStep
from agents.pace import Place
from agents.progress import Report
from conversations import hosting
from conversations.models import Message
from streaming import replay
from streaming.events import id_without_event
from streaming.publish import publish, transactional

MOST_TURNS = 50
MOST_CHARACTERS = 200_000
# A run that takes its worker down with it does so for ever.
MOST_WORKERS = 100


# A run, and the number of the worker that has it. The same one may have taken it up again.
Claim = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """A run as it is handed to the worker that takes it up."""

    run: AgentRun
    history: list[Turn]
    steps: dict[str, AgentStep]
    standing: Standing
    # How far it is in its plan.
    place: Place = field(default_factory=Place)


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is new of a run since it was last written."""

    run: AgentRun
    told_before: int
    steps: list[StepEvent] = field(default_factory=list)
    wide: list[AgentEvent | Report] = field(default_factory=list)
    begun: list[AgentStep] = field(default_factory=list)
    ended: list[AgentStep] = field(default_factory=list)
    standing: Standing | None = None
    # Where more was used.
    usage: Usage | None = None

    @property
    def claim(self) -> Claim:
        return self.run.pk, self.run.epoch

    @property
    def told_after(self) -> int:
        return self.told_before + len(self.steps)


def topics_of(run: AgentRun) -> list[str]:
    """Where its life is told, but none of the pieces of its text."""
    wide = [run.project.topic]
    return [*wide, run.conversation.topic] if run.conversation else wide


@transactional
def take_up(run_id: int) -> Commission | None:
    """The run is this worker's from now on; None where it has ended."""
    try:
        run = lock_run(run_id)
    except RunLost:
        return None
    if run.is_finished:
        return None
    if run.epoch >= MOST_WORKERS:
        end_run(
            run,
            status=AgentRun.Status.FAILED,
            standing=standing_of(run),
            error=f"{MOST_WORKERS} workers have begun it, and none has ended it",
        )
        return None
    run.epoch += 1
    if run.started_at is None:
        _begin(run)
        standing = Standing(position=run.told)
    else:
        standing = standing_of(run)
    run.save(update_fields=["epoch", "status", "started_at", "told"])
    publish(events.run_event(run, "updated"), *topics_of(run))
    history = _history(run)
    steps = {step.call_id: step for step in run.steps.all()}
    # At the end: of a project's runs, one at a time has its progress.
    begun = _progress_of(run, tokens_used=usage_of(run).total_tokens, cost=run.cost)
    for event in begun.events:
        publish(event, *topics_of(run))
    return Commission(
        run=run,
        history=history,
        steps=steps,
        standing=standing,
        place=Place.at(begun.row.percentage, total=begun.row.total_steps),
    )


def _begin(run: AgentRun) -> None:
    run.status = AgentRun.Status.RUNNING
    run.started_at = timezone.now()
    publish(events.start(run), run.topic)
    run.told += 1
    if run.answer_id:
        Message.objects.filter(pk=run.answer_id).update(status="processing")


def _history(run: AgentRun) -> list[Turn]:
    """What was said before the question, as much of it as an agent can be expected to read."""
    if run.question is None or run.conversation is None:
        return []
    earlier = run.conversation.messages.filter(sequence_number__lt=run.question.sequence_number)
    turns: list[Turn] = []
    room = MOST_CHARACTERS
    newest_first = earlier.exclude(content="").order_by("-sequence_number", "-timestamp", "-id")
    for role, content in newest_first.values_list("role", "content")[:MOST_TURNS]:
        room -= len(content)
        if room < 0:
            break
        turns.append(Turn(role="assistant" if role == "assistant" else "user", content=content))
    return turns[::-1]


def standing_of(run: AgentRun) -> Standing:
    """The last checkpoint, and what has been told since: what people have seen is never lost."""
    saved = checkpoint.load(run)
    content = saved.content
    cursor = id_without_event(run.first_seq - 1 + saved.position)
    while True:
        stretch = replay.since(run.topic, cursor, limit=500)
        for frame in stretch.frames:
            if frame["type"] == "content":
                content += frame["md"]
            elif frame.get("reset"):
                content = ""
        if not stretch.has_more:
            break
        cursor = stretch.last_id
    return Standing(
        position=run.told,
        content=content,
        kept=saved.kept,
        state=saved.state,
        usage=_larger(saved.usage, usage_of(run)),
    )


def usage_of(run: AgentRun) -> Usage:
    return Usage(
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
        cache_read_tokens=run.cache_read_tokens,
        cache_write_tokens=run.cache_write_tokens,
        requests=run.requests,
        cost=run.cost,
        is_estimated=run.is_estimated,
    )


def _larger(one: Usage, other: Usage) -> Usage:
    return one if one.requests >= other.requests else other


@transactional
def record_steps(entries: Sequence[Entry]) -> set[Claim]:
    """Write what is new of many runs, and tell it; says which claims to them are no longer good."""
    written, lost = _claim(entries)
    standings = iter(progress.take(_reports_of(written)))
    for entry in written:
        for event in entry.steps:
            publish(event, entry.run.topic)
        readers.read_along(entry.run, entry.steps)
        _publish_wide(entry, standings)
    _keep_calls(written)
    saved = [(entry.run.pk, entry.standing) for entry in written if entry.standing]
    if saved:
        checkpoint.save(saved)
    used = [(entry.run.pk, entry.usage) for entry in written if entry.usage]
    if used:
        _save_usage(used)
    return lost


def _reports_of(entries: Sequence[Entry]) -> list[Report]:
    return [wide for entry in entries for wide in entry.wide if isinstance(wide, Report)]


def _publish_wide(entry: Entry, standings: Iterator[progress.Standing]) -> None:
    """Each report as what came of it."""
    for wide in entry.wide:
        for event in next(standings).events if isinstance(wide, Report) else [wide]:
            publish(event, *topics_of(entry.run))


def _claim(entries: Sequence[Entry]) -> tuple[list[Entry], set[Claim]]:
    """Which of these are still to be written, and by which claims nothing may be any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "ids": _numbers(entry.run.pk for entry in entries),
                "epochs": _numbers(entry.run.epoch for entry in entries),
                "before": _numbers(entry.told_before for entry in entries),
                "after": _numbers(entry.told_after for entry in entries),
                "running": AgentRun.Status.RUNNING,
            },
        )
        found = cursor.fetchall()
    written = [entries[place - 1] for place, _, is_new in found if is_new]
    lost = {entries[place - 1].claim for place, is_held, _ in found if not is_held}
    return written, lost


def _numbers(values: Iterable[int]) -> str:
    return ",".join(map(str, values))


# Runs are locked in the order of their keys. What was told before is not what stands there where
# nobody heard of the commit, and so it is written again: it is there already.
_CLAIM = """
    WITH held AS (
        SELECT id, epoch, told FROM agents_agentrun
        WHERE id = ANY(string_to_array(%(ids)s, ',')::bigint[]) AND status = %(running)s
        ORDER BY id FOR NO KEY UPDATE
    ), claimed AS (
        SELECT place, id, after, held.id IS NOT NULL AS is_held,
               coalesce(held.told = before, false) AS is_new
        FROM unnest(
            string_to_array(%(ids)s, ',')::bigint[], string_to_array(%(epochs)s, ',')::bigint[],
            string_to_array(%(before)s, ',')::bigint[], string_to_array(%(after)s, ',')::bigint[]
        ) WITH ORDINALITY AS claim (id, epoch, before, after, place)
        LEFT JOIN held USING (id, epoch)
    ), moved AS (
        UPDATE agents_agentrun run SET told = after FROM claimed
        WHERE run.id = claimed.id AND is_new AND run.told <> after
    )
    SELECT place, is_held, is_new FROM claimed ORDER BY place
"""


def _keep_calls(entries: Sequence[Entry]) -> None:
    AgentStep.objects.bulk_create(
        [step for entry in entries for step in entry.begun],
        update_conflicts=True,
        unique_fields=["run", "call_id"],
        update_fields=["times_begun"],
    )
    for entry in entries:
        for step in entry.ended:
            _end_step(step)


def _end_step(step: AgentStep) -> None:
    AgentStep.objects.filter(run=step.run_id, call_id=step.call_id).update(
        status=step.status,
        result=step.result,
        result_summary=step.result_summary,
        duration_ms=step.duration_ms,
        finished_at=step.finished_at,
    )


def _save_usage(used: Sequence[tuple[int, Usage]]) -> None:
    columns: list[list[Any]] = [
        [run_id for run_id, _ in used],
        [usage.input_tokens for _, usage in used],
        [usage.output_tokens for _, usage in used],
        [usage.cache_read_tokens for _, usage in used],
        [usage.cache_write_tokens for _, usage in used],
        [usage.requests for _, usage in used],
        [usage.cost for _, usage in used],
        [usage.is_estimated for _, usage in used],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_agentrun run SET input_tokens = new.input_tokens,"
            " output_tokens = new.output_tokens, cache_read_tokens = new.cache_read_tokens,"
            " cache_write_tokens = new.cache_write_tokens, requests = new.requests,"
            " cost = new.cost, is_estimated = new.is_estimated FROM unnest(%s::bigint[],"
            " %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
            " %s::numeric[], %s::bool[]) AS new (id, input_tokens, output_tokens,"
            " cache_read_tokens, cache_write_tokens, requests, cost, is_estimated)"
            " WHERE run.id = new.id",
            columns,
        )


@transactional
def finish_run(entry: Entry, *, standing: Standing, error: str = "") -> None:
    """The last of a run, with its answer. Raises RunLost where it is over, or somebody else's."""
    run = lock_run(entry.run.pk)
    if run.epoch != entry.run.epoch:
        raise RunLost
    if run.is_finished and run.told == entry.told_after + (2 if error else 1):
        return
    if run.status != AgentRun.Status.RUNNING or run.told != entry.told_before:
        raise RunLost
    for event in entry.steps:
        publish(event, run.topic)
    readers.read_along(run, entry.steps)
    _publish_wide(entry, iter(progress.take(_reports_of([entry]))))
    run.told = entry.told_after
    _keep_calls([entry])
    status = AgentRun.Status.FAILED if error else AgentRun.Status.COMPLETED
    end_run(run, status=status, standing=standing, error=error)


@transactional
def fail_run(run_id: int, epoch: int, *, error: str) -> None:
    """End this worker's run with what is written of it, and nothing else that it had to say."""
    try:
        run = lock_run(run_id)
    except RunLost:
        return
    if run.epoch == epoch and run.status == AgentRun.Status.RUNNING:
        end_run(run, status=AgentRun.Status.FAILED, standing=standing_of(run), error=error)


def end_run(run: AgentRun, *, status: AgentRun.Status, standing: Standing, error: str = "") -> None:
    """Inside a transaction that holds the run and its conversation."""
    run.status = status
    run.output = standing.content
    run.error = error
    run.finished_at = timezone.now()
    run.tool_calls = run.steps.count()
    _set_usage(run, standing.usage)
    if error:
        publish(events.error(error), run.topic)
        run.told += 1
    publish(events.end(run), run.topic)
    run.told += 1
    run.save()
    # Taken before figures are counted, as by who deletes a chat; told behind the answer.
    ended = _progress_of(run, tokens_used=standing.usage.total_tokens, cost=standing.usage.cost)
    if run.conversation and run.answer:
        _complete_answer(run, run.answer)
    what = {"completed": "completed", "failed": "failed"}.get(run.status, "updated")
    for event in ended.events:
        publish(event, *topics_of(run))
    publish(events.run_event(run, what), *topics_of(run))
    queue.call_next(run)
    transaction.on_commit(lambda: _note_end(run), robust=True)


def _note_end(run: AgentRun) -> None:
    stats.TOOK.labels(run.agent_id, run.status).observe(run.age_s)


def _progress_of(run: AgentRun, *, tokens_used: int, cost: Decimal) -> progress.Standing:
    report = Report(
        project_id=run.project_id,
        agent_id=run.agent_id,
        run=run,
        status=run.status,
        tokens_used=tokens_used,
        cost=cost,
    )
    return progress.take([report])[0]


def _complete_answer(run: AgentRun, answer: Message) -> None:
    assert run.conversation is not None
    status = {"failed": "error"}.get(run.status, run.status)
    # What earlier attempts have used is counted already.
    hosting.complete_answer(
        run.conversation,
        answer,
        content=run.output,
        status=status,
        spent=hosting.Spent(
            input_tokens=run.input_tokens,
            output_tokens=run.output_tokens,
            cost=run.cost,
            duration_ms=events.duration_ms(run),
        ),
    )
    shape = hosting.shape_of(answer, run.conversation)
    publish(events.message_appended(run, answer, shape), *topics_of(run))


@transactional
def queue_again(run_id: int) -> None:
    """Have a run worked on that has no job, unless it waits for another or has ended meanwhile."""
    try:
        run = lock_run(run_id)
    except RunLost:
        return
    if not run.is_finished and queue.without_job().filter(pk=run_id).exists():
        queue.put_in_line(run)


@transactional
def settle(run_id: int, epoch: int, usage: Usage) -> None:
    """Count what was used by a run that was cancelled, once its worker has stopped."""
    run = lock_run(run_id)
    if run.epoch != epoch or run.status != AgentRun.Status.CANCELLED:
        return
    before = usage_of(run)
    if usage == before:
        return
    _set_usage(run, usage)
    run.save()
    if run.conversation and run.answer:
        more = hosting.Spent(
            input_tokens=run.input_tokens - before.input_tokens,
            output_tokens=run.output_tokens - before.output_tokens,
            cost=run.cost - before.cost,
        )
        hosting.spend(run.conversation, run.answer, more)
    publish(events.run_event(run, "updated"), *topics_of(run))


def lock_run(run_id: int) -> AgentRun:
    """Its conversation first, if it has one. Raises RunLost where it was deleted."""
    conversation_id = (
        AgentRun.objects.filter(pk=run_id).values_list("conversation", flat=True).first()
    )
    conversation = hosting.lock(conversation_id) if conversation_id else None
    run = _locked(run_id)
    if run is None:
        raise RunLost
    run.conversation = conversation
    return run


def _locked(run_id: int) -> AgentRun | None:
    return (
        AgentRun.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project", "question", "answer")
        .filter(pk=run_id)
        .first()
    )


def _set_usage(run: AgentRun, usage: Usage) -> None:
    run.input_tokens = usage.input_tokens
    run.output_tokens = usage.output_tokens
    run.cache_read_tokens = usage.cache_read_tokens
    run.cache_write_tokens = usage.cache_write_tokens
    run.requests = usage.requests
    run.cost = usage.cost
    run.is_estimated = usage.is_estimated
