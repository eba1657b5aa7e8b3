"""Where the command keeps what it has to remember."""

import os
from hashlib import sha256
from pathlib import Path


def state_folder() -> Path:
    given = os.environ.get("XDG_STATE_HOME")
    base = Path(given) if given else Path.home() / ".local" / "state"
    return base / "agentpipe"


def short_digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def default_project() -> str:
    return os.environ.get("AGENTPIPE_PROJECT") or "default"
