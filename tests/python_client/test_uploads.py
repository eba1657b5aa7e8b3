"""`agentpipe upload`: what is sent, what is shown, and what is remembered."""

import gzip
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from agentpipe_client.command import main
from agentpipe_client.command.upload import found
from agentpipe_client.files import JSON, NDJSON, FileBody
from tests.clients import Json, said, started
from tests.python_client.conftest import Run
from tests.python_client.scripted import HangsUp, Says, scripted
from tests.servers import Server

pytestmark = pytest.mark.processes

Call = Callable[..., tuple[int, list[str]]]
JOBS = "/api/projects/default/ingest/jobs"


@pytest.fixture
def upload(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Call:
    """Run the command in this process; answers with its exit code and what it printed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def upload(*arguments: str | Path, url: str, key: str = "key") -> tuple[int, list[str]]:
        words = ["upload", "--url", url, "--key", key, *map(str, arguments)]
        return main(words), capsys.readouterr().out.splitlines()

    return upload


def job(status: str = "completed", **counts: object) -> Json:
    return {"job": {"id": "j-1", "status": status, "total": 3, "percentage": 100, **counts}}


def taken(status: str = "queued") -> Says:
    return Says(202, job(status))


def log_of(path: Path, *contents: str) -> Path:
    conversation = str(uuid4())
    events = [
        {"type": "conversation.started", "data": started(conversation)},
        *[{"type": "message.created", "data": said(conversation, text)} for text in contents],
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_a_file_is_sent_whole_again_where_the_connection_breaks(
    upload: Call, tmp_path: Path
) -> None:
    log = log_of(tmp_path / "events_a.jsonl", *["x" * 1000] * 1000)
    script = (HangsUp(), Says(503, headers={"Retry-After": "0"}), taken(), Says(200, job(new=2)))
    with scripted(*script) as server:
        assert upload(log, url=server.url)[0] == 0

    sent = [asked for asked in server.asked if asked.method == "POST"]
    assert [asked.path for asked in sent] == [JOBS] * 3
    assert {asked.body for asked in sent} == {log.read_bytes()}
    assert len({asked.headers["Idempotency-Key"] for asked in sent}) == 1
    assert {asked.headers["Content-Type"] for asked in sent} == {NDJSON}


def test_the_result_is_told_line_by_line_and_a_failure_is_a_failure(
    upload: Call, tmp_path: Path
) -> None:
    log = log_of(tmp_path / "events_a.jsonl", "one")
    faults = [{"line": 2, "error": "Not\x1b JSON"}, {"line": 3, "error": "Torn"}]
    done = Says(200, job(new=1, known=4, repaired=2, failed=2, errors=faults))
    with scripted(taken(), Says(200, job("running", percentage=50)), done) as server:
        code, out = upload(log, url=server.url)

    assert code == 1
    assert out == [
        f"{log}: 1 new, 4 known, 2 repaired, 2 failed",
        "  line 2: Not\N{REPLACEMENT CHARACTER} JSON",
        "  line 3: Torn",
    ]


def test_what_was_sent_is_not_sent_again_until_it_changes(upload: Call, tmp_path: Path) -> None:
    log = log_of(tmp_path / "events_a.jsonl", "one")
    with scripted(taken("completed")) as server:
        for _ in range(2):
            assert upload(log, url=server.url)[0] == 0
        assert len(server.asked) == 1

        assert upload("--again", log, url=server.url)[0] == 0
        assert len(server.asked) == 2
        assert upload("--project", "tower", log, url=server.url)[0] == 0
        assert len(server.asked) == 3
        log_of(log, "one", "two")
        assert upload(log, url=server.url)[0] == 0
        assert len(server.asked) == 4


def test_an_import_under_way_is_taken_up_after_ctrl_c(run: Run, tmp_path: Path) -> None:
    log = log_of(tmp_path / "events_a.jsonl", "one")
    with scripted(taken(), Says(200, job("running"))) as server:
        interrupted = run("upload", log, url=server.url)
        server.await_asked(3)
        interrupted.process.send_signal(signal.SIGINT)
        assert interrupted.end() == 130
        server.script = [Says(200, job(new=1))]
        assert run("upload", log, url=server.url).end() == 0

    assert [asked.method for asked in server.asked].count("POST") == 1


def test_folders_are_searched_and_types_are_known_by_name_or_content(tmp_path: Path) -> None:
    inner = tmp_path / "states"
    inner.mkdir()
    log_of(tmp_path / "events_a.jsonl", "one")
    log_of(tmp_path / "out.json", "one")
    (inner / "state.json").write_text('{\n  "session": {}\n}\n')
    (inner / "line.json").write_text('{"session": {}}\n')
    (inner / "notes.txt").write_text("Not this one")
    (inner / "b.ndjson.gz").write_bytes(gzip.compress(b"{}\n{}\n"))
    (inner / "c.json.gz").write_bytes(gzip.compress(b'{"session": {}}'))

    bodies = {file.name: FileBody.of(file) for file in found(tmp_path)}

    assert {name: (body.media_type, body.is_compressed) for name, body in bodies.items()} == {
        "events_a.jsonl": (NDJSON, False),
        "out.json": (NDJSON, False),
        "state.json": (JSON, False),
        "line.json": (JSON, False),
        "b.ndjson.gz": (NDJSON, True),
        "c.json.gz": (JSON, True),
    }


def test_a_real_server_imports_what_it_is_sent(
    server: Server, key: str, upload: Call, tmp_path: Path
) -> None:
    log = log_of(tmp_path / "events_a.jsonl", "one", "two")
    packed = tmp_path / "events_b.jsonl.gz"
    packed.write_bytes(gzip.compress(log_of(tmp_path / "plain", "three").read_bytes()))
    torn = log_of(tmp_path / "events_c.jsonl", "four")
    os.truncate(torn, torn.stat().st_size - 20)

    code, out = upload(log, packed, torn, url=server.url, key=key)
    assert code == 1
    assert out[:3] == [
        f"{log}: 3 new, 0 known, 0 repaired, 0 failed",
        f"{packed}: 2 new, 0 known, 0 repaired, 0 failed",
        f"{torn}: 1 new, 0 known, 0 repaired, 1 failed",
    ]
    assert out[3].startswith("  line 2: ")
    again = upload("--again", log, url=server.url, key=key)
    assert again == (0, [f"{log}: 0 new, 3 known, 0 repaired, 0 failed"])
