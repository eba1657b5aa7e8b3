"""What would go wrong at the first request is said at the start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from agentpipe import env

SHORTEST_SECRET = 32


def dotted_paths_resolve(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Every question that a low floor puts to a higher one has somebody to answer it."""
    named = [
        (f"STREAMING_TOPICS, for {kind},", path) for kind, path in settings.STREAMING_TOPICS.items()
    ]
    return [
        Error(f"{setting} names {path}, and it is not there.", id="agentpipe.E1")
        for setting, path in [*named, ("STREAMING_LEAVES", settings.STREAMING_LEAVES)]
        if not _is_callable(path)
    ]


def secret_is_shared_and_long(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Processes that share a Redis share sessions and stream tokens, and so the secret."""
    given = env.text("AGENTPIPE_SECRET_KEY")
    if settings.REDIS_URL and not given and not settings.LOCAL_MODE:
        return [
            Error(
                "REDIS_URL is set, so there may be several processes, and AGENTPIPE_SECRET_KEY is "
                "not. Give all of them the same one.",
                id="agentpipe.E2",
            )
        ]
    if given and len(given) < SHORTEST_SECRET:
        return [
            Error(
                f"AGENTPIPE_SECRET_KEY must have at least {SHORTEST_SECRET} characters: "
                "python -c 'import secrets; print(secrets.token_urlsafe(48))' makes one.",
                id="agentpipe.E3",
            )
        ]
    return []


def _is_callable(path: str) -> bool:
    try:
        return callable(import_string(path))
    except ImportError:
        return False
