"""The client for programs on an event loop: the same methods, to be awaited."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Self, Unpack

from agentpipe_client import calls
from agentpipe_client.aio_connection import AsyncConnection
from agentpipe_client.calls import Call
from agentpipe_client.files import FileBody
from agentpipe_client.following import Event, OnInterruption
from agentpipe_client.rates import Rate
from agentpipe_client.record import (
    BatchAnswer,
    ErrorContext,
    ExportFormat,
    Filters,
    Job,
    Json,
    Message,
    Start,
    Totals,
)
from agentpipe_client.retries import OnRetry, Patience
from agentpipe_client.server import Server
from agentpipe_client.timing import polls_s


class AsyncAgentPipe:
    """Records, imports, reads and follows. What is not given comes from the environment."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        patience: Patience | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        self.server = Server.named(url, key)
        self._connection = AsyncConnection(self.server, patience or Patience(), on_retry)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connection.close()

    @property
    def rate(self) -> Rate | None:
        """What the last answer said of how often one may ask there."""
        return self._connection.rate

    # Recording, in the camelCase dialect: the server gives the ids

    async def send_event(
        self,
        kind: str,
        data: Json,
        *,
        timestamp: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Record one event of either dialect; answers with what the server says of it."""
        return await self._connection.send(
            calls.send_event(
                kind, data, read=dict, timestamp=timestamp, idempotency_key=idempotency_key
            )
        )

    async def start_conversation(self, **start: Unpack[Start]) -> str:
        """Answers with the id of the new conversation."""
        return await self._connection.send(calls.start_conversation(**start))

    async def send_message(self, conversation_id: str, message: Message) -> str:
        """Answers with the id of the message."""
        return await self._connection.send(calls.send_message(conversation_id, message))

    async def complete_conversation(
        self, conversation_id: str, *, reason: str | None = None, **totals: Unpack[Totals]
    ) -> None:
        await self._connection.send(calls.complete_conversation(conversation_id, reason, **totals))

    async def interrupt_conversation(
        self, conversation_id: str, *, reason: str | None = None, **totals: Unpack[Totals]
    ) -> None:
        await self._connection.send(calls.interrupt_conversation(conversation_id, reason, **totals))

    async def report_error(
        self, error: str, conversation_id: str | None = None, **context: Unpack[ErrorContext]
    ) -> None:
        await self._connection.send(calls.report_error(error, conversation_id, **context))

    async def send_batch(
        self, events: Iterable[Json], *, idempotency_key: str | None = None
    ) -> BatchAnswer:
        """Up to 1,000 events, in order; one that is refused does not stop the others."""
        return await self.send_lines(calls.lines_of(events), idempotency_key=idempotency_key)

    async def send_lines(self, lines: bytes, *, idempotency_key: str | None = None) -> BatchAnswer:
        """A batch that is written already, one event a line."""
        return await self._connection.send(calls.send_batch(lines, idempotency_key))

    async def upload_session(self, session: Json) -> Json:
        """A whole session; raises Conflict where its `originalId` is there already."""
        return await self._connection.send(calls.upload_session(session))

    # Importing files of any size

    async def create_job(
        self, path: Path, *, project: str, on_progress: Callable[[int], None] | None = None
    ) -> Job:
        """Send a file to be imported; `on_progress` is told how many bytes are under way."""
        return await self._connection.send(
            calls.create_job(project, FileBody.of(path, on_progress))
        )

    async def job(self, job_id: str, *, project: str) -> Job:
        return await self._connection.send(calls.job(project, job_id))

    async def jobs(self, *, project: str) -> AsyncIterator[Job]:
        async for job in self._numbered(lambda page: calls.jobs(project, page)):
            yield Job.of(job)

    async def cancel_job(self, job_id: str, *, project: str) -> Job:
        return await self._connection.send(calls.cancel_job(project, job_id))

    async def watch_job(self, job_id: str, *, project: str) -> AsyncIterator[Job]:
        """The job as it goes on; the last one is finished."""
        for pause_s in polls_s():
            job = await self.job(job_id, project=project)
            yield job
            if job.is_finished:
                return
            await asyncio.sleep(pause_s)

    # Reading

    def conversations(self, **filters: Unpack[Filters]) -> AsyncIterator[Json]:
        """Newest first, or best first with `q`; asked for page by page as they are taken."""
        if filters.get("q"):
            return self._numbered(lambda page: calls.found_conversations(page, **filters))
        return self._following(lambda after: calls.conversations(after, **filters))

    async def conversation(self, conversation_id: str) -> Json:
        return await self._connection.send(calls.conversation(conversation_id))

    def messages(self, conversation_id: str, *, after: str = "") -> AsyncIterator[Json]:
        """In order, from the beginning or from behind a message's id."""
        return self._following(lambda after: calls.messages(conversation_id, after), after)

    async def export_conversation(
        self, conversation_id: str, to: Path, *, form: ExportFormat = "json"
    ) -> None:
        """The file is there once all of it has come."""
        await self._connection.download(calls.export_conversation(conversation_id, form), to)

    async def export_project(self, project: str, to: Path) -> None:
        """Everything, as a zip."""
        await self._connection.download(calls.export_project(project), to)

    # Following

    def follow_project(
        self,
        project: str,
        *,
        since: str | None = None,
        on_interruption: OnInterruption | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Every event of the project from now on, from `since` on, or from the beginning ("0")."""
        return self._connection.follow(calls.project_stream(project), since, on_interruption)

    def follow_conversation(
        self,
        conversation_id: str,
        *,
        since: str | None = None,
        on_interruption: OnInterruption | None = None,
    ) -> AsyncGenerator[Event, None]:
        return self._connection.follow(
            calls.conversation_stream(conversation_id), since, on_interruption
        )

    async def _following(
        self, call: Callable[[str], Call[Json]], after: str = ""
    ) -> AsyncIterator[Json]:
        while True:
            page = await self._connection.send(call(after))
            for item in page["items"]:
                yield item
            if not page["has_more"]:
                return
            after = page["items"][-1]["id"]

    async def _numbered(self, call: Callable[[int], Call[Json]]) -> AsyncIterator[Json]:
        # What begins meanwhile pushes items on to the next page: they are not shown again.
        seen: set[str] = set()
        for number in count(1):
            page = await self._connection.send(call(number))
            for item in page["items"]:
                if item["id"] not in seen:
                    yield item
            if not page["has_more"]:
                return
            seen.update(item["id"] for item in page["items"])
