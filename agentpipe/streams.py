"""Streams last for days: what Django has made of their requests is gone by then."""

from typing import Any

from agentpipe.api.body import Application

# To say, within an answer that has a head and no body, by what stream it is to be told.
TOLD_BY = "agentpipe.told_by"


class Streams:
    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        stream = None

        async def send_head(message: Any) -> None:
            nonlocal stream
            if message["type"] == TOLD_BY:
                stream = message["stream"]
            elif stream is None or message["type"] == "http.response.start":
                await send(message)

        await self.application(scope, receive, send_head)
        if stream is not None:
            await stream.tell(scope, receive, send)
