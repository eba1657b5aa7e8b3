"""What goes wrong at a vendor is told apart: what may pass, and what will not."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
from django.utils import timezone
from pytest_django import Settings

from agents.errors import BackendFailed, BackendUnavailable
from tests.agents.models.asking import ANTHROPIC, BOTH, OPENAI, Recorder, answered, assignment
from tests.services import free_port
from tests.vendors import Answer, Drop, Failure, FakeVendors, Refusal, Text, ToolUse, Wait

KEYS = ("sk-ant-tests", "sk-tests")


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (Refusal(status=429), "wants fewer requests"),
        (Refusal(status=500), "failed"),
        (Refusal(status=502, message="<html>Bad gateway</html>"), "failed"),
        (Refusal(status=503), "overloaded"),
        (Refusal(status=529), "overloaded"),
        (Refusal(status=408), "failed"),
    ],
)
async def test_what_may_pass_is_worth_another_attempt(
    vendors: FakeVendors, model: str, refusal: Refusal, said: str
) -> None:
    vendors.play(refusal)
    with pytest.raises(BackendUnavailable, match=said):
        await answered(assignment(model))
    # Who runs the agent tries again, and says so; nobody does in secret.
    assert len(vendors.requests) == 1


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
async def test_the_vendor_says_how_long_to_wait(
    vendors: FakeVendors, model: str, headers: dict[str, str], seconds: float | None
) -> None:
    vendors.play(Refusal(status=429, headers=headers))
    with pytest.raises(BackendUnavailable) as caught:
        await answered(assignment(model))
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize("model", BOTH)
async def test_the_vendor_says_until_when_to_wait(vendors: FakeVendors, model: str) -> None:
    until = timezone.now() + timedelta(seconds=60)
    vendors.play(Refusal(status=529, headers={"Retry-After": format_datetime(until, usegmt=True)}))
    with pytest.raises(BackendUnavailable) as caught:
        await answered(assignment(model))
    assert caught.value.retry_after_s == pytest.approx(60, abs=10)


@pytest.mark.parametrize(
    ("model", "refusal", "said"),
    [
        (ANTHROPIC, Refusal(status=400, message="bad field"), "Anthropic refused .*: bad field"),
        (ANTHROPIC, Refusal(status=401), "Anthropic refused the key in ANTHROPIC_API_KEY"),
        (ANTHROPIC, Refusal(status=403), "Anthropic refused the key in ANTHROPIC_API_KEY"),
        (
            ANTHROPIC,
            Refusal(status=404),
            "knows no model claude-haiku-4-5, or ANTHROPIC_BASE_URL is wrong",
        ),
        (ANTHROPIC, Refusal(status=413, message="too big"), r"refused the request \(413\)"),
        (
            ANTHROPIC,
            Refusal(status=400, message="prompt is too long: 9 tokens > 8 maximum"),
            "conversation has become too long for claude-haiku-4-5",
        ),
        (
            ANTHROPIC,
            Refusal(status=400, message="Your credit balance is too low"),
            "wants to be paid: Your credit balance is too low",
        ),
        (OPENAI, Refusal(status=400, message="bad field"), "server refused .*: bad field"),
        (OPENAI, Refusal(status=401), "refused the key in OPENAI_API_KEY"),
        (OPENAI, Refusal(status=404), "knows no model gpt-4o, or OPENAI_BASE_URL is wrong"),
        (
            OPENAI,
            Refusal(status=400, code="context_length_exceeded"),
            "conversation has become too long for gpt-4o",
        ),
        (OPENAI, Refusal(status=429, code="insufficient_quota"), "wants to be paid"),
    ],
)
async def test_what_will_not_pass_fails_at_once_and_says_why(
    vendors: FakeVendors, model: str, refusal: Refusal, said: str
) -> None:
    vendors.play(refusal)
    with pytest.raises(BackendFailed, match=said):
        await answered(assignment(model))
    assert len(vendors.requests) == 1


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("status", [400, 401, 422, 500])
async def test_no_key_is_told_though_the_vendor_repeats_it(
    vendors: FakeVendors, model: str, status: int
) -> None:
    vendors.play(Refusal(status=status, message=f"Wrong key: {' '.join(KEYS)}"))
    with pytest.raises((BackendFailed, BackendUnavailable)) as caught:
        await answered(assignment(model))
    assert KEYS[model == OPENAI] not in str(caught.value)


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize(
    ("end", "said"),
    [
        (Drop(), "The connection to .* broke"),
        (Drop(neatly=True), "The connection to .* broke"),
        (Failure(), "overloaded"),
        (Failure(kind="api_error", message="Internal"), "failed: Internal"),
        (Failure(kind="rate_limit_error"), "wants fewer requests"),
        (Failure(kind="new_kind_of_error", message="Hm"), "failed: Hm"),
    ],
)
async def test_a_stream_that_breaks_is_worth_another_attempt(
    vendors: FakeVendors, model: str, end: Any, said: str
) -> None:
    vendors.play(Answer(pieces=(Text(text="It is"), end)))
    with pytest.raises(BackendUnavailable, match=said):
        await answered(assignment(model))


@pytest.mark.parametrize("model", BOTH)
async def test_half_a_call_is_not_made(vendors: FakeVendors, model: str) -> None:
    tool = Recorder()
    vendors.play(
        Answer(pieces=(ToolUse(id="t1", name="look_up", arguments={"what": "it"}), Drop()))
    )
    with pytest.raises(BackendUnavailable):
        await answered(assignment(model, tool))
    assert tool.calls == []


@pytest.mark.parametrize("model", BOTH)
async def test_a_vendor_that_falls_silent_is_left(
    vendors: FakeVendors, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.backends.vendors.PATIENCE", httpx2.Timeout(5, read=0.2))
    vendors.play(Answer(pieces=(Text(text="It is"), Wait(seconds=60))))
    with pytest.raises(BackendUnavailable, match="silent for too long"):
        await answered(assignment(model))
    assert vendors.requests[0].over.wait(150)


@pytest.mark.parametrize("model", BOTH)
async def test_a_vendor_that_is_not_there_may_come_back(
    vendors: FakeVendors, model: str, settings: Settings
) -> None:
    settings.ANTHROPIC_BASE_URL = settings.OPENAI_BASE_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BackendUnavailable, match="cannot be reached"):
        await answered(assignment(model))


@pytest.mark.parametrize("model", BOTH)
async def test_an_answer_that_is_withheld_fails(vendors: FakeVendors, model: str) -> None:
    vendors.play(Answer(pieces=(Text(text="I"),), stop="refusal"))
    with pytest.raises(BackendFailed, match="declined to answer"):
        await answered(assignment(model))


@pytest.mark.parametrize(
    ("model", "variable"), [(ANTHROPIC, "ANTHROPIC_API_KEY"), (OPENAI, "OPENAI_API_KEY")]
)
async def test_without_a_key_it_says_which_variable_to_set(
    vendors: FakeVendors, model: str, variable: str, settings: Settings
) -> None:
    setattr(settings, variable, "")
    with pytest.raises(BackendFailed, match=f"set {variable}"):
        await answered(assignment(model))
    assert vendors.requests == []


@pytest.mark.parametrize("model", ["", "gpt-4o", "openai:", "mistral:large"])
async def test_a_model_of_nobody_we_know_fails(vendors: FakeVendors, model: str) -> None:
    with pytest.raises(BackendFailed, match="should be anthropic:NAME or openai:NAME"):
        await answered(assignment(model))
