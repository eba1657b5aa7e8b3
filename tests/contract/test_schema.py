"""The OpenAPI document: without complaints, and true of what was agreed."""

import json
import re
from typing import Any

import pytest
from django.urls import resolve
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from tests.clients import Json
from tests.contract import golden

# drf-spectacular has no types for these.
GENERATOR: Any = SchemaGenerator
VALIDATE: Any = validate_schema


@pytest.fixture(scope="module")
def document() -> Json:
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        found: Json = GENERATOR().get_schema(request=None, public=True)
    return found


def test_it_is_made_without_complaint(document: Json) -> None:
    VALIDATE(document)
    complaints = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    assert complaints == []


def test_doors_are_shown_in_groups_of_what_they_are_about(document: Json) -> None:
    groups = {
        path: set(door["get"]["tags"]) for path, door in document["paths"].items() if "get" in door
    }

    assert groups["/api/conversations/{conversation}/messages"] == {"conversations"}
    assert groups["/api/projects/{project}"] == {"projects"}
    assert groups["/api/projects/{project}/runs/{run}"] == {"runs"}


@pytest.mark.parametrize("name", golden.files("agents"))
def test_what_agents_answer_is_what_it_says(document: Json, name: str) -> None:
    for step in golden.read("agents", name)["answers"]:
        if step["status"] < 400:
            method, _, target = step["request"].partition(" ")
            schema = _schema_of(document, method, target.partition("?")[0], step["status"])
            validator = Draft202012Validator({**schema, "components": document["components"]})
            # What was measured has a name in the files.
            answer = json.loads(re.sub(r'"\$\w*(ms|Ms|search|documents)"', "1", json.dumps(step)))
            assert [error.message for error in validator.iter_errors(answer["answer"])] == []


def _schema_of(document: Json, method: str, path: str, status: int) -> Json:
    template = "/" + str(resolve(path).route)
    template = re.sub(r"<str:(\w+)>", r"{\1}", template)
    answers = document["paths"][template][method.lower()]["responses"]
    assert str(status) in answers, (method, template, status)
    found: Json = answers[str(status)]["content"]["application/json"]["schema"]
    return found
