"""Passwords are guessed slowly: attempts are counted by the name that is tried."""

from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from agentpipe.api import throttling
from conversations.models import digest_of

logger = structlog.get_logger(__name__)


class Counted(ModelBackend):
    """Says of one attempt too many the same as of a wrong password, without looking at it."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> User | None:
        name = digest_of((username or "").casefold())
        rate = throttling.rate_as(settings.LOGIN_RATE, "login", name)
        if rate and not rate.spend():
            # Not the name: people type passwords there, too.
            logger.warning("login.too_many")
            raise PermissionDenied
        return super().authenticate(request, username, password, **more)
