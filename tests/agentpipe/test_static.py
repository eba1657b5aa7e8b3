"""Styles, scripts and pictures: kept by browsers for good, asked for again after a change."""

import gzip
import re
from pathlib import Path

import pytest
from django.templatetags.static import static
from structlog.testing import capture_logs

from agentpipe.static import _places, state_of
from tests.clients import Api

STATIC = Path(__file__).parents[2] / "static"
OLD = "/static/v-0123456789abcdef/css/base.css"


@pytest.fixture
async def anyone() -> Api:
    return Api()


async def test_what_a_page_names_is_kept_for_good(anyone: Api) -> None:
    page = await anyone.get("/login")
    addresses = re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text)
    assert len(addresses) > 5

    for address in addresses:
        answer = await anyone.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        lies_at = STATIC / address.split("/", 3)[3]
        assert answer.content == lies_at.read_bytes()


async def test_modules_find_each_other_beside_them(anyone: Api) -> None:
    beside = static("js/elements/project-feed.js").replace("elements/project-feed", "hue")

    answer = await anyone.get(beside)

    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("address", [OLD, "/static/css/base.css"])
async def test_other_addresses_of_a_file_are_asked_for_again(anyone: Api, address: str) -> None:
    first = await anyone.get(address)
    known = {"If-None-Match": first.headers["etag"]}

    assert first.headers["cache-control"] == "no-cache"
    assert (await anyone.get(address, headers=known)).status_code == 304
    stale = {"If-None-Match": 'W/"0123456789abcdef"'}
    assert (await anyone.get(address, headers=stale)).content == first.content


async def test_texts_are_compressed_for_those_who_can_read_them(anyone: Api) -> None:
    address = static("vendor/uplot/uPlot.esm.js")

    async with anyone.stream("GET", address, headers={"Accept-Encoding": "gzip, br"}) as answer:
        sent = b"".join([piece async for piece in answer.aiter_raw()])
    plain = await anyone.get(address, headers={"Accept-Encoding": "identity"})

    assert answer.headers["content-encoding"] == "gzip"
    assert len(sent) == int(answer.headers["content-length"]) < len(plain.content) / 3
    assert gzip.decompress(sent) == plain.content
    assert "content-encoding" not in plain.headers
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


async def test_a_head_has_the_length_and_no_body(anyone: Api) -> None:
    answer = await anyone.head(static("icons.svg"), headers={"Accept-Encoding": "identity"})

    assert int(answer.headers["content-length"]) == len((STATIC / "icons.svg").read_bytes())
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.content == b""


@pytest.mark.parametrize(
    "path", ["/static/none.css", "/static/", "/static/../manage.py", "/static/%2e%2e/manage.py"]
)
async def test_nothing_else_is_served(anyone: Api, path: str) -> None:
    assert (await anyone.get(path)).status_code == 404


async def test_a_file_is_no_place_to_post_to(anyone: Api) -> None:
    assert (await anyone.post("/static/css/base.css")).status_code == 404


async def test_a_file_that_has_gone_since_the_start_is_not_found_and_told_of(
    anyone: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = str(tmp_path / "gone.css")
    monkeypatch.setitem(_places(), "css/gone.css", gone)

    with capture_logs() as lines:
        answer = await anyone.get("/static/css/gone.css")

    assert (answer.status_code, answer.content) == (404, b"")
    assert [(line["event"], line["place"]) for line in lines] == [("static_file_gone", gone)]
    assert (await anyone.get("/static/css/base.css")).status_code == 200


def test_a_change_gives_all_of_them_other_addresses(tmp_path: Path) -> None:
    places = {name: str(tmp_path / name) for name in ("a.js", "b.css")}
    for place in places.values():
        Path(place).write_text("as it was")
    before = state_of(places)

    assert state_of(places) == before
    Path(places["b.css"]).write_text("as it is ")
    assert state_of(places) != before
