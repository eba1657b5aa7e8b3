"""The files of this folder: what was agreed, with a name where every run has another value."""

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
OF_THE_RUN = {"createdAt", "updatedAt", "ingestedAt", "received_at", "retryAfter", "seq"}
EVENT_ID = re.compile(r"\d+_\d{4,}_[0-9a-f]{8}")
OWN_ID = re.compile(r"c[a-z0-9]{24}")


def files(folder: str) -> list[str]:
    return sorted(file.stem for file in (FOLDER / folder).glob("*.json"))


def read(folder: str, name: str) -> Any:
    return json.loads((FOLDER / folder / f"{name}.json").read_text())


def normalised(value: Any, name: str = "") -> Any:
    """The same value in every run."""
    if isinstance(value, dict):
        return {inner: normalised(item, inner) for inner, item in value.items()}
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if name in OF_THE_RUN:
        return f"${name}"
    if isinstance(value, str):
        return EVENT_ID.sub("$event", OWN_ID.sub("$id", value))
    return value
