"""Where models are found: a client for each vendor, over connections that all runs share."""

import asyncio
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import httpx2
from anthropic import AsyncAnthropic
from django.conf import settings
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from agents.backends.chunks import QuickOpenAI
from agents.errors import BackendFailed

# Between two pieces of an answer a model may think for as long as `read` says.
PATIENCE = httpx2.Timeout(connect=10, read=120, write=30, pool=10)
# A run has one connection at a time; a worker carries hundreds of runs.
LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=200)

# Tags are told apart by our own splitter, which finds them however they are cut, and white space
# belongs to the answer.
TEXT_AS_IT_COMES = OpenAIModelProfile(
    thinking_tags=("", ""), ignore_streamed_leading_whitespace=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Who serves a model, as the settings have it."""

    id: str
    name: str
    key: str
    address: str

    @property
    def key_variable(self) -> str:
        return f"{self.id.upper()}_API_KEY"

    @property
    def address_variable(self) -> str:
        return f"{self.id.upper()}_BASE_URL"


def find(model: str) -> tuple[Vendor, Model]:
    """Who serves `vendor:name`, and the model itself; raises BackendFailed if it cannot."""
    vendor_id, _, name = model.partition(":")
    vendor = _vendor(vendor_id)
    if vendor is None or not name:
        raise BackendFailed(
            f"The agent's model is {model!r}, which should be anthropic:NAME or openai:NAME"
        )
    if not vendor.key:
        raise BackendFailed(f"No key for {vendor.name}: set {vendor.key_variable}")
    return vendor, _anthropic(vendor, name) if vendor.id == "anthropic" else _openai(vendor, name)


async def close() -> None:
    """Give back the connections of this event loop."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


# Connections belong to the event loop in which they were opened.
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()


def _client() -> httpx2.AsyncClient:
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = httpx2.AsyncClient(timeout=PATIENCE, limits=LIMITS, follow_redirects=True)
    return _clients[loop]


def _vendor(vendor_id: str) -> Vendor | None:
    match vendor_id:
        case "anthropic":
            return Vendor(
                id=vendor_id,
                name="Anthropic",
                key=settings.ANTHROPIC_API_KEY,
                address=settings.ANTHROPIC_BASE_URL,
            )
        case "openai":
            return Vendor(
                id=vendor_id,
                name="the model server" if settings.OPENAI_BASE_URL else "OpenAI",
                key=settings.OPENAI_API_KEY,
                address=settings.OPENAI_BASE_URL,
            )
        case _:
            return None


# The SDKs would try again on their own, unseen: who runs the agent does, and says so.


def _anthropic(vendor: Vendor, name: str) -> Model:
    sdk = AsyncAnthropic(
        api_key=vendor.key,
        base_url=vendor.address or None,
        http_client=_client(),
        timeout=PATIENCE,
        max_retries=0,
    )
    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=sdk))


def _openai(vendor: Vendor, name: str) -> Model:
    sdk = QuickOpenAI(
        api_key=vendor.key,
        base_url=vendor.address or None,
        http_client=_client(),
        timeout=PATIENCE,
        max_retries=0,
    )
    if not vendor.address:
        provider = OpenAIProvider(openai_client=sdk)
        return OpenAIChatModel(name, provider=provider, profile=TEXT_AS_IT_COMES)
    elsewhere = OpenAICompatibleProvider("openai-compatible", openai_client=sdk)
    # Others know the older name of the bound, and not all of them the newer one.
    profile = OpenAIModelProfile(
        **TEXT_AS_IT_COMES, openai_chat_supports_max_completion_tokens=False
    )
    return OpenAIChatModel(name, provider=elsewhere, profile=profile)
