from collections.abc import AsyncIterator

import pytest
from pytest_django import Settings

from tests.vendors import FakeVendors


@pytest.fixture
async def vendors(settings: Settings) -> AsyncIterator[FakeVendors]:
    """Where models are asked in this test."""
    with FakeVendors() as vendors:
        for name, value in vendors.settings.items():
            setattr(settings, name, value)
        yield vendors
        from agents.backends import vendors as connections

        await connections.close()
