"""Texts as people are shown them: short, on one line, and without what no database holds."""

import json
import math
import re
from typing import Any

LONGEST_LINE = 200
LONGEST_VALUE = 80
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def cleaned(text: str) -> str:
    """What PostgreSQL and JSON have no place for becomes U+FFFD."""
    return _UNFIT.sub("\ufffd", text)


def storable(value: Any) -> Any:
    """The same in all of a JSON value; numbers that JSON does not know become null."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, dict):
        return {cleaned(name): storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summary_of(arguments: dict[str, Any]) -> str:
    """Arguments as one would write them: `query='CSR', limit=5`."""
    written = (f"{name}={_value(value)}" for name, value in arguments.items())
    return one_line(cleaned(", ".join(written)))


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _value(value: Any) -> str:
    written = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return written if len(written) <= LONGEST_VALUE else f"{written[: LONGEST_VALUE - 1]}…"
