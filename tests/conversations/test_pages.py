"""The pages of the record, as the server renders them: read without scripts, edited by forms."""

import re
from html import unescape
from itertools import chain
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import Client

from conversations.ingest.receive import receive
from conversations.models import Conversation, Project
from conversations.services import make_key
from tests.clients import Api, said, started

Html = str


async def page(api: Api, address: str) -> Html:
    answer = await api.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def names(html: Html) -> list[str]:
    found = re.findall(r'conversation__name"[^>]*>([^<]*)<', html)
    return [unescape(name) for name in found]


def texts(html: Html) -> list[str]:
    shown = html.split("<template>")[0]
    return [unescape(text) for text in re.findall(r'data-part="text">([^<]*)<', shown)]


def link(html: Html, words: str) -> str | None:
    seen = re.sub(r"<p[^>]* hidden>.*?</p>", "", html)
    found = re.search(rf'href="([^"]*)"[^>]*>{words}<', seen)
    return unescape(found[1]) if found else None


def at(minute: int) -> str:
    return f"2026-11-21T10:{minute // 60:02}:{minute % 60:02}Z"


async def talk(project: Project, lines: int, conversation_id: str = "tower") -> None:
    """A conversation of so many messages, one a second."""
    events = [
        {
            "type": "message.created",
            "timestamp": at(number),
            "data": said(
                conversation_id,
                f"line {number}",
                message_id=f"m/{number}",
                sequence_number=number + 1,
            ),
        }
        for number in range(lines)
    ]
    await sync_to_async(receive)(events, project=project)


# The list


async def test_the_list_goes_on_to_older_ones(api: Api, project: Project) -> None:
    events = [
        {"type": "conversation.started", "data": started(f"s-{number}"), "timestamp": at(number)}
        for number in range(60)
    ]
    await sync_to_async(receive)(events, project=project)
    await sync_to_async(Conversation.objects.update)(name="")

    first = await page(api, "/conversations")
    older = link(first, "Show older")
    assert older is not None
    rest = await page(api, f"/conversations{older}")

    assert names(first) + names(rest) == [f"s-{number}" for number in range(59, -1, -1)]
    assert "60 in all, 60 active" in first
    assert link(rest, "Show older") is None
    assert link(rest, "Back to the newest")


async def test_filters_in_the_address_stay_in_the_form_and_in_the_links(api: Api) -> None:
    for number in range(55):
        await api.start(f"r-{number}", mode="reactive", initial_prompt=f"Plan {number}")
    await api.start("other", initial_prompt="Another")

    html = await page(api, "/conversations?mode=reactive&status=active&agent=claude")

    assert len(names(html)) == 50
    assert "Another" not in names(html)
    assert "<option selected>reactive</option>" in html
    older = link(html, "Show older")
    assert older is not None
    assert "mode=reactive" in older
    assert len(names(await page(api, f"/conversations{older}"))) == 5
    assert "Nothing was found" in await page(api, "/conversations?mode=asleep")


async def test_what_is_sought_is_marked_and_leads_to_its_message(api: Api) -> None:
    await api.start("s-1", initial_prompt="Nothing of the kind")
    [there] = await api.say("s-1", "A tower of <b>stone</b> & steel")

    html = await page(api, "/conversations?q=stone")

    assert "A tower of &lt;b&gt;<mark>stone</mark>&lt;/b&gt; &amp; steel" in html
    assert f'href="/conversations/s-1?message={there}"' in html
    assert "1 found" in " ".join(html.split())


async def test_the_last_word_may_not_be_finished(api: Api) -> None:
    await api.start("s-1", initial_prompt="A tower of stone")

    for written, count in {"sto": 1, "tow": 1, "sto ": 0, '"sto"': 0, "sto tower": 0}.items():
        html = await page(api, f"/conversations?q={quote(written)}")
        assert len(names(html)) == count, written


async def test_a_page_that_is_open_asks_for_some_rows_only(api: Api) -> None:
    for name in ("s-1", "s-2", "s-3"):
        await api.start(name, initial_prompt=f"Plan {name}")

    html = await page(api, "/conversations?id=s-1&id=s-3&id=nobody&status=COMPLETED")

    assert sorted(names(html)) == ["Plan s-1", "Plan s-3"]


async def test_an_empty_project_says_what_to_do(api: Api) -> None:
    html = await page(api, "/conversations")

    assert "Nothing has been recorded yet" in html
    # Whoever does one after the other has a key when it is needed.
    assert 0 < html.index("export AGENTPIPE_API_KEY") < html.index("/api/ingest")


