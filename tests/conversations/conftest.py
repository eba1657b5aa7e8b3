from pathlib import Path

import pytest
from pytest_django.fixtures import Settings


@pytest.fixture
def own_folder(settings: Settings, tmp_path: Path) -> None:
    """Files that wait to be imported wait in a folder of the test."""
    settings.DATA_DIR = tmp_path
