"""How often: moving windows, shared by all processes where there is a Redis."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis import BlockingConnectionPool, RedisError
from redis.exceptions import RedisClusterException
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from agentpipe.redis import first, is_cluster, is_watched
from conversations.access import Caller, caller_of
from streaming.events import iso

if TYPE_CHECKING:
    from rest_framework.views import APIView

STORAGE_TIMEOUT_S = 1.0
# More than what threads that ask at once, or a clock that is being put right, differ by.
SET_BACK_S = 5.0
PATIENCE = ("socket_timeout", "socket_connect_timeout")

T = TypeVar("T")
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one caller may do of one thing."""

    item: RateLimitItem
    name: str
    rated_as: str

    def spend(self, times: int = 1) -> bool:
        """Whether it may be done so many times; where it may not, nothing is spent."""
        return _asking(lambda limiter: limiter.hit(self.item, self.name, self.rated_as, cost=times))

    def headers(self) -> dict[str, str]:
        stats = _asking(
            lambda limiter: limiter.get_window_stats(self.item, self.name, self.rated_as)
        )
        return {
            "X-RateLimit-Limit": str(self.item.amount),
            "X-RateLimit-Remaining": str(max(0, stats.remaining)),
            "X-RateLimit-Reset": iso(datetime.fromtimestamp(stats.reset_time, UTC)),
        }

    def wait_s(self) -> int:
        stats = _asking(
            lambda limiter: limiter.get_window_stats(self.item, self.name, self.rated_as)
        )
        return max(1, math.ceil(stats.reset_time - time.time()))


def rate_of(name: str, caller: Caller) -> Rate | None:
    """The caller's rate for this, by its key or by the settings; None where it is not counted."""
    return rate_as(caller.rates.get(name) or settings.RATES[name], name, caller.rated_as)


def rate_as(written: str, name: str, rated_as: str | None) -> Rate | None:
    if rated_as is None or written == "0":
        return None
    return Rate(_item(written), name, rated_as)


def note_rate(request: Request, view: object, caller: Caller) -> Rate | None:
    """The rate of a view with a `throttle_scope`, that each answer shows from here on."""
    name = getattr(view, "throttle_scope", None)
    rate = rate_of(name, caller) if name else None
    request._request.rate = rate  # type: ignore[attr-defined]
    return rate


class RateLimit(BaseThrottle):
    """Counts requests to views with a `throttle_scope`.

    A view with `throttle_when_read` learns its scope from the body, and then asks again; until
    then its rate is only known, so that the answer can show it.
    """

    rate: Rate | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self.rate = note_rate(request, view, caller_of(request))
        if self.rate is None or getattr(view, "throttle_when_read", False):
            return True
        return self.rate.spend()

    def wait(self) -> float | None:
        return self.rate.wait_s() if self.rate else None


Respond = Callable[[HttpRequest], HttpResponseBase]


def rate_headers(respond: Respond) -> Respond:
    """Show the rate of a limited door on each of its answers."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = respond(request)
        rate: Rate | None = getattr(request, "rate", None)
        if rate is not None:
            for name, value in rate.headers().items():
                response[name] = value
        return response

    return middleware


@cache
def _item(written: str) -> RateLimitItem:
    amount, _, seconds = written.partition("/")
    return RateLimitItemPerSecond(int(amount), int(seconds))


@cache
def _own_limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


@cache
def _shared_limiter() -> MovingWindowRateLimiter:
    url, patience = first(settings.REDIS_URL), dict.fromkeys(PATIENCE, STORAGE_TIMEOUT_S)
    if is_watched(settings.REDIS_URL) or is_cluster(settings.REDIS_URL):
        return MovingWindowRateLimiter(storage_from_string(settings.REDIS_URL, **patience))
    pool: Any = BlockingConnectionPool.from_url(
        url, max_connections=20, timeout=STORAGE_TIMEOUT_S, **patience
    )
    return MovingWindowRateLimiter(storage_from_string(url, connection_pool=pool))


_rests_until = 0.0


def _asking(ask: Callable[[MovingWindowRateLimiter], T]) -> T:
    """Ask the shared windows; without them each process counts for itself and nobody is refused."""
    global _rests_until
    if settings.REDIS_URL and time.monotonic() >= _rests_until:
        try:
            return ask(_shared_limiter())
        except (RedisError, RedisClusterException) as error:
            _rests_until = time.monotonic() + STORAGE_TIMEOUT_S
            logger.warning("rates.not_shared", reason=repr(error))
    return ask(_own_windows())


_latest = 0.0
_one_at_a_time = Lock()


def _own_windows() -> MovingWindowRateLimiter:
    """Made anew where the clock was set back: nothing would leave them for as long."""
    global _latest
    # Of those who come first at the same moment, each would make its own and count there.
    with _one_at_a_time:
        before, _latest = _latest, time.time()
        if _latest < before - SET_BACK_S:
            _own_limiter.cache_clear()
        return _own_limiter()
