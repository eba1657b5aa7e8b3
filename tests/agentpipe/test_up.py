import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_django.fixtures import Settings

from agentpipe.embedded import address, command_of
from agentpipe.management.commands import up as up_command
from tests.agentpipe.conftest import DIFFICULT
from tests.prepared import ROOT, Prepared
from tests.servers import WITHIN_S, Forked, Running, environment, wait_for
from tests.services import free_port, url_of

pytestmark = pytest.mark.processes


class Home(Running):
    """A server with a database of its own beside it."""

    def postmaster(self) -> int:
        return int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])

    def has_another_than(self, postmaster: int) -> bool:
        try:
            return self.postmaster() != postmaster
        except (FileNotFoundError, IndexError):  # it is on its way
            return False

    def ask(self, query: str) -> Any:
        with psycopg.connect(url_of(address(self.data_dir)), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
            return row[0] if row else None


class ForkedHome(Home, Forked):
    pass


Start = Callable[..., ForkedHome]
JOINED = "SELECT date_joined FROM auth_user WHERE username = 'admin'"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    outer = Path(tempfile.mkdtemp(prefix="agentpipe-"))
    outer.chmod(0o711)
    yield outer / DIFFICULT
    shutil.rmtree(outer)


@pytest.fixture(scope="module")
def command(place: Path) -> Iterator[Prepared]:
    command = Prepared(environment(place))
    yield command
    command.stop()


@pytest.fixture
def folder(place: Path) -> Iterator[Path]:
    """At one place for all, so that the command can be imported beforehand."""
    place.mkdir(exist_ok=True)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def up(command: Prepared, folder: Path) -> Iterator[Start]:
    started: list[ForkedHome] = []

    def up(*options: str, port: int | None = None, **settings: str) -> ForkedHome:
        server = ForkedHome(command, folder, *options, port=port or free_port(), **settings)
        started.append(server)
        return server

    yield up
    for server in started:
        if server.process.poll() is None:
            server.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a server that ran for the first time has said and left."""

    folder: Path
    url: str
    readiness: Any
    postgres: int
    joined: str
    said: tuple[int, str, str]


@pytest.fixture(scope="module")
def first_life() -> Iterator[Life]:
    """One for all: making a database takes longer than a start."""
    outer = Path(tempfile.mkdtemp(prefix="agentpipe-"))
    outer.chmod(0o711)
    server = Home(outer / "data")
    try:
        readiness = server.await_ready()
        postgres, joined = server.postmaster(), server.ask(JOINED)
    finally:
        said = server.stop()
    yield Life(
        folder=server.data_dir,
        url=server.url,
        readiness=readiness,
        postgres=postgres,
        joined=joined,
        said=said,
    )
    shutil.rmtree(outer)


@pytest.fixture
def settled(first_life: Life, folder: Path) -> None:
    subprocess.run(["cp", "-a", f"{first_life.folder}/.", folder], check=True)


def test_it_starts_says_where_to_look_and_stops_without_a_trace(first_life: Life) -> None:
    code, out, err = first_life.said

    assert first_life.readiness["status"] == "ok"
    assert (code, err) == (0, "")
    assert f"{first_life.url}/" in out
    assert (first_life.folder / "bridge_api_key").read_text() in out
    assert f"admin / {(first_life.folder / 'admin_password').read_text()}" in out
    assert command_of(first_life.postgres) == ""


def test_secrets_are_for_the_owner_alone(first_life: Life) -> None:
    for name in ("secret_key", "bridge_api_key", "admin_password"):
        assert (first_life.folder / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("settled")
def test_a_second_start_finds_the_same_record_and_login(
    up: Start, folder: Path, first_life: Life
) -> None:
    server = up()
    server.await_ready()

    assert server.ask(JOINED) == first_life.joined
    assert (first_life.folder / "admin_password").read_text() in server.stop()[1]


def test_stopping_while_it_starts_leaves_nothing_behind(up: Start, folder: Path) -> None:
    server = up()
    wait_for(lambda: (folder / "postgres" / "postmaster.pid").exists())
    postgres = server.postmaster()

    code, _, err = server.stop()

    assert (code, err) == (0, "")
    assert command_of(postgres) == ""


@pytest.mark.usefixtures("settled")
def test_a_second_server_is_told_who_has_the_data_directory_until_ctrl_c_ends_that(
    up: Start,
) -> None:
    first = up()
    first.await_ready()

    code, out, err = up().finish()

    assert (code, out) == (1, "")
    assert f"process {first.process.pid}" in err
    assert f"http://127.0.0.1:{first.port}/" in err
    assert is_a_sentence(err)

    code, out, err = first.stop(signal.SIGINT)

    assert (code, err) == (0, "")
    assert out.endswith("Stopped.\n")


def test_a_port_that_is_taken_stops_the_start_before_the_database(up: Start, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = up(port=port).finish()

    assert (code, out) == (1, "")
    assert f"port {port}" in err
    assert is_a_sentence(err)
    assert not (folder / "postgres").exists()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PORT", "eighty", "PORT is 'eighty'"),
        ("DATABASE_URL", "mysql://localhost/agentpipe", "DATABASE_URL"),
        ("AGENTPIPE_HOST", "0.0.0.0", "AGENTPIPE_LOCAL"),
        ("AGENTPIPE_SECRET_KEY", "short", "AGENTPIPE_SECRET_KEY must"),
    ],
)
def test_a_bad_setting_stops_the_start_with_a_sentence(
    folder: Path, variable: str, value: str, said: str
) -> None:
    port = {} if variable == "PORT" else {"PORT": str(free_port())}
    server = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env={"AGENTPIPE_DATA_DIR": str(folder), "AGENTPIPE_LOCAL": "1", **port, variable: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )

    assert server.returncode == 1
    assert said in server.stderr
    assert is_a_sentence(server.stderr)


def test_a_server_that_lets_everyone_in_is_for_its_own_machine(up: Start) -> None:
    code, out, err = up(HOST="192.0.2.1").finish()

    assert (code, out) == (1, "")
    assert "AGENTPIPE_HOST" in err
    assert is_a_sentence(err)


def test_a_database_that_does_not_answer_is_named_without_its_password(folder: Path) -> None:
    port = free_port()
    url = f"postgresql://someone:verysecret@127.0.0.1:{port}/elsewhere"

    code, out, err = Running(folder, DATABASE_URL=url).finish()

    assert (code, out) == (1, "")
    assert "elsewhere" in err
    assert "refused" in err
    assert "DATABASE_URL" in err
    assert "verysecret" not in err
    assert is_a_sentence(err)


@pytest.mark.usefixtures("settled")
def test_a_killed_server_starts_again_with_everything_it_had(up: Start) -> None:
    first = up()
    first.await_ready()
    left = first.postmaster()
    first.process.kill()
    first.finish()
    assert "postgres" in command_of(left)

    second = up()
    second.await_ready()

    assert command_of(left) == ""
    assert second.ask("SELECT count(*) FROM auth_user WHERE username = 'admin'") == 1


@pytest.mark.usefixtures("settled")
def test_a_killed_database_comes_back_under_the_running_server(up: Start) -> None:
    server = up()
    server.await_ready()

    killed = server.postmaster()
    os.kill(killed, signal.SIGKILL)

    # It may be back before anybody has seen it gone.
    wait_for(lambda: server.has_another_than(killed) and server.readiness() is not None)
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\n")  # and never the rest, which holds up no end
        assert server.stop()[0] == 0


@pytest.mark.usefixtures("settled")
def test_the_worker_is_part_of_it_unless_it_is_left_out(up: Start) -> None:
    workers = "SELECT count(*) FROM procrastinate_workers"
    server = up()
    server.await_ready()
    wait_for(lambda: server.ask(workers) == 1)
    server.stop()

    server = up("--no-worker")
    server.await_ready()

    assert server.ask(workers) == 0


def test_two_that_start_at_once_on_one_database_take_turns(folder: Path) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE two_at_once")
        url = os.environ["DATABASE_URL"].rpartition("/")[0] + "/two_at_once"
        pair = [Running(folder / name, "--no-worker", DATABASE_URL=url) for name in "ab"]
        try:
            for server in pair:
                assert server.await_ready()["status"] == "ok"
            for server in pair:
                assert server.stop()[0] == 0
        finally:
            for server in pair:
                server.process.kill()
            connection.execute("DROP DATABASE two_at_once WITH (FORCE)")


def is_a_sentence(words: str) -> bool:
    return words.startswith("agentpipe: ") and words.endswith(".\n") and words.count("\n") == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="not on this system")
def test_a_peer_that_takes_nothing_is_let_go(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PORT = free_port()
    monkeypatch.setattr(up_command, "STALLED_S", 1)
    with up_command.open_door() as door, socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(("127.0.0.1", settings.PORT))
        connection, _ = door.accept()
        with connection, pytest.raises(TimeoutError):
            connection.sendall(b"x" * 64 * 1024 * 1024)


def test_a_key_that_was_given_is_not_said_aloud(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.DATA_DIR, settings.LOCAL_MODE = tmp_path, True
    settings.BRIDGE_API_KEY = "known-to-whoever-set-it"
    said = announced()
    monkeypatch.setenv("AGENTPIPE_BRIDGE_API_KEY", "known-to-whoever-set-it")
    said_of_given = announced()

    assert "known-to-whoever-set-it" in said
    assert "AgentPipe is ready" in said_of_given
    assert "known-to-whoever-set-it" not in said_of_given


def test_what_others_than_local_mode_say_names_the_files_of_secrets(
    settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR, settings.LOCAL_MODE = tmp_path, False
    settings.BRIDGE_API_KEY, settings.BRIDGE_API_KEY_FILE = "swordfish", tmp_path / "bridge_api_key"
    (tmp_path / "admin_password").write_text("sesame")

    said = announced()

    assert str(tmp_path / "bridge_api_key") in said
    assert str(tmp_path / "admin_password") in said
    assert "swordfish" not in said
    assert "sesame" not in said


def test_a_key_that_can_be_guessed_is_noted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv("AGENTPIPE_BRIDGE_API_KEY", "sesame")

    said = announced()

    assert "note            AGENTPIPE_BRIDGE_API_KEY" in said
    assert "sesame" not in said


def announced() -> str:
    out = StringIO()
    up_command.Command(stdout=out).announce([])
    return out.getvalue()
