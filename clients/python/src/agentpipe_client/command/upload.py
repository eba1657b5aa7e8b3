"""`agentpipe upload`: files and folders, each file an import that goes on in the server."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from agentpipe_client.client import AgentPipe
from agentpipe_client.command.places import default_project, state_folder
from agentpipe_client.command.remembering import Memory
from agentpipe_client.command.saying import cleaned, say
from agentpipe_client.errors import (
    AgentPipeError,
    FileCutShort,
    Forbidden,
    NotAuthenticated,
    NotFound,
    Refused,
)
from agentpipe_client.record import Job
from agentpipe_client.retries import Patience

DESCRIPTION = "Send files: sessions, event logs, saved output and saved states of the recording \
tool; folders are searched for .json, .jsonl and .ndjson, and for those with .gz. What was sent \
before is not sent again, and an import that is under way is taken up where it is."
WANTED = (".json", ".jsonl", ".ndjson")
MOST_ERRORS = 10
# Of a limit of so many uploads a minute, the minute is waited for.
PATIENCE = Patience(attempts=10, longest_wait_s=15)
HALVES = 2  # of the bar: the bytes, then the import


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|FOLDER")
    parser.add_argument("--project", default=default_project(), help="where it goes")
    parser.add_argument(
        "--again", action="store_true", help="send also what was sent before; it doubles nothing"
    )


def run(arguments: argparse.Namespace) -> int:
    files = [file for path in arguments.paths for file in found(path)]
    if not files:
        say("There are no files to send.")
        return 1
    with (
        AgentPipe(arguments.url, arguments.key, patience=PATIENCE, on_retry=_tell_retry) as client,
        _bar() as bar,
    ):
        memory = Memory(state_folder() / "uploads", client.server.url, arguments.project)
        upload = Upload(client, memory, arguments.project, bar, is_again=arguments.again)
        succeeded = [upload.send(file) for file in files]
    return 0 if all(succeeded) else 1


def found(path: Path) -> Iterator[Path]:
    """A file as it is; of a folder what looks like a recording."""
    if not path.is_dir():
        yield path
        return
    for inner in sorted(path.rglob("*")):
        name = inner.name.removesuffix(".gz")
        if name.endswith(WANTED) and inner.is_file():
            yield inner


class Upload:
    def __init__(
        self, client: AgentPipe, memory: Memory, project: str, bar: Progress, *, is_again: bool
    ) -> None:
        self.client = client
        self.memory = memory
        self.project = project
        self.bar = bar
        self.is_again = is_again

    def send(self, file: Path) -> bool:
        """Whether all of the file is in the record."""
        note = self.memory.of(file)
        if note.is_finished and not self.is_again:
            self.bar.console.print(f"{file}: sent before")
            return True
        shown = self.bar.add_task(file.name, total=HALVES)
        try:
            job_id = None if self.is_again else note.job
            job = self._taken_up(job_id) if job_id else None
            if job is None:
                job = self.client.create_job(
                    file,
                    project=self.project,
                    on_progress=lambda sent: self.bar.update(
                        shown, completed=sent / (note.size or 1)
                    ),
                )
                note.under_way(job.id)
            job = self._watched(job, shown)
        except (NotAuthenticated, Forbidden, NotFound):
            raise  # so it would be with every other file
        except (Refused, FileCutShort) as error:
            self.bar.console.print(f"{file}: {error}")
            return False
        finally:
            self.bar.remove_task(shown)
        is_good = job.status == "completed" and not job.failed
        if is_good:
            note.finished()
        else:
            note.forget()
        self._report(file, job)
        return is_good

    def _taken_up(self, job_id: str) -> Job | None:
        """An import of an earlier call; None where the server knows it no longer."""
        try:
            return self.client.job(job_id, project=self.project)
        except NotFound:
            return None

    def _watched(self, job: Job, shown: TaskID) -> Job:
        if job.is_finished:
            return job
        for latest in self.client.watch_job(job.id, project=self.project):
            self.bar.update(shown, completed=1 + latest.percentage / 100)
            job = latest
        return job

    def _report(self, file: Path, job: Job) -> None:
        say_line = self.bar.console.print
        ending = "" if job.status == "completed" else f" ({job.status})"
        say_line(
            f"{file}: {job.new} new, {job.known} known, {job.repaired} repaired, "
            f"{job.failed} failed{ending}"
        )
        for fault in job.errors[:MOST_ERRORS]:
            say_line(f"  {f'line {fault.line}: ' if fault.line else ''}{cleaned(fault.error)}")
        if len(job.errors) > MOST_ERRORS:
            say_line(f"  and {len(job.errors) - MOST_ERRORS} more")


def _bar() -> Progress:
    """Nothing but the results where the output is no terminal."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _tell_retry(error: AgentPipeError, pause_s: float) -> None:
    say(f"{error}; trying again in {pause_s:.0f} s.")
