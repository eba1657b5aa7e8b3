"""Who calls: by key, stream token, session, or for being local. HTTP and sockets alike."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core import signing
from django.db import DatabaseError
from django.http.cookie import parse_cookie
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from structlog.contextvars import bind_contextvars

from agentpipe.api import throttling
from agentpipe.api.body import Application
from agentpipe.sessions import SessionStore
from conversations import access
from conversations.access import Caller
from conversations.models import ApiKey, Scope
from conversations.tokens import caller_with_token
from streaming.asking import in_database
from streaming.consumers import CloseCode

if TYPE_CHECKING:
    from rest_framework.views import APIView

BEARER = "Bearer "
KEY_PROTOCOL = "agentpipe.key."
LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
LEFT_BY_PROXIES = ("forwarded", "x-forwarded-", "x-real-ip", "via")
# By these a socket is known, and by whether a proxy left a word; the rest differs.
WEIGHED = {"authorization", "cookie", "host", "origin", "sec-fetch-mode", "sec-fetch-site"}


class Refused(Exception):
    """The caller is not let in; `status` and the message are the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a request or a handshake says of where it comes from."""

    headers: Mapping[str, str] = field(hash=False)
    client: str | None
    method: str
    key: str | None = None
    token: str | None = None

    @property
    def origin(self) -> str | None:
        return self.headers.get("origin")

    @property
    def is_from_own_origin(self) -> bool:
        if self.origin is None:
            return True
        try:
            return urlsplit(self.origin).netloc == self.headers.get("host", "")
        except ValueError:
            return False

    @property
    def is_loopback(self) -> bool:
        try:
            return ip_address(self.client or "").is_loopback
        except ValueError:
            return False

    @property
    def is_local(self) -> bool:
        """From this machine, to this machine's name, and not on behalf of somebody's web page.

        A page that rebinds its name to 127.0.0.1 comes with a foreign Host, one that posts or
        opens a socket across sites with a foreign Origin, one that embeds us with Sec-Fetch-Site.
        """
        try:
            host = urlsplit(f"//{self.headers.get('host', '')}").hostname
        except ValueError:
            return False
        is_proxied = any(name.startswith(LEFT_BY_PROXIES) for name in self.headers)
        if not self.is_loopback or host not in LOCAL_NAMES or is_proxied:
            return False
        site = self.headers.get("sec-fetch-site", "none")
        is_followed_link = self.method == "GET" and self.headers.get("sec-fetch-mode") == "navigate"
        return self.is_from_own_origin and (site in {"none", "same-origin"} or is_followed_link)


class CallerAuthentication(BaseAuthentication):
    """Sets `request.auth` to the Caller. Nobody passes without being somebody."""

    def authenticate(self, request: Request) -> tuple[Any, Caller]:
        visit = Visit(
            headers={name.lower(): value for name, value in request.headers.items()},
            client=request.META.get("REMOTE_ADDR"),
            method=request.method or "GET",
            token=request.GET.get("token"),
        )
        view = (request.parser_context or {}).get("view")
        caller = _caller_by_key(visit)
        if caller is None and getattr(view, "wants_key", False):
            raise Refused(401, "Missing Authorization header")
        if caller is None and getattr(view, "takes_token", False):
            caller = _caller_by_token(visit)
        if caller is None and isinstance(user := request._request.user, User):
            SessionAuthentication().enforce_csrf(request)
            caller = access.caller_as_user(user)
        caller = caller or _caller_for_being_local(visit)
        # From here on the key is accepted, whatever else may be wrong with the request.
        throttling.note_rate(request, view, caller)
        if caller.own_project:
            bind_contextvars(project=caller.own_project.slug)
        _check_origin(visit)
        return caller.user, caller

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """Each view names the scope it wants; one that names none is closed to all."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        caller = access.caller_of(request)
        if caller.only_topic is not None and not getattr(view, "takes_token", False):
            return False
        scope = getattr(view, "scope", None)
        # Read by DRF where the answer is no.
        self.message = f"This key does not have the scope {scope}, which is needed here"
        return scope in caller.scopes


def caller_by_key(visit: Visit) -> Caller:
    """The caller where nothing but a key will do."""
    caller = _caller_by_key(visit)
    if caller is None:
        raise Refused(401, "Missing Authorization header")
    _check_origin(visit)
    return caller


async def is_known(scope: Any) -> bool:
    """Whether a request is of somebody, before its body is read; the view asks it all again."""
    identify = database_sync_to_async(_identify, thread_sensitive=False)
    try:
        await identify(_visit_of(scope, method=scope["method"]))
    except (Refused, DatabaseError):
        return False
    return True


