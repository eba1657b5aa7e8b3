"""A page of which the shell goes out at once, and each part as soon as it is ready.

All in one response, and readable without scripts. The shell has an element with a shadow root that
is written down in the markup, with a slot for each part and a word of waiting in it; the parts are
put behind it as they come, and the slot of its name is where each is shown. Whoever knows no such
roots reads the parts in the order in which they come.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog
from asgiref.sync import sync_to_async
from django.db import connection
from django.http import StreamingHttpResponse
from django.utils.html import format_html

from streaming.sse import let_go_of_the_thread

# Stands in the shell where the parts go.
PLACE = "<!-- parts -->"
LONGEST_WAIT_S = 30
# Parts that wait long for the database make other parts wait, and nothing else.
THREADS = ThreadPoolExecutor(max_workers=12, thread_name_prefix="page-part")
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}

Make = Callable[[], str]

logger = structlog.get_logger(__name__)


def streamed(shell: str, parts: Mapping[str, Make]) -> StreamingHttpResponse:
    """Each part is made in a thread, and is an element with its name as its slot."""
    before, place, after = shell.partition(PLACE)
    assert place, "the shell has no place for its parts"
    # Nobody needs it while the parts are made, which have connections of their own.
    connection.close()
    return StreamingHttpResponse(
        _pieces(before, parts, after), content_type="text/html; charset=utf-8", headers=HEADERS
    )


async def _pieces(before: str, parts: Mapping[str, Make], after: str) -> AsyncIterator[str]:
    let_go_of_the_thread()
    yield before
    tasks = [asyncio.create_task(_part(name, make)) for name, make in parts.items()]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        for unfinished in tasks:
            unfinished.cancel()
    yield after


async def _part(name: str, make: Make) -> str:
    try:
        async with asyncio.timeout(LONGEST_WAIT_S):
            return await sync_to_async(_made, thread_sensitive=False, executor=THREADS)(make)
    except Exception:
        logger.exception("page.part_failed", part=name)
        return format_html(
            '<p class="card error" slot="{}">This part could not be made. Load the page again'
            " to try once more.</p>",
            name,
        )


def _made(make: Make) -> str:
    try:
        return make()
    finally:
        connection.close()
