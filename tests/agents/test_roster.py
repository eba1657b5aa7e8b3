"""Backends are imported when they are asked for, and stay."""

import gc

from agents import roster


def test_no_collection_looks_at_a_library_of_models_again() -> None:
    roster.backend_of.cache_clear()
    frozen = gc.get_freeze_count()
    roster.backend_of("agents.backends.models.Model")
    assert gc.get_freeze_count() > frozen
    assert len(gc.get_objects()) < 20_000
