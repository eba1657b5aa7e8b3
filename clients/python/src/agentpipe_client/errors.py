"""What can go wrong between a program and its server."""

from typing import Any


class AgentPipeError(Exception):
    """The base of all errors of this package."""


class BadAddress(AgentPipeError):
    """The server's address is not an http or https URL."""


class Unreachable(AgentPipeError):
    """The server could not be reached, or the connection broke, once too often."""


class FileCutShort(AgentPipeError):
    """A file has lost bytes that were announced already."""


class StreamRefused(AgentPipeError):
    """A stream was closed for good: coming back would end the same way."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason


class Refused(AgentPipeError):
    """The server has answered, and its answer is no. Sending the same again would not help."""

    def __init__(
        self, status: int, body: dict[str, Any], *, retry_after_s: float | None = None
    ) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        self.body = body
        self.error = str(body.get("error") or f"HTTP {status}")
        self.message: str | None = body.get("message")
        self.field: str | None = body.get("field")
        self.details: list[dict[str, Any]] = body.get("details") or []
        super().__init__(f"{self._sentence()} ({status})")

    def _sentence(self) -> str:
        place = f"{self.field}: " if self.field else ""
        return f"{self.error}: {place}{self.message}" if self.message else self.error


class NotAuthenticated(Refused):
    """There is no key, or the server does not know it."""


class Forbidden(Refused):
    """The key is known and lacks the scope."""


class NotFound(Refused):
    """There is no such thing, or it is not for this key."""


class Conflict(Refused):
    """It is there already, or is no longer in a state that allows this."""

    @property
    def existing_conversation_id(self) -> str | None:
        found = self.body.get("existingConversationId")
        return str(found) if found else None


class TooLarge(Refused):
    """The body has more bytes, or more events, than the server takes at once."""


class RateLimited(Refused):
    """Too often, also after waiting."""


class ServerFailed(Refused):
    """The server failed at this every time it was tried."""


BY_STATUS: dict[int, type[Refused]] = {
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: RateLimited,
}


def refusal(status: int, body: dict[str, Any], *, retry_after_s: float | None) -> Refused:
    kind = ServerFailed if status >= 500 else BY_STATUS.get(status, Refused)
    return kind(status, body, retry_after_s=retry_after_s)
