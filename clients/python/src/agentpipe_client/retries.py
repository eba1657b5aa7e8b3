"""When the same request is sent again, and after how long."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from agentpipe_client.errors import AgentPipeError, Unreachable, refusal

# What a request can end with besides an answer, and what may pass.
BROKEN = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
)
Outcome = httpx.Response | httpx.TransportError
OnRetry = Callable[[AgentPipeError, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a request is tried, and how long is waited in between."""

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    # A server that asks for more than this is believed, and not waited for.
    longest_retry_after_s: float = 120.0

    def backoff_s(self, attempt: int) -> float:
        """Full jitter: anywhere below a bound that doubles, so that clients do not come in step."""
        bound_s: float = self.first_wait_s * 2 ** min(attempt - 1, 30)
        return random.uniform(0, min(bound_s, self.longest_wait_s))  # noqa: S311 - no secret


class Attempts:
    """The attempts at one call."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.made = 0

    def pause_after(self, outcome: Outcome) -> float | None:
        """Seconds until the same is to be sent again; None where this outcome stands."""
        self.made += 1
        if not may_pass(outcome) or self.made >= self.patience.attempts:
            return None
        asked_s = retry_after_s(outcome) if isinstance(outcome, httpx.Response) else None
        if asked_s is None:
            return self.patience.backoff_s(self.made)
        return asked_s if asked_s <= self.patience.longest_retry_after_s else None


def may_pass(outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.Response):
        return outcome.status_code == 429 or outcome.status_code >= 500
    return isinstance(outcome, BROKEN)


def retry_after_s(response: httpx.Response) -> float | None:
    """What the server asks for, in seconds or as a date of the server's own clock."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    until = _date(asked)
    if until is None:
        return None
    now = _date(response.headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def error_of(outcome: Outcome) -> AgentPipeError:
    if isinstance(outcome, httpx.Response):
        return refusal(outcome.status_code, _body(outcome), retry_after_s=retry_after_s(outcome))
    reason = str(outcome) or type(outcome).__name__
    return Unreachable(f"The server cannot be reached: {reason}")


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None  # a proxy in between, that answers with a page
    return body if isinstance(body, dict) else {"error": response.reason_phrase}


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
