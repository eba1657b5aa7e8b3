"""A request costs what genai-prices says, and what it does not know is free and said."""

import logging
import socket
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price

from agents.backends.prices import _say_unpriced, cost_of

USAGE = Usage(
    input_tokens=123_457, output_tokens=7_891, cache_read_tokens=50_001, cache_write_tokens=20_003
)


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> None:
    _say_unpriced.cache_clear()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("prices are looked up offline")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-3-5-haiku-latest"])
def test_a_model_costs_what_its_vendor_asks_at_any_address(model: str) -> None:
    expected = calc_price(USAGE, model, provider_id="anthropic").total_price
    assert expected > 0
    for address in ("https://api.anthropic.com", "http://127.0.0.1:1", ""):
        assert cost_of(USAGE, model=model, vendor="anthropic", address=address) == expected


def test_a_reseller_with_an_address_of_its_own_has_its_own_prices() -> None:
    address, model = "https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4.5"
    expected = calc_price(USAGE, model, provider_api_url=address).total_price
    assert cost_of(USAGE, model=model, vendor="openai", address=address) == expected > 0


def test_a_model_nobody_knows_is_free_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert cost_of(USAGE, model="homemade", vendor="openai", address="") == Decimal(0)
    assert [record.getMessage() for record in caplog.records] == [
        "openai:homemade counts as free: its price is not known"
    ]


def test_a_count_that_makes_no_sense_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    more_cached_than_read = Usage(input_tokens=1, cache_read_tokens=2)
    with caplog.at_level(logging.WARNING):
        cost = cost_of(more_cached_than_read, model="gpt-4o", vendor="openai", address="")
    assert cost == Decimal(0)
    assert "openai:gpt-4o counts as free" in caplog.text
