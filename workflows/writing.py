"""Definitions written as YAML: of it only what JSON knows as well.

No anchors, which can make kilobytes stand for gigabytes; no dates; and `on` and `no` are words.
"""

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

from conversations.ingest.reading import read_json


class InvalidYAML(Exception):
    """Invalid YAML"""


def read_yaml(body: bytes) -> Any:
    """Raises InvalidYAML, and InvalidJSON for what is nested too deeply."""
    try:
        value = yaml.load(body.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - made of SafeLoader
        return read_json(json.dumps(value, allow_nan=False).encode())
    except UnicodeDecodeError as error:
        raise InvalidYAML(f"the body is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise InvalidYAML("nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        raise InvalidYAML(_sentence(error)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidYAML(str(error).partition("\n")[0]) from error


def _sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}{error.problem}"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base has it

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="aliases are not read", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is a word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} is there twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
            key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep=deep)


def _resolve(name: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|false)$", "tf")
_resolve("null", r"^(?:null|~|)$", "n~")
_Loader.yaml_implicit_resolvers.setdefault("", []).append(
    ("tag:yaml.org,2002:null", re.compile(r"^$"))
)
_resolve("int", r"^-?(?:0|[1-9][0-9]{0,39})$", "-0123456789")
_resolve("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?$", "-0123456789")
