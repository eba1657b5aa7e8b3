"""Stream tokens: a signed leave to read one stream, for a browser's EventSource has no headers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core import signing

from conversations import access
from conversations.access import Caller
from conversations.models import ApiKey, Project, Scope
from streaming import topics

LIFETIME = timedelta(minutes=10)
SALT = "agentpipe.stream"


def make_token(caller: Caller, stream: str) -> str:
    """A token for a stream that the caller may follow; else TopicUnknown."""
    claims = {
        "topic": topics.resolve(caller, stream),
        "key": caller.key_id,
        "user": caller.user.pk,
        "project": caller.own_project.pk if caller.own_project else None,
    }
    return signing.dumps(claims, salt=SALT)


def caller_with_token(token: str) -> Caller:
    """Whoever asked for the token, if still welcome, and of the streams only this one."""
    claims: dict[str, Any] = signing.loads(token, salt=SALT, max_age=LIFETIME)
    caller = _bearer(claims)
    if caller is None or Scope.READ not in caller.scopes:
        raise signing.BadSignature
    return replace(caller, only_topic=claims["topic"], scopes=frozenset({Scope.READ}))


def _bearer(claims: dict[str, Any]) -> Caller | None:
    if claims["key"]:
        key = ApiKey.objects.usable().select_related("project").filter(pk=claims["key"]).first()
        return access.caller_with(key) if key else None
    if claims["user"]:
        user = User.objects.filter(pk=claims["user"], is_active=True).first()
        return access.caller_as_user(user) if user else None
    project = Project.objects.filter(pk=claims["project"]).first()
    return Caller(own_project=project) if project else None