class SocketAuthentication:
    """Puts the caller into the scope of a socket, or why there is none, for the consumer to say."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.application({**scope, **await _admission(scope)}, receive, send)


async def _admission(scope: Any) -> dict[str, Any]:
    try:
        # Who comes back together with others by the same leave is looked up once with them.
        caller = await in_database(_identify_socket, _weighed(_visit_of(scope, method="GET")))
        rate = throttling.rate_of("streams", caller)
        # Not the same question as that of another: each spends for itself.
        if rate and not await in_database(partial(rate.spend)):
            return {"refusal": (CloseCode.TOO_MANY, "Rate limit exceeded")}
    except Refused as refused:
        code = CloseCode.FORBIDDEN if refused.status == 403 else CloseCode.NOT_AUTHENTICATED
        return {"refusal": (code, str(refused))}
    except DatabaseError:
        return {"refusal": (CloseCode.TRY_AGAIN, "Try again")}
    return {"caller": caller}


def _identify_socket(visit: Visit) -> Caller:
    caller = _identify(visit)
    if Scope.READ not in caller.scopes:
        raise Refused(403, "This key does not have the scope that is needed here")
    return caller


def _weighed(visit: Visit) -> Visit:
    """What all have in common who come from anywhere by the same key, token or session."""
    headers = {
        name: value if name in WEIGHED else ""
        for name, value in visit.headers.items()
        if name in WEIGHED or name.startswith(LEFT_BY_PROXIES)
    }
    return replace(visit, headers=headers, client=visit.client if visit.is_loopback else None)


def _visit_of(scope: Any, *, method: str) -> Visit:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"))
    offered = (word for word in scope.get("subprotocols", []) if word.startswith(KEY_PROTOCOL))
    return Visit(
        headers=headers,
        client=scope["client"][0] if scope.get("client") else None,
        method=method,
        key=next((word.removeprefix(KEY_PROTOCOL) for word in offered), None),
        token=query.get("token", [None])[0],
    )


def _identify(visit: Visit) -> Caller:
    caller = _caller_by_key(visit) or _caller_by_token(visit) or _caller_by_cookie(visit)
    caller = caller or _caller_for_being_local(visit)
    _check_origin(visit)
    return caller


def _caller_by_key(visit: Visit) -> Caller | None:
    header = visit.headers.get("authorization")
    if header is None and visit.key is None:
        return None
    if header is None:
        secret = visit.key or ""
    elif header.startswith(BEARER) and header != BEARER:
        secret = header.removeprefix(BEARER)
    else:
        raise Refused(401, "Invalid Authorization format. Expected: Bearer <token>")
    if settings.BRIDGE_API_KEY and secrets.compare_digest(
        secret.encode("utf-8", "surrogatepass"), settings.BRIDGE_API_KEY.encode()
    ):
        return Caller(own_project=access.default_project(), rated_as="bridge")
    caller = access.caller_with_key(secret)
    if caller is None and not settings.BRIDGE_API_KEY and not ApiKey.objects.exists():
        raise Refused(500, "Server configuration error")
    if caller is None:
        raise Refused(401, "Invalid API key")
    return caller


def _caller_by_token(visit: Visit) -> Caller | None:
    if visit.token is None:
        return None
    try:
        return caller_with_token(visit.token)
    except signing.BadSignature as error:
        raise Refused(401, "The stream token is not valid, or no longer") from error


def _caller_by_cookie(visit: Visit) -> Caller | None:
    """The signed-in user of a socket. Browsers let any page open one, with our cookies."""
    cookies = parse_cookie(visit.headers.get("cookie", ""))
    session_key = cookies.get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    visitor: Any = SimpleNamespace(session=SessionStore(session_key))
    user = get_user(visitor)
    if not isinstance(user, User):
        return None
    if not visit.is_from_own_origin and visit.origin not in settings.ALLOWED_ORIGINS:
        raise Refused(403, "Origin not allowed")
    return access.caller_as_user(user)


def _caller_for_being_local(visit: Visit) -> Caller:
    if settings.LOCAL_MODE and visit.is_local:
        return Caller(own_project=access.default_project())
    raise Refused(401, "Missing Authorization header")


def _check_origin(visit: Visit) -> None:
    is_known = visit.is_from_own_origin or visit.origin in settings.ALLOWED_ORIGINS
    if settings.ALLOWED_ORIGINS and not is_known:
        raise Refused(403, "Origin not allowed")
