"""Every rule of an uploaded session, with what it takes and what it refuses."""

import pytest

from tests.clients import Api, Json
from tests.contract import golden
from tests.contract.test_ingest_rules import changed, refusal

CONTRACT = golden.read("upload", "session")
RULES = [pytest.param(rule, id=rule["rule"]) for rule in CONTRACT["rules"]]


@pytest.mark.parametrize("rule", RULES)
async def test_a_rule_takes_what_fits_and_refuses_what_does_not(api: Api, rule: Json) -> None:
    for value in rule["passes"]:
        body = changed(CONTRACT["session"], rule["field"], value)
        answer = await api.post("/api/sessions/upload", json=body)
        assert answer.status_code == 201, (value, answer.text)
    for case in rule["fails"]:
        body = changed(CONTRACT["session"], rule["field"], case["value"])
        answer = await api.post("/api/sessions/upload", json=body)
        assert answer.status_code == 400, (case["value"], answer.text)
        assert answer.json() == refusal(rule["field"], case)
    assert (await api.get("/api/conversations")).json()["total"] == len(rule["passes"])
