"""How long a client waits for what."""

from collections.abc import Iterator

import httpx

TIMEOUT = httpx.Timeout(30, connect=10)
# The server answers once it has stored all of a file.
UPLOAD_TIMEOUT = httpx.Timeout(60, connect=10, read=300)
FIRST_POLL_S = 0.1
LAST_POLL_S = 2.0


def polls_s() -> Iterator[float]:
    """Pauses between two looks at a job: short ones first, because most jobs are small."""
    pause_s = FIRST_POLL_S
    while True:
        yield pause_s
        pause_s = min(pause_s * 1.5, LAST_POLL_S)
