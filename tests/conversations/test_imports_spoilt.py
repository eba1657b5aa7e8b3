"""What is wrong in a file is named, and stops nothing."""

import io
import json
import tracemalloc

import pytest

from conversations.upload import items
from tests.clients import Api, told
from tests.conversations.imported import (
    a_log,
    at,
    counts,
    imported,
    lines,
)

pytestmark = pytest.mark.usefixtures("own_folder")

MIB = 1024 * 1024


async def test_bad_lines_are_named_and_stop_nothing(api: Api) -> None:
    good = a_log("first", 2)
    bad = {"type": "message.created", "timestamp": at(3), "data": {"conversation_id": 7}}
    of_nowhere = {
        "type": "message.created",
        "timestamp": at(3),
        "data": told("c" + "1" * 24, "hello"),
    }
    written = lines(good[:2]) + b"\nnot json\n" + lines([bad, of_nowhere, 5, {}]) + lines(good[2:])

    job = await imported(api, written + b'{"type": "message.crea')

    assert (job["status"], counts(job), job["processed"]) == ("completed", (5, 0, 0, 6), 11)
    errors = {error["line"]: error["error"] for error in job["errors"]}
    assert list(errors) == [4, 5, 6, 7, 8, 12]
    assert errors[4].startswith("Invalid JSON")
    assert errors[5].startswith("Validation failed: data.")
    assert (errors[6], errors[7]) == ("Conversation not found", "Expected an object")


async def test_only_the_first_thousand_errors_are_kept_and_all_are_counted(api: Api) -> None:
    job = await imported(api, b"nonsense\n" * 1200)

    assert (job["failed"], len(job["errors"]), job["errors"][-1]["line"]) == (1200, 1000, 1000)


async def test_what_is_too_long_is_one_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "LARGEST", 10_000)
    monkeypatch.setattr(items, "PIECE", 1000)
    long = {**a_log("first")[0], "more": 'x"]' * 10_000}
    good = a_log("first", 2)

    by_line = await imported(api, lines([good[0], long, *good[1:]]))
    in_array = await imported(api, json.dumps([good[0], long, *good[1:]]).encode())

    assert counts(by_line) == (5, 0, 0, 1)
    assert by_line["errors"] == [{"line": 2, "error": items.TOO_LARGE}]
    assert counts(in_array) == (0, 5, 0, 1)


async def test_a_torn_array_is_one_error(api: Api) -> None:
    written = json.dumps(a_log("first", 2)).encode()

    job = await imported(api, written[:-20])

    assert (job["status"], counts(job)) == ("completed", (4, 0, 0, 1))


@pytest.mark.parametrize(
    ("opening", "closing", "most"), [(b"", b"\n", 4 * MIB), (b"[\n", b",\n", 8 * MIB)]
)
def test_what_is_too_long_is_never_held_whole(
    monkeypatch: pytest.MonkeyPatch, opening: bytes, closing: bytes, most: int
) -> None:
    monkeypatch.setattr(items, "LARGEST", 4 * MIB)
    monkeypatch.setattr(items, "LARGEST_PIECE", MIB)
    long = b'{"x": "' + b"y " * 10 * MIB + b'"}' + closing
    file = io.BytesIO(opening + long + long)

    tracemalloc.start()
    found = list(items.items(file))
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [item.fault for item in found][:2] == [items.TOO_LARGE] * 2
    assert held < most
