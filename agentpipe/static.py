"""Styles, scripts and pictures, in front of Django: read once, compressed once, kept in memory.

Their addresses name the state of the whole set, so that browsers may keep them for good: with the
first change each has another address. A module that imports another by a relative path stays
within its set. Addresses without a state work too, and are asked for again each time.
"""

import asyncio
import mimetypes
import os
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

import structlog
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage

Application = Callable[[Any, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

logger = structlog.get_logger(__name__)

# Those that Python knows. What a machine makes of endings differs.
MEDIA_TYPES = mimetypes.MimeTypes()
STATE_MARK = "v-"
LASTS = b"public, max-age=31536000, immutable"
ASKED_FOR_AGAIN = b"no-cache"
# Fonts and pictures are compressed already.
COMPRESSED = ("text/", "application/json", "application/manifest+json", "image/svg+xml")
AS_GZIP = zlib.MAX_WBITS + 16
BEST = 9
OF_ALL: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"vary", b"Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
]


class Versioned(StaticFilesStorage):
    """Names files with the state of their set."""

    def url(self, name: str | None) -> str:
        return super().url(f"{STATE_MARK}{state()}/{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    content: bytes
    # The same as gzip, where that is shorter.
    compressed: bytes | None
    media_type: bytes
    etag: bytes


class StaticFiles:
    """Answers what asks for a file, and passes on all the rest."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.files: dict[str, File] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name, named_state = _asked_for(scope)
        place = _places().get(name)
        if place is None:
            await self.application(scope, receive, send)
            return
        try:
            file = self.files.get(name) or await self._read(name, place)
        except OSError as error:
            logger.error("static_file_gone", place=place, problem=str(error))
            await _answer(send, 404, [*OF_ALL, (b"cache-control", ASKED_FOR_AGAIN)], b"")
            return
        headers = dict(scope["headers"])
        # Of another state is what another server, or this one before, has named.
        caching = LASTS if named_state == state() else ASKED_FOR_AGAIN
        known: Headers = [*OF_ALL, (b"cache-control", caching), (b"etag", b"W/" + file.etag)]
        if file.etag in headers.get(b"if-none-match", b""):
            await _answer(send, 304, known, b"")
            return
        content = file.content
        if file.compressed and b"gzip" in headers.get(b"accept-encoding", b""):
            content = file.compressed
            known.append((b"content-encoding", b"gzip"))
        known.append((b"content-type", file.media_type))
        known.append((b"content-length", str(len(content)).encode()))
        await _answer(send, 200, known, content if scope["method"] == "GET" else b"")

    async def _read(self, name: str, place: str) -> File:
        file = self.files[name] = await asyncio.to_thread(_read, place)
        return file


@cache
def state() -> str:
    return state_of(_places())


def state_of(places: dict[str, str]) -> str:
    """The same for as long as no file has changed."""
    told = blake2b(digest_size=8)
    for name, place in sorted(places.items()):
        found = os.stat(place)
        told.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return told.hexdigest()


@cache
def _places() -> dict[str, str]:
    """Where each file lies, by its name."""
    found: dict[str, str] = {}
    for finder in finders.get_finders():
        for path, storage in finder.list(None):
            prefix = getattr(storage, "prefix", None)
            name = f"{prefix}/{path}" if prefix else path
            found.setdefault(name.replace(os.sep, "/"), storage.path(path))
    return found


def _asked_for(scope: Any) -> tuple[str, str]:
    """The name of a file, and the state that the address names."""
    path = scope["path"]
    if scope["method"] not in {"GET", "HEAD"} or not path.startswith(settings.STATIC_URL):
        return "", ""
    name = path.removeprefix(settings.STATIC_URL)
    if not name.startswith(STATE_MARK):
        return name, ""
    named_state, _, name = name.removeprefix(STATE_MARK).partition("/")
    return name, named_state


def _read(place: str) -> File:
    with open(place, "rb") as file:
        content = file.read()
    media_type = _media_type(place)
    compressed = None
    if media_type.startswith(COMPRESSED):
        packing = zlib.compressobj(BEST, zlib.DEFLATED, AS_GZIP)
        packed = packing.compress(content) + packing.flush()
        compressed = packed if len(packed) < len(content) else None
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    return File(
        content=content,
        compressed=compressed,
        media_type=media_type.encode(),
        etag=f'"{blake2b(content, digest_size=8).hexdigest()}"'.encode(),
    )


def _media_type(place: str) -> str:
    if place.endswith((".js", ".mjs")):
        return "text/javascript"
    return MEDIA_TYPES.guess_type(place)[0] or "application/octet-stream"


async def _answer(send: Any, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
