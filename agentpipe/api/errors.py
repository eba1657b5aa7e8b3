"""The one table from error to status, and the one body; pages get a page."""

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import DisallowedHost
from django.db import OperationalError
from django.http import BadHeaderError, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.views import exception_handler, set_rollback

from agentpipe.api.authentication import Refused
from agents.errors import (
    AgentNotFound,
    ChatNotFound,
    MessageNotFound,
    NothingToRetry,
    PersonNotFound,
    ProgressNotFound,
    RunFinished,
    RunNotFound,
    RunOutside,
)
from conversations.errors import (
    BodyTooLarge,
    ConversationNotFound,
    FileEmpty,
    FileUnreadable,
    JobFinished,
    JobNotFound,
    KeyNotFound,
    KeyUsedBefore,
    LastOwner,
    MemberNotFound,
    MissingScope,
    NotAnOwner,
    ProjectNotFound,
    ScopesTooWide,
    UserNotFound,
)
from conversations.ingest.dispatch import refusal
from conversations.ingest.reading import InvalidJSON
from streaming.errors import CursorMalformed, TopicForbidden, TopicUnknown
from workflows.errors import (
    Invalid,
    NameTaken,
    NodeNotFound,
    NothingToResume,
    NotOurs,
    NotWaiting,
    Shipped,
    StillGoingOn,
    WorkflowNotFound,
    WorkflowRunFinished,
    WorkflowRunNotFound,
)
from workflows.writing import InvalidYAML

STATUS: dict[type[Exception], int] = {
    # Words of the request, in a header of the answer.
    BadHeaderError: 400,
    CursorMalformed: 400,
    FileEmpty: 400,
    FileUnreadable: 400,
    InvalidJSON: 400,
    MissingScope: 403,
    NotAnOwner: 403,
    ScopesTooWide: 403,
    TopicForbidden: 403,
    AgentNotFound: 404,
    ChatNotFound: 404,
    ConversationNotFound: 404,
    JobNotFound: 404,
    KeyNotFound: 404,
    MemberNotFound: 404,
    MessageNotFound: 404,
    PersonNotFound: 404,
    ProgressNotFound: 404,
    ProjectNotFound: 404,
    RunNotFound: 404,
    NodeNotFound: 404,
    TopicUnknown: 404,
    UserNotFound: 404,
    WorkflowNotFound: 404,
    WorkflowRunNotFound: 404,
    JobFinished: 409,
    LastOwner: 409,
    NameTaken: 409,
    NotOurs: 409,
    NotWaiting: 409,
    NothingToResume: 409,
    NothingToRetry: 409,
    RunFinished: 409,
    RunOutside: 409,
    Shipped: 409,
    StillGoingOn: 409,
    WorkflowRunFinished: 409,
    BodyTooLarge: 413,
    KeyUsedBefore: 422,
}
RETRY_AFTER_S = 2
JSON_PREFIXES = ("/api/", "/healthz", "/readyz", "/metrics")


def handle(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """DRF's exception handler: None leaves the error to Django, which logs it and answers 500."""
    set_rollback()
    view, request = context["view"], context["request"]._request
    answer = _answer(error, view)
    if answer is None:
        return None
    status, body, headers = answer
    if getattr(view, "is_page", False):
        return _page(request, status, str(body["error"]))
    # Not a Response: that would be rendered as its view renders, be it YAML or a template.
    return JsonResponse(body, status=status, headers=headers)


def _answer(error: Exception, view: object) -> tuple[int, dict[str, Any], dict[str, str]] | None:
    if isinstance(error, Refused):
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        return error.status, {"error": str(error)}, headers
    if isinstance(error, Throttled):
        return _throttled(error, view)
    if isinstance(error, InvalidJSON | InvalidYAML):
        return 400, {"error": type(error).__doc__, "message": str(error)}, {}
    if isinstance(error, Invalid):
        return 400, refusal(error.faults).body, {}
    if isinstance(error, OperationalError):
        wait = {"Retry-After": str(RETRY_AFTER_S)}
        return 503, {"error": "The database cannot be reached, try again"}, wait
    if isinstance(error, ValidationError):
        return 400, _validation_body(error), {}
    for known, status in STATUS.items():
        if isinstance(error, known):
            return status, {"error": str(error) or known.__doc__}, {}
    answered = exception_handler(error, {})
    if answered is None:
        return None
    message = answered.data.get("detail", "Bad request")
    headers = {name: text for name, text in answered.items() if name.lower() != "content-type"}
    return answered.status_code, {"error": str(message)}, headers


def _throttled(error: Throttled, view: object) -> tuple[int, dict[str, Any], dict[str, str]]:
    wait_s = int(getattr(error, "wait", None) or 1)
    # The command-line tool drops for good what it is refused with a 4xx; a 503 it sends again.
    status = 503 if getattr(view, "throttle_scope", None) == "bridge" else 429
    body = {"error": "Rate limit exceeded", "retryAfter": wait_s}
    return status, body, {"Retry-After": str(wait_s)}


def _validation_body(error: ValidationError) -> dict[str, Any]:
    details = [
        {"path": path, "message": str(fault), "code": getattr(fault, "code", "invalid")}
        for path, fault in _faults(error.detail, [])
    ]
    first = details[0]
    return {
        "error": "Validation failed",
        "message": first["message"],
        "field": ".".join(map(str, first["path"])),
        "details": details,
    }


def _faults(found: Any, path: list[str | int]) -> list[tuple[list[str | int], Any]]:
    if isinstance(found, dict):
        return [
            fault
            for name, inner in found.items()
            for fault in _faults(inner, path if name == "non_field_errors" else [*path, name])
        ]
    if isinstance(found, list):
        return [fault for inner in found for fault in _faults(inner, path)]
    return [(path, found)]


# What Django itself answers, in the same form


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if isinstance(exception, DisallowedHost):
        # Mostly it is asked by who has just set it up.
        return _plain(request, 400, "This name is not one of AGENTPIPE_ALLOWED_HOSTS")
    return _plain(request, 400, "Bad request")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _plain(request, 403, "You may not do this")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _plain(request, 404, "Not found")


def failed(request: HttpRequest) -> HttpResponseBase:
    return _plain(request, 500, "Internal server error")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    return _plain(request, 403, "The form has expired: reload the page and send it again")


def _plain(request: HttpRequest, status: int, message: str) -> HttpResponseBase:
    if f"{request.path}/".startswith(JSON_PREFIXES):
        return JsonResponse({"error": message}, status=status)
    return _page(request, status, message)


def _page(request: HttpRequest, status: int, message: str) -> HttpResponse:
    if status == 401:
        return redirect(f"{reverse('login')}?{urlencode({'next': request.get_full_path()})}")
    return render(request, "error.html", {"status": status, "message": message}, status=status)
