"""What goes wrong at a vendor, as an error of ours: one that may pass, or one that will not."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelTimeoutError,
    ModelUnavailableError,
    UnexpectedModelBehavior,
)

from agents.backends.vendors import Vendor
from agents.errors import AgentsError, BackendFailed, BackendUnavailable

LONGEST_REASON = 300


@contextmanager
def translated(vendor: Vendor, model: str) -> Iterator[None]:
    """Raises BackendFailed or BackendUnavailable for whatever the vendor or the way to it did."""
    try:
        yield
    except ModelAPIError as error:
        raise _ours(error, vendor, model) from error
    except (httpx2.TransportError, httpx2.StreamError) as error:
        raise broken(vendor) from error
    except UnexpectedModelBehavior as error:
        raise BackendUnavailable(f"{_begin(vendor.name)} answered with nonsense") from error


def broken(vendor: Vendor) -> BackendUnavailable:
    return BackendUnavailable(f"The connection to {vendor.name} broke")


def _ours(error: ModelAPIError, vendor: Vendor, model: str) -> AgentsError:
    name = _begin(vendor.name)
    match error:
        case ModelAuthenticationError():
            return BackendFailed(
                f"{name} refused the key in {vendor.key_variable}, or does not let it use {model}"
            )
        case ModelNotFoundError():
            elsewhere = f", or {vendor.address_variable} is wrong" if vendor.address else ""
            return BackendFailed(f"{name} knows no model {model}{elsewhere}")
        case ModelContextWindowExceededError():
            return BackendFailed(f"The conversation has become too long for {model}")
        case ModelQuotaExceededError():
            return BackendFailed(f"{name} wants to be paid: {_reason(error, vendor)}")
        case ModelRequestRejectedError():
            return BackendFailed(f"{name} refused the request: {_reason(error, vendor)}")
        case ModelTimeoutError():
            return _for_now(f"{name} was silent for too long", error)
        case ModelConnectionError(phase="connect"):
            return _for_now(f"{name} cannot be reached", error)
        case ModelConnectionError():
            return broken(vendor)
        case ModelRateLimitError():
            return _for_now(f"{name} wants fewer requests", error)
        case ModelUnavailableError():
            return _for_now(f"{name} is overloaded", error)
        case ModelHTTPError(status_code=status) if status < 500 and status not in (408, 409, 425):
            return BackendFailed(f"{name} refused the request ({status}): {_reason(error, vendor)}")
        case _:
            return _for_now(f"{name} failed: {_reason(error, vendor)}", error)


def _for_now(message: str, error: ModelAPIError) -> BackendUnavailable:
    return BackendUnavailable(message, retry_after_s=error.retry_after)


def _reason(error: ModelAPIError, vendor: Vendor) -> str:
    """What the vendor said of it; never with the key, which some repeat."""
    reason = _message_in(error.body) or str(error.body or "") or error.message
    return " ".join(reason.replace(vendor.key, "…").split())[:LONGEST_REASON]


def _message_in(body: object) -> str:
    """Anthropic has an error in the body; the SDK of OpenAI has unpacked it."""
    if not isinstance(body, dict):
        return ""
    inner = body.get("error", body)
    message = inner.get("message") if isinstance(inner, dict) else inner
    return message if isinstance(message, str) else ""


def _begin(name: str) -> str:
    return name[0].upper() + name[1:]
