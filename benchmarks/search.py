"""Measure the search of a large record, beside plain PostgreSQL: `python -m benchmarks.search`.

Each kind of query is asked twice: cold, right after PostgreSQL has started and with none of its
files in memory; and warm, when all that it has on disk has been read once. The CPU is that of the
warm queries, of this process and of PostgreSQL's process that answers it.
"""

import argparse
import gc
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from agentpipe.embedded import Postgres
from benchmarks import caches
from benchmarks.processes import end_in_order, percentile

SEED = 7
VOCABULARY = 50_000
WORDS_AT_LEAST, WORDS_IN_THE_MIDDLE = 5, 45
MESSAGES_EACH = 100
AGENTS = 20
TARGET_MS = 150
SHAPES = {
    "many": "conversations of 100",
    "one": "one conversation",
    "few": "a small project beside them",
}
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A kind of query, and queries of the kind."""

    kind: str
    queries: list[str]
    filters: dict[str, str]


Ask = Callable[[str, dict[str, str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What each query of a kind took, in milliseconds."""

    wall: list[float]
    cpu: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="in each of two projects")
    parser.add_argument("--queries", type=int, default=30, help="of each kind")
    parser.add_argument("--folder", type=Path, help="where the data stays, to be asked once more")
    options = parser.parse_args()
    with _database(options.folder) as postgres:
        import django

        django.setup()
        text = Text(random.Random(SEED))
        if not _is_filled():
            _fill(text, options.messages)
        # As the server does once it has started.
        gc.collect()
        gc.freeze()
        for slug in SHAPES:
            _ask(slug, text, options.queries, postgres)


