"""Streams as clients name them, and the topics of the log that they stand for."""

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from streaming.errors import TopicUnknown

Resolver = Callable[[object, str], str]


def resolve(caller: object, stream: str) -> str:
    """The topic behind `kind:id`, for a caller who may follow it; else TopicUnknown."""
    kind, _, name = stream.partition(":")
    if not name or kind not in settings.STREAMING_TOPICS:
        raise TopicUnknown
    return _resolver(settings.STREAMING_TOPICS[kind])(caller, name)


def beginning(stream: str) -> int | None:
    """Behind which number a stream begins for who comes without a cursor; None is from now on."""
    return 0 if stream.partition(":")[0] in settings.STREAMS_TOLD_WHOLE else None


@cache
def _resolver(path: str) -> Resolver:
    resolver: Resolver = import_string(path)
    return resolver
