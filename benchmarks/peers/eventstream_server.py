"""django-eventstream, in one process and without a database."""

import asyncio

import django
import uvicorn
import uvloop
from django.conf import settings

from benchmarks.clients import HOST
from benchmarks.peers.telling import announce, texts

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django_eventstream"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402 - models need Django first
from django.urls import path  # noqa: E402
from django_eventstream import send_event  # noqa: E402
from django_eventstream.views import events  # noqa: E402

CHANNEL = "all"
TURNS = 5
urlpatterns = [path("", events, {"channels": [CHANNEL]})]


async def main() -> None:
    # At its end each stream that is cut would be an error with twenty lines.
    config = uvicorn.Config(get_asgi_application(), host=HOST, port=0, log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    announce(server.servers[0].sockets[0].getsockname()[1])
    async for text in texts():
        send_event(CHANNEL, "message", text, json_encode=False)
        # It keeps ten for who has not taken them, and closes the stream at the next.
        for _ in range(TURNS):
            await asyncio.sleep(0)
    serving.cancel()


if __name__ == "__main__":
    uvloop.run(main())
