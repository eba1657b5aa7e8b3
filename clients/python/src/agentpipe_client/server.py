"""Where the server is, and the key to it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode, urlsplit

from agentpipe_client.errors import BadAddress

DEFAULT_URL = "http://127.0.0.1:8000"
# The second names are those of the command-line tool that records, the third the server's own:
# where one of them is set up already, nothing more is needed.
URL_VARIABLES = ("AGENTPIPE_URL", "AGENTPIPE_STREAM_URL")
KEY_VARIABLES = ("AGENTPIPE_API_KEY", "AGENTPIPE_STREAM_API_KEY", "AGENTPIPE_BRIDGE_API_KEY")


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    key: str | None = field(default=None, repr=False)

    @classmethod
    def named(cls, url: str | None = None, key: str | None = None) -> Self:
        """The server at an address; what is not given comes from the environment."""
        url = url or _first_of(URL_VARIABLES) or DEFAULT_URL
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadAddress(f"{url!r} is no address of a server; write http://host:port")
        key = key or _first_of(KEY_VARIABLES)
        return cls(url.rstrip("/").removesuffix("/api/ingest"), key and key.strip())

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def socket_url(self, path: str, query: Mapping[str, str]) -> str:
        scheme, _, rest = self.url.partition("://")
        socket_scheme = "wss" if scheme == "https" else "ws"
        return f"{socket_scheme}://{rest}{path}{'?' if query else ''}{urlencode(query)}"


def _first_of(variables: tuple[str, ...]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name))), None)
