"""A real replica that follows, falls behind and goes away.

Only in `make faults`; what `make test` asks of a replica is in tests/conversations/test_replica.py.
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from agentpipe.embedded import Postgres, _find_place, address
from tests.servers import KEY, Running, wait_for
from tests.services import THROWAWAY, url_of

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.processes,
    pytest.mark.skipif(
        os.environ.get("AGENTPIPE_FAULTS") != "long",
        reason="a replica is made by `make faults`",
    ),
]


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Postgres]:
    tmp_path.chmod(0o755)
    settings = {**THROWAWAY, "wal_level": "replica", "max_wal_senders": "4"}
    postgres = Postgres(tmp_path / "primary", extra_settings=settings)
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture
def replica(primary: Postgres, tmp_path: Path) -> Iterator[Postgres]:
    folder = tmp_path / "replica"
    folder.mkdir()
    place = _find_place(folder, [])
    place.cluster.mkdir(mode=0o700)
    place.give(place.cluster)
    where = address(primary.data_dir)
    subprocess.run(
        [
            *(place.programs / "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast"),
            *("-h", where["HOST"], "-p", where["PORT"], "-U", where["USER"], "-D", place.cluster),
        ],
        check=True,
        **place.child(),
    )
    settings = {"wal_level": "replica", "max_wal_senders": "4", **THROWAWAY}
    postgres = Postgres(folder, extra_settings=settings)
    postgres.start()
    yield postgres
    postgres.stop()


def test_a_replica_answers_falls_behind_and_goes_away(
    primary: Postgres, replica: Postgres, tmp_path: Path
) -> None:
    urls = {
        "DATABASE_URL": url_of(address(primary.data_dir)),
        "DATABASE_REPLICA_URL": url_of(address(replica.data_dir)),
    }
    server = Running(tmp_path / "server", AGENTPIPE_BRIDGE_API_KEY=KEY, **urls)
    try:
        server.await_ready()
        say(server, "basalt")
        wait_for(lambda: (hits(server, "basalt"), messages(server)) == (1, 1))

        # Behind: what is there is from before, and nothing is refused.
        with psycopg.connect(urls["DATABASE_REPLICA_URL"], autocommit=True) as connection:
            connection.execute("SELECT pg_wal_replay_pause()")
            say(server, "basalt")
            assert (hits(server, "basalt"), messages(server)) == (1, 1)
            connection.execute("SELECT pg_wal_replay_resume()")
        wait_for(lambda: (hits(server, "basalt"), messages(server)) == (2, 2))

        # Away: the primary answers, at once.
        replica.stop()
        say(server, "basalt")
        assert (hits(server, "basalt"), messages(server)) == (3, 3)
    finally:
        server.stop()


def say(server: Running, content: str) -> None:
    data = {"conversation_id": "tower", "agent_type": "claude", "content": content}
    body = json.dumps({"type": "message.created", "data": data}).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}/api/ingest", data=body, headers=headers)
    urllib.request.urlopen(request).close()


def hits(server: Running, words: str) -> int:
    found = ask(server, f"/api/conversations?{urlencode({'q': words})}")["items"]
    return sum(len(item["matches"]) for item in found)


def messages(server: Running) -> int:
    return int(ask(server, "/api/metrics/summary?range=all")["totals"]["messages"])


def ask(server: Running, path: str) -> Any:
    headers = {"Authorization": f"Bearer {KEY}"}
    with urllib.request.urlopen(
        urllib.request.Request(server.url + path, headers=headers)
    ) as answer:
        found: Any = json.load(answer)
    return found
