"""Each request has a thread to itself, as Django wants it, and not a new one: one that is free."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from agentpipe.api.body import Application

MOST_FREE = 40


class KeptThreads:
    """Django opens a context of its own inside of this one, and finds that it has a thread."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.free: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_answered = False

        async def send_on(message: Any) -> None:
            nonlocal is_answered
            await send(message)
            is_answered = message["type"] == "http.response.body" and not message.get("more_body")

        thread = self.free.pop() if self.free else ThreadPoolExecutor(1, "request")
        context = ThreadSensitiveContext(executor=thread)
        is_ours = False
        try:
            async with context:
                try:
                    await self.application(scope, receive, send_on)
                finally:
                    # A stream has let go of it by now.
                    is_ours = SyncToAsync.context_to_thread_executor.get(context) is thread
        finally:
            # A client that left may have left a view at work.
            if is_ours and is_answered and len(self.free) < MOST_FREE:
                self.free.append(thread)
            else:
                thread.shutdown(wait=False)
