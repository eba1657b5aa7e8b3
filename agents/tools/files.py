"""The files of a run: an agent's own desk, of no other run and gone with this one."""

from collections.abc import Mapping
from typing import Annotated, Protocol

from django.db.models.functions import Length
from django.utils import timezone
from pydantic import Field, StringConstraints

from agents.backends.base import Result, Tool
from agents.errors import ToolFailed
from agents.models import RunFile
from agents.summaries import cleaned
from agents.tools.database import in_database
from agents.tools.ready import Arguments, ReadyTool, counted

MOST_FILES = 100
LARGEST_FILE = 1024 * 1024
# An agent is given no more of a file at once.
MOST_CHARACTERS = 50_000
# Names that begin so are notes of the tools themselves: agents do not see them.
HIDDEN = "."


class Files(Protocol):
    """By path; what is written there replaces what was."""

    async def read(self, path: str) -> str | None: ...

    async def write(self, path: str, content: str) -> None: ...

    async def sizes(self) -> Mapping[str, int]:
        """Of every file, in characters, by its path."""


class RunFiles:
    """The files of a run, in the database."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id

    async def read(self, path: str) -> str | None:
        return await in_database(self._read, path)

    async def write(self, path: str, content: str) -> None:
        await in_database(self._write, path, content)

    async def sizes(self) -> Mapping[str, int]:
        return await in_database(self._sizes)

    def _read(self, path: str) -> str | None:
        found = RunFile.objects.filter(run=self.run_id, path=path)
        return found.values_list("content", flat=True).first()

    def _write(self, path: str, content: str) -> None:
        file = RunFile(run_id=self.run_id, path=path, content=content, updated_at=timezone.now())
        RunFile.objects.bulk_create(
            [file],
            update_conflicts=True,
            unique_fields=["run", "path"],
            update_fields=["content", "updated_at"],
        )

    def _sizes(self) -> dict[str, int]:
        found = RunFile.objects.filter(run=self.run_id).annotate(size=Length("content"))
        return dict(found.values_list("path", "size"))


Path = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^.\x00/\\][^\x00\\]*$"),
    Field(description="Such as notes.md or drafts/first.md"),
]


class ToWrite(Arguments):
    path: Path
    content: Annotated[str, StringConstraints(strip_whitespace=False)] = Field(
        description="All of the file: it replaces what was there"
    )


class ToRead(Arguments):
    path: Path
    start: int = Field(0, ge=0, description="From which character on")


class ToList(Arguments):
    pass


def file_tools(files: Files) -> list[Tool]:
    async def write(wanted: ToWrite) -> Result:
        content = cleaned(wanted.content)
        if len(content.encode()) > LARGEST_FILE:
            raise ToolFailed("A file holds at most 1 MiB")
        known = _shown(await files.sizes())
        if wanted.path not in known and len(known) >= MOST_FILES:
            raise ToolFailed(f"There are {MOST_FILES} files already: write to one of them")
        await files.write(wanted.path, content)
        said = f"Wrote {wanted.path}: {counted(len(content), 'character')}"
        return Result(text=said, summary=said)

    async def read(wanted: ToRead) -> Result:
        content = await files.read(wanted.path)
        if content is None:
            raise ToolFailed(f"There is no file {wanted.path}")
        end = wanted.start + MOST_CHARACTERS
        text = content[wanted.start : end]
        if end < len(content):
            text += f"\n[{len(content) - end} more characters: read on with start={end}]"
        return Result(text=text, summary=counted(len(content), "character"))

    async def listed(_: ToList) -> Result:
        known = _shown(await files.sizes())
        lines = [f"{path} ({counted(size, 'character')})" for path, size in known.items()]
        return Result(
            text="\n".join(lines) or "There are no files yet.", summary=counted(len(known), "file")
        )

    return [
        ReadyTool(
            name="write_file",
            description="Write a file of your own, to keep notes or drafts while you work.",
            reads=ToWrite,
            does=write,
        ),
        ReadyTool(
            name="read_file",
            description="Read a file that you wrote before.",
            reads=ToRead,
            does=read,
        ),
        ReadyTool(
            name="list_files", description="List the files you wrote.", reads=ToList, does=listed
        ),
    ]


def _shown(sizes: Mapping[str, int]) -> dict[str, int]:
    return {path: size for path, size in sorted(sizes.items()) if not path.startswith(HIDDEN)}
