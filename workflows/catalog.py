"""The workflows that come with the server: each a file of YAML, as anybody would write it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from workflows.writing import read_yaml

SHIPPED = Path(__file__).parent / "shipped"


@cache
def shipped() -> Mapping[str, dict[str, Any]]:
    """Definitions by name; of several of one name, the first whose agents are all there."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(SHIPPED.glob("*.yaml")):
        definition = read_yaml(path.read_bytes())
        if _agents_of(definition) <= settings.AGENTS.keys():
            found.setdefault(definition["name"], definition)
    return found


def _agents_of(definition: dict[str, Any]) -> set[str]:
    asked = [{**node, **node.get("each", {})} for node in definition["nodes"]]
    return {one["agent"] for one in asked if "agent" in one}
