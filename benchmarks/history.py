"""Measure the summary of a large record, beside plain SQL: `python -m benchmarks.history`."""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.search import _database

TARGET_MS = 100
DAYS = 365
FILL = """
INSERT INTO conversations_project (slug, name, created_at) VALUES ('large', '', now());
INSERT INTO conversations_conversation (project_id, public_id, kind, name, mode, status, source,
    initial_prompt, agents, metadata, notes, error_message, total_messages, total_tokens,
    total_cost, total_duration_ms, last_sequence_number, awaits_start, has_completed, started_at,
    created_at, updated_at)
SELECT p.id, 'c-' || n, 'recorded', 'Conversation ' || n, 'round-robin',
    (ARRAY['COMPLETED', 'INTERRUPTED', 'ERROR', 'ACTIVE'])[1 + n %% 4], 'cli', repeat('Tower ', 40),
    '{a-1}',
    jsonb_build_object('source', 'cli', 'topic', repeat('x', 100)), '', '', 10, 0, 0, 0, 0,
    false, true, t, t, t
FROM conversations_project p, generate_series(1, %(conversations)s) n,
    LATERAL (SELECT now() - random() * %(days)s * interval '1 day' + 0 * n * interval '1 s' AS t)
WHERE slug = 'large';
INSERT INTO conversations_message (project_id, conversation_id, public_id, agent_id, agent_name,
    agent_type, agent_version, role, content, timestamp, sequence_number, model, duration_ms,
    input_tokens, output_tokens, total_tokens, cost, status, metadata, created_at)
SELECT c.project_id, c.id, 'm-' || c.id || '-' || n, 'a-1', 'Ada',
    (ARRAY['claude', 'gemini', 'codex', 'qwen'])[1 + n %% 4], '', 'agent', repeat('One stone ', 40),
    c.started_at + n * interval '1 minute', n,
    (ARRAY['opus', 'sonnet', 'haiku'])[1 + n %% 3], 1200, 100, 50, 150, 0.0125, 'completed', '{}',
    c.started_at
FROM conversations_conversation c, generate_series(1, %(each)s) n;
"""
COUNT_ALL = """
INSERT INTO conversations_total (project_id, unit, slot, source, agent_type, model,
    messages, input_tokens, output_tokens, total_tokens, cost, duration_ms)
SELECT project_id, unit, date_trunc(unit, timestamp, 'UTC'), 'cli', agent_type, model,
    count(*), sum(input_tokens), sum(output_tokens), sum(total_tokens), sum(cost), sum(duration_ms)
FROM conversations_message, unnest(ARRAY['hour', 'day']) unit
GROUP BY 1, 2, 3, 4, 5, 6
"""
PLAIN = """
SELECT date_trunc('day', timestamp, 'UTC'), agent_type, model, count(*), sum(total_tokens),
    sum(cost), sum(duration_ms)
FROM conversations_message WHERE project_id = %s GROUP BY 1, 2, 3
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where the data stays, to be asked once more")
    options = parser.parse_args()
    with _database(options.folder):
        import django

        django.setup()
        _measure(options.messages, options.conversations, options.times)


def _measure(messages: int, conversations: int, times: int) -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from conversations import metrics
    from conversations.models import Project, Total

    call_command("migrate", verbosity=0)
    values = {"days": DAYS, "conversations": conversations, "each": messages // conversations}
    if not Project.objects.filter(slug="large").exists():
        with connection.cursor() as cursor:
            cursor.execute(FILL, values)
            began = time.perf_counter()
            cursor.execute(COUNT_ALL)
            print(f"totals of what is there: {time.perf_counter() - began:.1f} s")
    with connection.cursor() as cursor:
        # What a migration rewrote in a kept folder is also seen to, as autovacuum would.
        cursor.execute("VACUUM ANALYZE")
    project = Project.objects.get(slug="large")
    print(f"{messages:,} messages, {conversations:,} conversations,", end=" ")
    print(f"{Total.objects.count():,} totals, {os.cpu_count()} cores")
    for reach in metrics.RANGES:
        task = partial(metrics.summary, project, reach=reach, now=timezone.now())
        _show(reach, _timed(task, times))

    def plain() -> None:
        with connection.cursor() as cursor:
            cursor.execute(PLAIN, [project.pk])
            cursor.fetchall()

    _show("plain GROUP BY over all messages", _timed(plain, max(3, times // 5)))


def _timed(task: Callable[[], object], times: int) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        task()
        took.append(1000 * (time.perf_counter() - began))
    return took


def _show(name: str, took: list[float]) -> None:
    print(f"{name:34} median {statistics.median(took):7.1f} ms, most {max(took):7.1f} ms")


if __name__ == "__main__":
    main()
