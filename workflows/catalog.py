"""The workflows that come with the server: each a file of YAML, as anybody would write it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from workflows.writing import read_yaml

SHIPPED = Path(__file__).parent / "shipped"


@cache
def shipped() -> Mapping[str, dict[str, Any]]:
    """Definitions by name."""
    found = [read_yaml(path.read_bytes()) for path in sorted(SHIPPED.glob("*.yaml"))]
    return {definition["name"]: definition for definition in found}
