from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

# Whatever these say of single events holds for both of the ways in which they come.
OF_INGEST = {
    "test_camel_case",
    "test_completion",
    "test_dialects",
    "test_identity",
    "test_order",
    "test_snake_case",
    "test_text_and_numbers",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    name = metafunc.module.__name__.rpartition(".")[2]
    if name in OF_INGEST and "way" in metafunc.fixturenames:
        metafunc.parametrize("way", ["short", "long"])


@pytest.fixture
def own_folder(settings: Settings, tmp_path: Path) -> None:
    """Files that wait to be imported wait in a folder of the test."""
    settings.DATA_DIR = tmp_path