@contextmanager
def _database(kept: Path | None) -> Iterator[Postgres]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentpipe.settings")
    folder = kept.absolute() if kept else Path(tempfile.mkdtemp(prefix="agentpipe-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    os.environ.pop("DATABASE_URL", None)
    os.environ["AGENTPIPE_DATA_DIR"] = str(folder)
    end_in_order()
    postgres = Postgres(folder)
    postgres.start()
    try:
        yield postgres
    finally:
        _stop(postgres)
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _stop(postgres: Postgres) -> None:
    from django.db import connections

    for connection in connections.all():
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # not in the stubs
    postgres.stop()


def _restart_cold(postgres: Postgres) -> None:
    _stop(postgres)
    caches.forget(postgres.data_dir)
    postgres.start()


class Text:
    """Words of syllables, the nth of them n times as rare as the first, as in languages."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
        words: dict[str, None] = {}
        while len(words) < VOCABULARY:
            # Frequent words are short.
            length = 1 + (len(words) > 40) + (len(words) > 1500) + chance.randrange(2)
            words["".join(chance.choices(syllables, k=length))] = None
        self.words = list(words)
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))

    def message(self) -> str:
        length = WORDS_AT_LEAST + int(self.chance.expovariate(1 / WORDS_IN_THE_MIDDLE))
        return " ".join(self.chance.choices(self.words, cum_weights=self.weights, k=length))


def _is_filled() -> bool:
    from django.core.management import call_command

    from conversations.models import Project

    call_command("migrate", verbosity=0)
    return Project.objects.filter(slug__in=SHAPES).count() == len(SHAPES)


def _fill(text: Text, messages: int) -> None:
    from conversations import search

    began = time.monotonic()
    _load("few", text, [MESSAGES_EACH] * 10)
    _load("many", text, [MESSAGES_EACH] * (messages // MESSAGES_EACH))
    _load("one", text, [messages])
    [[loaded]] = _run("SELECT count(*) FROM conversations_message")
    print(f"{loaded:,} messages loaded in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    count = search.index_all()
    took = time.monotonic() - began
    print(f"{count:,} indexed in {took:.0f} s: {count / took:,.0f} a second", flush=True)
    began = time.monotonic()
    _run(PEER)
    print(f"the peer's index made in {time.monotonic() - began:.0f} s")
    _run("VACUUM ANALYZE")
    for table in ("conversations_searchdocument", "peer"):
        [[size]] = _run(f"SELECT pg_size_pretty(pg_total_relation_size('{table}'))")
        print(f"{table}: {size}", flush=True)


PEER = """
CREATE TABLE peer AS SELECT id, project_id, conversation_id, to_tsvector('simple', content) AS words
FROM conversations_message;
CREATE INDEX ON peer USING gin (words);
"""
PEER_QUERY = """
SELECT conversation_id, max(ts_rank(words, query)) AS rank
FROM peer, websearch_to_tsquery('simple', %s) query
WHERE project_id = %s AND words @@ query {narrowed}
GROUP BY conversation_id ORDER BY rank DESC LIMIT 20
"""
PEER_NARROWED = (
    "AND conversation_id IN (SELECT id FROM conversations_conversation WHERE {column} = %s)"
)


def _load(slug: str, text: Text, lengths: Sequence[int]) -> None:
    from django.db import connection

    from conversations.models import Conversation, Participant, Project, Unindexed

    project = Project.objects.create(slug=slug)
    conversations = Conversation.objects.bulk_create(
        Conversation(
            project=project,
            public_id=f"{slug}-{number}",
            name=text.message()[:60],
            initial_prompt=text.message(),
            status="ERROR" if number % 20 == 19 else "COMPLETED",
            source="web" if number % 3 else "cli",
            started_at=START + timedelta(minutes=number),
        )
        for number in range(len(lengths))
    )
    Participant.objects.bulk_create(
        Participant(conversation=row, position=0, agent_id=f"a-{number % AGENTS}")
        for number, row in enumerate(conversations)
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY conversations_message (project_id, conversation_id, public_id, content,"
            " timestamp, sequence_number, agent_id, agent_name, agent_type, agent_version, role,"
            " model, status, metadata, created_at) FROM STDIN"
        ) as copy,
    ):
        for row, length in zip(conversations, lengths, strict=True):
            at = row.started_at
            for number in range(length):
                about = (f"{row.public_id}-{number}", text.message(), at, number)
                rest = ("a-1", "Ada", "claude", "", "agent", "", "completed", "{}", at)
                copy.write_row((project.pk, row.pk, *about, *rest))
    Unindexed.objects.bulk_create(
        Unindexed(project=project, conversation=row) for row in conversations
    )
    _run(
        "INSERT INTO conversations_unindexed (project_id, conversation_id, message_id)"
        " SELECT project_id, conversation_id, id FROM conversations_message WHERE project_id = %s",
        [project.pk],
    )


def _ask(slug: str, text: Text, count: int, postgres: Postgres) -> None:
    kinds = list(_kinds(text, random.Random(SEED), count, slug))
    cold: dict[str, list[float]] = {}
    for asked in kinds:
        _restart_cold(postgres)
        cold[asked.kind] = _timed(_ours(slug), asked).wall
    caches.read(postgres.data_dir)

    print(
        f"\n| {SHAPES[slug]}: ms | cold p50 | cold p95 | p50 | p95 | most | CPU p50 | CPU p95",
        end="",
    )
    print(f" | peer p50 | peer p95 | p95 < {TARGET_MS} |")
    print("| --- |" + " ---: |" * 9 + " --- |")
    for asked in kinds:
        ours = _timed(_ours(slug), asked)
        figures = [*_middle(cold[asked.kind]), *_middle(ours.wall), max(ours.wall)]
        figures += _middle(ours.cpu)
        has_peer = not any("*" in query for query in asked.queries) and "agent" not in asked.filters
        if has_peer:
            figures += _middle(_timed(_peer(slug), asked).wall)
        cells = [f"{figure:.0f}" for figure in figures] + [""] * (9 - len(figures))
        is_met = "yes" if percentile(ours.wall, 0.95) < TARGET_MS else "NO"
        print("| " + " | ".join([asked.kind, *cells, is_met]) + " |", flush=True)


def _middle(figures: list[float]) -> list[float]:
    return [statistics.median(figures), percentile(figures, 0.95)]


def _ours(slug: str) -> Ask:
    from django.test import Client

    from conversations.models import Project
    from conversations.services import make_key

    key = make_key(Project.objects.get(slug=slug), "benchmark", rates={})[1]
    client = Client(headers={"authorization": f"Bearer {key}", "host": "localhost"})

    def ask(query: str, filters: dict[str, str]) -> None:
        answer = client.get("/api/conversations", {"q": query, **filters})
        assert answer.status_code == 200, answer.content

    return ask


def _peer(slug: str) -> Ask:
    from conversations.models import Project

    project = Project.objects.get(slug=slug)

    def ask(query: str, filters: dict[str, str]) -> None:
        narrowed, values = "", list(filters.values())
        for column in filters:
            narrowed += PEER_NARROWED.format(column=column)
        _run(PEER_QUERY.format(narrowed=narrowed), [query, project.pk, *values])

    return ask


def _kinds(text: Text, chance: random.Random, count: int, slug: str) -> Iterator[Asked]:
    def some(first: int, last: int) -> list[str]:
        return [text.words[chance.randrange(first, last)] for _ in range(count)]

    rare, medium, common = some(20_000, VOCABULARY), some(500, 3000), some(0, 20)
    more = some(0, 20)
    plain = {
        "a rare word": rare,
        "a medium word": medium,
        "a common word": common,
        "a common and a medium word": [f"{a} {b}" for a, b in zip(common, medium, strict=True)],
        "a phrase of common words": [f'"{a} {b}"' for a, b in zip(common, more, strict=True)],
        "a phrase of rarer words": [f'"{a} {b}"' for a, b in zip(common, medium, strict=True)],
        "a beginning": [f"{word[:4]}*" for word in medium],
        "a word as it is typed": [f"{word[: 1 + at % 4]}*" for at, word in enumerate(medium)],
        "a common word, not another": [f"{a} -{b}" for a, b in zip(common, medium, strict=True)],
        "a word that is not there": [f"{word}xyz" for word in medium],
    }
    for kind, queries in plain.items():
        yield Asked(kind=kind, queries=queries, filters={})
    if slug == "many":
        for filters in ({"status": "ERROR"}, {"source": "cli"}, {"agent": "a-7"}):
            for kind in ("a rare word", "a medium word", "a common word"):
                [[name, value]] = filters.items()
                yield Asked(kind=f"{kind}, {name}={value}", queries=plain[kind], filters=filters)


def _timed(ask: Ask, asked: Asked) -> Took:
    ask("nothing", {})
    [[backend]] = _run("SELECT pg_backend_pid()")
    took = Took(wall=[], cpu=[])
    for query in asked.queries:
        began, busy = time.perf_counter(), _cpu_s(backend)
        ask(query, asked.filters)
        took.wall.append(1000 * (time.perf_counter() - began))
        took.cpu.append(1000 * (_cpu_s(backend) - busy))
    return took


def _cpu_s(backend: int) -> float:
    nanoseconds = Path(f"/proc/{backend}/schedstat").read_text().split()[0]
    return time.process_time() + int(nanoseconds) / 1e9


def _run(statement: str, parameters: Sequence[Any] | None = None) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


if __name__ == "__main__":
    main()
