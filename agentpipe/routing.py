"""The list of sockets; each path names its topic."""

from django.urls import path, re_path

from conversations.upload.jobs import present_state
from streaming.consumers import FollowConsumer, ManyStreamsConsumer, NoSuchStream
from streaming.events import Filter

OF_AGENTS = Filter(kinds=frozenset({"agent.progress", "agent.complete"}), families=("agent.run.",))
OF_QUALITY = Filter(kinds=frozenset({"quality.updated"}))

sockets = [
    path("api/stream", ManyStreamsConsumer.as_asgi()),
    path("api/stream/projects/<str:project>", FollowConsumer.as_asgi(stream="project:{project}")),
    path(
        "api/stream/projects/<str:project>/ingest/<str:job>",
        FollowConsumer.as_asgi(stream="ingest:{project}/{job}", present_state=present_state),
    ),
    path(
        "api/stream/projects/<str:project>/agents",
        FollowConsumer.as_asgi(stream="project:{project}", only=OF_AGENTS, subjects_in="agentIds"),
    ),
    path(
        "api/stream/projects/<str:project>/quality",
        FollowConsumer.as_asgi(stream="project:{project}", only=OF_QUALITY),
    ),
    path(
        "api/stream/conversations/<path:conversation>",
        FollowConsumer.as_asgi(stream="conversation:{conversation}"),
    ),
    re_path("", NoSuchStream.as_asgi()),
]