# One conversation


async def test_one_that_is_over_begins_at_the_beginning_a_live_one_at_its_end(
    api: Api, project: Project
) -> None:
    await talk(project, 120)

    live = texts(await page(api, "/conversations/tower"))
    end = {"conversation_id": "tower", "status": "completed"}
    await api.ingest("conversation.completed", end)
    over = texts(await page(api, "/conversations/tower"))

    assert live == [f"line {number}" for number in range(70, 120)]
    assert over == [f"line {number}" for number in range(50)]


async def test_links_walk_all_messages_both_ways(api: Api, project: Project) -> None:
    await talk(project, 120)

    async def walked(start: str, words: str) -> list[list[str]]:
        html = await page(api, f"/conversations/tower{start}")
        found = [texts(html)]
        while there := link(html, words):
            html = await page(api, f"/conversations/tower{there}")
            found.append(texts(html))
        return found if words.startswith("Later") else found[::-1]

    forth = await walked("?after=", "Later messages")
    back = await walked("?before=", "Earlier messages")

    lines = [f"line {number}" for number in range(120)]
    assert list(chain(*forth)) == lines
    assert list(chain(*back)) == lines


async def test_a_link_to_a_message_and_to_a_time_shows_what_stands_around_it(
    api: Api, project: Project
) -> None:
    await talk(project, 120)

    by_id = await page(api, "/conversations/tower?message=m%2F60")
    by_time = await page(api, "/conversations/tower?at=2026-11-21T10:01:00Z")

    assert texts(by_id) == texts(by_time) == [f"line {number}" for number in range(50, 100)]
    assert 'target="m/60"' in by_id
    assert 'target="m/60"' in by_time
    late = texts(await page(api, "/conversations/tower?at=2027-01-01T00:00"))
    assert late[-1] == "line 119"
    for unfit in ("message=nobody", "message=a%00", "at=noon", "after=nobody"):
        assert (await api.get(f"/conversations/tower?{unfit}")).status_code == 400


async def test_costs_of_a_command_line_tool_are_called_estimates(api: Api) -> None:
    await api.start("s-1")
    await api.say("s-1", "one", tokens_used=1200, cost=0.0042, duration_ms=3200, model="opus")

    html = " ".join((await page(api, "/conversations/s-1")).split())

    assert "1,200 tokens" in html
    assert "$0.0042 (estimate)" in html
    assert "3.2 s" in html
    assert "<b" in html
    assert 'data-part="model">opus<' in html


async def test_markup_in_names_and_messages_is_text(api: Api) -> None:
    attack = "</markdown-text></template><script>hit()</script>"
    await api.start("s-1", initial_prompt=attack)
    await api.say("s-1", attack, agent_name=attack, model=attack)

    for address in ("/conversations", "/conversations/s-1", "/conversations?q=script"):
        assert "<script>hit" not in await page(api, address)


async def test_forms_change_the_name_and_the_notes_and_delete(api: Api) -> None:
    await api.start("a/b", initial_prompt="Plan")
    address = "/conversations/a/b"

    renamed = await api.post(address, data={"name": "A <tower>"})
    noted = await api.post(address, data={"notes": "Look at\nline 3 "})
    html = await page(api, address)

    assert (renamed.status_code, renamed.headers["location"]) == (302, address)
    assert noted.status_code == 302
    assert "A &lt;tower&gt;</h1>" in html
    assert "Look at\nline 3 </textarea>" in html
    for unfit in ({"name": ""}, {"name": "x" * 201}, {}, {"do": "nothing"}):
        assert (await api.post(address, data=unfit)).status_code == 400

    gone = await api.post(address, data={"do": "delete"})

    assert (gone.status_code, gone.headers["location"]) == (302, "/conversations?project=tower")
    assert (await api.get(address)).status_code == 404


def test_a_form_of_somebody_elses_page_changes_nothing(project: Project, alice: User) -> None:
    receive([{"type": "conversation.started", "data": started("s-1")}], project=project)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)

    answer = browser.post(
        "/conversations/s-1", "do=delete", content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code == 403
    assert Conversation.objects.filter(public_id="s-1").exists()


def test_a_reader_without_leave_to_write_changes_nothing(project: Project) -> None:
    receive([{"type": "conversation.started", "data": started("s-1")}], project=project)
    reader = make_key(project, "reader", scopes=["read"])[1]

    answer = Client().post(
        "/conversations/s-1",
        "do=delete",
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {reader}"},
    )

    assert answer.status_code == 403
