"""The wiring: files from memory, HTTP to Django, sockets to the consumers, behind the same door."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentpipe.settings")

import django

django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 - models need Django first

from agentpipe.api.authentication import SocketAuthentication, is_known  # noqa: E402
from agentpipe.api.body import BodyLimit  # noqa: E402
from agentpipe.api.ingest_door import IngestDoor  # noqa: E402
from agentpipe.api.request_ids import RequestIds  # noqa: E402
from agentpipe.api.traces import Traces  # noqa: E402
from agentpipe.handler import Handler  # noqa: E402
from agentpipe.routing import sockets  # noqa: E402
from agentpipe.static import StaticFiles  # noqa: E402
from agentpipe.streams import Streams  # noqa: E402
from agentpipe.threads import KeptThreads  # noqa: E402

pages = Streams(BodyLimit(KeptThreads(Handler()), is_known=is_known))
application = ProtocolTypeRouter(
    {
        "http": StaticFiles(RequestIds(Traces(IngestDoor(pages)))),
        "websocket": RequestIds(SocketAuthentication(URLRouter(sockets))),
    }
)
