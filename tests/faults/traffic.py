"""Writers that say again what nobody acknowledged, followers that come back; and a check of both.

Whatever becomes of a site meanwhile: all that was acknowledged is in the log, each thing once,
and each follower has seen the log, once and in order. Followers drop nothing by themselves.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, cycle
from uuid import uuid4

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.clients import Json, eventually, said, started
from tests.servers import KEY

HEADERS = {"Authorization": f"Bearer {KEY}"}
THE_END = "the end"
PAUSE_S = 0.05
BETWEEN_MESSAGES_S = 0.01
UNTIL_ALL_IS_WELL_S = 300
# Whoever hears nothing for longer, not even a heartbeat, comes anew.
SILENCE_S = 40.0

Seen = list[tuple[int, str]]


class Traffic:
    """Of one conversation, at web servers that need not all be there."""

    def __init__(self, urls: Sequence[str], *, followers_each: int) -> None:
        self.urls = urls
        self.conversation = str(uuid4())
        self.acknowledged: list[str] = []
        self.refusals = 0
        self.is_over = False
        self.followers = [
            Follower(url, self.conversation, by_socket=bool(number % 2))
            for url in urls
            for number in range(followers_each)
        ]
        # Followers keep theirs: nobody may wait for one.
        limits = httpx.Limits(max_connections=None)
        self.client = httpx.AsyncClient(headers=HEADERS, timeout=30, limits=limits)

    async def grows(self, by: int = 20) -> None:
        """Wait until so much more was acknowledged."""
        wanted = len(self.acknowledged) + by
        async with asyncio.timeout(UNTIL_ALL_IS_WELL_S):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 - it is no event of one task
                await asyncio.sleep(0.01)

    async def is_refused(self) -> None:
        """Wait until one of the writers was."""
        before = self.refusals
        await eventually(lambda: self.refusals > before, within_s=UNTIL_ALL_IS_WELL_S)

    async def open(self) -> None:
        await self._tell(0, "conversation.started", started(self.conversation))

    async def write(self, writer: int) -> None:
        for number in count():
            if self.is_over:
                return
            content = f"{writer}/{number}"
            await self._tell(writer, "message.created", said(self.conversation, content))
            self.acknowledged.append(content)
            await asyncio.sleep(BETWEEN_MESSAGES_S)

    async def close(self) -> None:
        await self._tell(0, "message.created", said(self.conversation, THE_END))

    async def check(self) -> None:
        logs = [await self._log(url) for url in self.urls]
        log = logs[0]
        assert [seq for seq, _ in log] == list(range(1, len(log) + 1))
        told = [content for _, content in log[1:]]
        assert sorted(told[:-1]) == sorted(self.acknowledged)
        assert told[-1] == THE_END
        assert all(other == log for other in logs)
        for follower in self.followers:
            assert follower.seen == log

    async def _tell(self, writer: int, kind: str, data: Json) -> None:
        """Until it is acknowledged, by whichever server is there."""
        body = {"type": kind, "data": data}
        for url in cycle([*self.urls[writer % len(self.urls) :], *self.urls]):
            try:
                answer = await self.client.post(f"{url}/api/ingest", json=body)
            except httpx.TransportError:
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status_code == 201:
                return
            # What is not our fault is said again, and only that.
            assert answer.status_code >= 500, answer.text
            assert answer.json()["error"]
            self.refusals += 1
            await asyncio.sleep(PAUSE_S)

    async def _log(self, url: str) -> Seen:
        log: Seen = []
        address, since = f"{url}/api/conversations/{self.conversation}/events", "0"
        while True:
            query = {"since": since, "page_size": "100"}
            answer = await self.client.get(address, params=query)
            if answer.status_code >= 500:
                await asyncio.sleep(PAUSE_S)  # a connection that the fault broke
                continue
            page = answer.json()
            log += [_entry(frame) for frame in page["items"]]
            if not page["has_more"]:
                return log
            since = page["items"][-1]["id"]


class Follower:
    def __init__(self, url: str, conversation: str, *, by_socket: bool) -> None:
        self.url = url
        self.conversation = conversation
        self.by_socket = by_socket
        self.seen: Seen = []
        self.last_id = "0"
        self.visits = 0

    async def follow(self, client: httpx.AsyncClient) -> None:
        while not self.has_all:
            self.visits += 1
            try:
                await (self._by_socket() if self.by_socket else self._by_sse(client))
            except (httpx.TransportError, OSError, WebSocketException, TimeoutError):
                await asyncio.sleep(PAUSE_S)

    @property
    def has_all(self) -> bool:
        return bool(self.seen) and self.seen[-1][1] == THE_END

    async def _by_sse(self, client: httpx.AsyncClient) -> None:
        address = f"{self.url}/api/realtime/stream?conversationId={self.conversation}"
        headers = {"Last-Event-ID": self.last_id}
        async with client.stream("GET", address, headers=headers, timeout=SILENCE_S) as answer:
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, fields[name] = line.partition(": ")
                    continue
                # Only now is it whole: what is cut off counts for nothing.
                if "id" in fields:
                    self.last_id = fields["id"]
                    seq = int(self.last_id.split("_")[1])
                    self.seen.append(_entry({**json.loads(fields["data"]), "seq": seq}))
                    if self.has_all:
                        return
                fields = {}

    async def _by_socket(self) -> None:
        address = f"{self.url.replace('http', 'ws', 1)}/api/stream/conversations"
        async with connect(
            f"{address}/{self.conversation}?since={self.last_id}",
            additional_headers=HEADERS,
            open_timeout=SILENCE_S,
            ping_timeout=SILENCE_S,
        ) as socket:
            async for text in socket:
                frame = json.loads(text)
                if "seq" in frame:
                    self.last_id = frame["id"]
                    self.seen.append(_entry(frame))
                    if self.has_all:
                        return


def _entry(frame: Json) -> tuple[int, str]:
    message: Json = frame["data"].get("message", {})
    return frame["seq"], str(message.get("content", ""))


@asynccontextmanager
async def traffic(
    urls: Sequence[str], *, writers: int = 2, followers_each: int = 2
) -> AsyncIterator[Traffic]:
    """Something goes on for as long as this lasts; then it has to add up."""
    found = Traffic(urls, followers_each=followers_each)
    async with found.client:
        await found.open()
        follow = [follower.follow(found.client) for follower in found.followers]
        following = [asyncio.create_task(each) for each in follow]
        writing = [asyncio.create_task(found.write(number)) for number in range(writers)]
        try:
            yield found
            found.is_over = True
            async with asyncio.timeout(UNTIL_ALL_IS_WELL_S):
                await asyncio.gather(*writing)
                await found.close()
                await asyncio.gather(*following)
        finally:
            for task in [*writing, *following]:
                task.cancel()
            await asyncio.gather(*writing, *following, return_exceptions=True)
        await found.check()
