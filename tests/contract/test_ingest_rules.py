"""Every bound of the camelCase dialect, with what is just inside and what is just outside."""

import copy
import json
from typing import Any

import pytest

from tests.clients import Api, Json, opened
from tests.contract import golden

RULES = [
    pytest.param(contract["event"], contract["status"], rule, id=f"{name} {rule['rule']}")
    for name in golden.files("ingest")
    for contract in [golden.read("ingest", name)]
    for rule in contract["rules"]
]


@pytest.mark.parametrize(("event", "status", "rule"), RULES)
async def test_a_rule_takes_what_fits_and_refuses_what_does_not(
    api: Api, event: Json, status: int, rule: Json
) -> None:
    answer = await api.ingest("conversation.started", opened())
    conversation = answer.json()["conversationId"]

    events = [changed(event, rule["field"], value) for value in rule["passes"]]
    events += [changed(event, rule["field"], case["value"]) for case in rule["fails"]]
    body = json.dumps(events).replace("$conversation", conversation)
    headers = {"Content-Type": "application/json"}
    answer = await api.post("/api/ingest/batch", content=body, headers=headers)
    results = answer.json()["results"]

    refusals = [refusal(rule["field"], case) for case in rule["fails"]]
    passed, failed = results[: len(rule["passes"])], results[len(rule["passes"]) :]
    assert [result["status"] for result in passed] == [status] * len(passed), passed
    for index, result in enumerate(failed, start=len(passed)):
        assert result == {"index": index, "status": 400, **refusals[index - len(passed)]}


def refusal(field: str, case: Json) -> Json:
    message, code = case["message"], case["code"]
    path = [int(part) if part.isdigit() else part for part in field.split(".")]
    return {
        "error": "Validation failed",
        "message": message,
        "field": field,
        "details": [{"path": path, "message": message, "code": code}],
    }


def changed(event: Json, field: str, value: Any) -> Json:
    """The event with another value in one place, or with none."""
    event = copy.deepcopy(event)
    *path, last = (int(part) if part.isdigit() else part for part in field.split("."))
    target: Any = event
    for part in path:
        target = target[part]
    if value == "$absent":
        target.pop(last, None)
    else:
        target[last] = spelled_out(value)
    return event


def spelled_out(value: Any) -> Any:
    """`{"$times": ["x", 3]}` stands for `"xxx"`."""
    if isinstance(value, dict) and "$times" in value:
        what, times = value["$times"]
        return what * times
    return value
