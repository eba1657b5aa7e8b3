"""Searching the record: what is found, in what order, and where."""

from itertools import pairwise

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import search as room
from conversations.ingest.receive import receive
from conversations.models import (
    SLICE_BITS,
    SLICES,
    Conversation,
    Message,
    Project,
    SearchDocument,
    Unindexed,
)
from conversations.search.words import FOLDED, composed, fold, words_of
from conversations.services import make_key
from tests.clients import NOW, Api, said, started
from tests.conversations.searched import LIST, found, highlighted, record_many, search


async def test_words_are_found_in_names_prompts_and_messages(api: Api) -> None:
    await api.start("s-1", name="Tiger tales", initial_prompt="Tell me of stripes")
    [message] = await api.say("s-1", "It walks at night")

    for query, field, message_id in (
        ("tiger", "name", None),
        ("stripes", "prompt", None),
        ("night", "content", message),
    ):
        [item] = await search(api, query)
        [match] = item["matches"]
        assert (match["field"], match["messageId"]) == (field, message_id)
        assert highlighted(match) == [query.title() if field == "name" else query]
    assert await found(api, "lion") == []


async def test_only_a_search_shows_matches(api: Api) -> None:
    await api.start("s-1", initial_prompt="Tell me of stripes")

    [plain] = (await api.get(LIST)).json()["items"]
    [matching] = await search(api, "stripes")

    assert matching.keys() - plain.keys() == {"matches"}
    assert {name: matching[name] for name in plain} == plain


@pytest.mark.parametrize(
    ("said", "query", "is_found"),
    [
        ("The quick brown fox", "brown quick", True),
        ("The quick brown fox", "quick red", False),
        ("The quick brown fox", '"quick brown"', True),
        ("The quick brown fox", '"brown quick"', False),
        ("The quick brown fox", "“quick brown”", True),
        ("The quick brown fox", "qui", False),
        ("The quick brown fox", "qui*", True),
        ("The quick brown fox", "qui* fo*", True),
        ("The quick brown fox", "quick -red", True),
        ("The quick brown fox", "quick -brown", False),
        ("The quick brown fox", 'quick -"brown fox"', False),
        ("The quick brown fox", 'quick -"fox brown"', True),
        ("The quick brown fox", 'fox "quick bro', False),
        ("Run it with --verbose", "--verbose", True),
        ("see src/app/foo_bar.py:12", "foo_bar.py", True),
        ("see src/app/foo_bar.py:12", "app", True),
        ("see src/app/foo_bar.py:12", "bar.foo", False),
        ("see https://example.org/a?b=c#d", "example.org", True),
        ("mail to ada@example.org", "ada@example.org", True),
        ("<div class='row'>hello</div>", "row div", True),
        ("getUserName()", "getusername", True),
        ("Café à la crème", "cafe creme", True),
        ("Cafe a la creme", "CAFÉ", True),
        ("Cafe\u0301", "café", True),
        ("Die große Straße", "STRASSE", True),
        ("Добрый вечер, Москва", "москва", True),
        ("Ещё раз", "еще", True),
        ("Πού είναι Οδυσσεύς", "οδυσσευσ", True),
        ("السَّلامُ عليكم", "السلام", True),
        ("हिन्दी में लिखो", "हिन्दी", True),
        ("東京都に住んでいます", "東京", True),
        ("東京都に住んでいます", "京都", True),
        ("東京都に住んでいます", "都", True),
        ("東京都に住んでいます", "す", True),
        ("東京都に住んでいます", "東都", False),
        ("東京都に住んでいます", '"東京 都"', False),
        ("ｶﾞｲﾄﾞを読む", "ガイド", True),
        ("我们明天去北京大学", "北京大学", True),
        ("我们明天去北京大学", "大北", False),
        ("用Python写代码", "python 代码", True),
        ("用Python写代码", "用python写", True),
        ("ฉันชอบกินข้าวผัด", "ข้าวผัด", True),
        ("저는 서울에서 살아요", "서울", True),
        ("ship it 🚀🎉", "🎉", True),
        ("well done 👍🏽", "👍", True),
        ("only this", "🎉", False),
    ],
)
async def test_what_people_type_finds_what_was_said(
    api: Api, said: str, query: str, is_found: bool
) -> None:
    await api.start("s-1", initial_prompt="")
    [message] = await api.say("s-1", said)

    items = await search(api, query)

    assert [item["id"] for item in items] == (["s-1"] if is_found else [])
    for item in items:
        [match] = item["matches"]
        assert (match["messageId"], match["text"]) == (message, match["text"])
        assert highlighted(match)


@pytest.mark.parametrize(
    "nothing", ["...", '"', "*", "-", "-night", "''", "\\", "\u200b", "()|&!:*"]
)
async def test_what_asks_for_nothing_finds_nothing(api: Api, nothing: str) -> None:
    await api.start("s-1", initial_prompt="It walks at night")

    answer = await api.get(LIST, params={"q": nothing})

    assert (answer.status_code, answer.json()["total"]) == (200, 0)


async def test_an_empty_search_is_none(api: Api) -> None:
    await api.start("s-1")

    [item] = await search(api, "")

    assert "matches" not in item


async def test_a_name_counts_more_than_a_prompt_and_a_prompt_more_than_a_message(api: Api) -> None:
    await api.start("name", name="All of tigers", initial_prompt="")
    await api.start("prompt", name="One", initial_prompt="All of tigers")
    await api.start("message", name="Two", initial_prompt="")
    await api.say("message", "All of tigers")

    assert await found(api, "tigers") == ["name", "prompt", "message"]


async def test_of_equals_the_newest_comes_first(api: Api) -> None:
    for conversation in ("s-1", "s-2", "s-3"):
        await api.start(conversation, initial_prompt="tigers")

    assert await found(api, "tigers") == ["s-3", "s-2", "s-1"]


async def test_a_conversation_shows_its_three_best_places(api: Api) -> None:
    await api.start("s-1", initial_prompt="")
    ids = await api.say(
        "s-1", "tiger " + "and so on " * 200, "tiger tiger", "a tiger", "tiger tiger tiger"
    )

    [item] = await search(api, "tiger")

    assert len(item["matches"]) == 3
    assert {match["messageId"] for match in item["matches"]} == set(ids[1:])


async def test_a_snippet_shows_where_the_words_stand_together(api: Api) -> None:
    around = "nothing of interest here at all, " * 30
    await api.start("s-1", initial_prompt="")
    await api.say("s-1", f"a tiger {around} the Bengāl TIGER sleeps 😀 {around}")

    [item] = await search(api, "bengal tiger")
    [match] = item["matches"]

    assert highlighted(match) == ["Bengāl", "TIGER"]
    assert match["text"].startswith("…")
    assert match["text"].endswith("…")
    assert "sleeps 😀" in match["text"]
    assert len(match["text"]) <= 162


async def test_filters_narrow_a_search(api: Api) -> None:
    await api.start("s-1", mode="reactive", initial_prompt="tigers")
    await api.start("s-2", initial_prompt="tigers")
    await api.ingest("conversation.completed", {"conversation_id": "s-2", "status": "completed"})
    await api.say("s-3", "tigers", agent_id="q-1", agent_type="qwen")
    await api.start("s-4", mode="reactive", initial_prompt="lions")

    for query, wanted in (
        ({"status": "completed"}, {"s-2"}),
        ({"status": "Active"}, {"s-1", "s-3"}),
        ({"mode": "reactive"}, {"s-1"}),
        ({"source": "cli"}, {"s-1", "s-2", "s-3"}),
        ({"source": "web"}, set()),
        ({"agent": "qwen"}, {"s-3"}),
        ({"agent": "q-1", "status": "active"}, {"s-3"}),
        ({"agent": "a\0"}, set()),
        ({"status": "", "mode": "", "agent": ""}, {"s-1", "s-2", "s-3"}),
    ):
        assert set(await found(api, "tigers", **query)) == wanted, query
    assert await found(api, "ti\0gers") == []


async def test_a_filter_is_applied_before_the_newest_are_ranked(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations.search.newest.CANDIDATES", 2)
    await api.start("old", mode="reactive", initial_prompt="tigers")
    for conversation in ("s-1", "s-2", "s-3"):
        await api.start(conversation, initial_prompt="tigers")

    assert await found(api, "tigers") == ["s-3", "s-2"]
    assert await found(api, "tigers", mode="reactive") == ["old"]


@pytest.mark.parametrize("believed", [1, 8])
async def test_the_newest_are_found_however_far_back_they_are(
    api: Api, monkeypatch: pytest.MonkeyPatch, believed: int
) -> None:
    """Among the near ones, in the slices that they suggest, and in all that is older."""
    monkeypatch.setattr("conversations.search.newest.TELLING", 2)
    monkeypatch.setattr("conversations.search.newest.BELIEVED", believed)
    monkeypatch.setattr("conversations.search.newest.CANDIDATES", 6)
    tigers = ["far-1", "far-2", "mid-1", "mid-2", "near-1", "near-2"]
    slices = iter([0, 7, 40, 52, 59, 60])
    for number, name in enumerate(tigers):
        await _go_to_slice(next(slices))
        await api.start(name, initial_prompt="big tigers" if number % 2 else "tigers big")
        await api.start(f"{name}-0", initial_prompt="lions")

    assert set(await found(api, "tigers")) == set(tigers)
    assert set(await found(api, "tig*")) == set(tigers)
    assert set(await found(api, '"big tigers"')) == {"far-2", "mid-2", "near-2"}
    assert set(await found(api, "tigers -lions", mode="round-robin")) == set(tigers)
    assert await found(api, "bears") == []
    monkeypatch.setattr("conversations.search.newest.CANDIDATES", 3)
    assert set(await found(api, "tigers")) == set(tigers[3:])
    assert set(await found(api, "tig*")) == set(tigers[3:])


async def _go_to_slice(number: int) -> None:
    """What is read for search from here on is so far behind the first of all."""
    await sync_to_async(room.index_all)()
    await sync_to_async(_skip_ids)(number << SLICE_BITS)


def _skip_ids(first: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('conversations_searchdocument', 'id'), %s)",
            [1_000_000 + first],
        )


def test_only_the_slices_that_are_asked_for_are_looked_at(project: Project) -> None:
    """What is common costs no more in a large record than in a small one."""
    record_many(project, 30)
    room.index_all()
    slices = "{%s}" % ((project.pk << 32) | (1 << 40))  # far ahead of all that is there

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM conversations_searchdocument"
            f" WHERE words @@ 'tigers'::tsquery AND {SLICES} && %s::bigint[]",
            [slices],
        )
        [(plans,)] = cursor.fetchall()

    [index] = plans[0]["Plan"]["Plans"]
    assert index["Index Name"] == "documents_by_slice"
    assert index["Actual Rows"] == 0


async def test_a_search_has_pages(api: Api) -> None:
    for number in range(5):
        await api.start(f"s-{number}", initial_prompt="tigers")
    pages = [
        (await api.get(LIST, params={"q": "tigers", "page": page, "page_size": 2})).json()
        for page in (1, 2, 3, 4)
    ]

    assert [[item["id"] for item in page["items"]] for page in pages] == [
        ["s-4", "s-3"],
        ["s-2", "s-1"],
        ["s-0"],
        [],
    ]
    assert {(page["total"], page["total_pages"]) for page in pages} == {(5, 3)}
    assert [page["has_more"] for page in pages] == [True, True, False, False]


async def test_a_search_stays_in_its_project(api: Api) -> None:
    other = await Project.objects.acreate(slug="cellar")
    _, key = await sync_to_async(make_key)(other, "tests")
    await api.start("s-1", initial_prompt="tigers")
    async with Api(key) as elsewhere:
        await elsewhere.start("s-2", initial_prompt="tigers")

        assert await found(api, "tigers") == ["s-1"]
        assert await found(elsewhere, "tigers") == ["s-2"]


async def test_a_conversation_is_found_under_the_name_it_has(api: Api) -> None:
    await api.say("s-1", "Early")  # opened, under a name of the server's giving
    assert await found(api, "conversation") == ["s-1"]

    await api.start("s-1", name="Tiger tales", initial_prompt="stripes")

    assert await found(api, "tiger stripes") == ["s-1"]
    assert await found(api, "conversation") == []


async def test_a_phrase_does_not_reach_from_the_name_into_the_prompt(api: Api) -> None:
    await api.start("s-1", name="Tiger tales", initial_prompt="of stripes")

    assert await found(api, "tales of") == ["s-1"]
    assert await found(api, '"tales of"') == []


async def test_long_messages_are_found_by_any_part(api: Api) -> None:
    """Unique words of every length, blobs without a space, and a megabyte of pairs."""
    pairs = "".join(chr(0x4E00 + (number * 7919) % 20000) for number in range(300_000))
    words = " ".join(f"w{number}" for number in range(60_000))
    blob = "x" * 1_000_000
    await api.start("s-1", initial_prompt="")
    await api.say("s-1", pairs, words, blob, f"start {'y' * 9_990} the end {'z ' * 20_000} last")

    for query in (
        pairs[:2],
        pairs[-3:],
        pairs[9_990:10_010],
        pairs[123_456:123_460],
        "w0",
        '"w30000 w30001"',
        "w59999",
        "x" * 900,
        '"the end"',
        "last",
    ):
        [item] = await search(api, query)
        assert highlighted(item["matches"][0]), query
    assert await sync_to_async(Unindexed.objects.count)() == 0


async def test_phrases_hold_at_every_cut(api: Api) -> None:
    words = [f"w{number}" for number in range(12_000)]
    await api.start("s-1", initial_prompt="")
    await api.say("s-1", " ".join(words))

    pieces = await sync_to_async(SearchDocument.objects.filter(message__isnull=False).count)()
    assert pieces == 0  # nobody has read it yet
    assert await found(api, "w1") == ["s-1"]
    starts = [
        start
        async for start in SearchDocument.objects.filter(message__isnull=False).values_list(
            "start", flat=True
        )
    ]
    assert len(starts) > 5
    text = " ".join(words)
    for start in starts:
        near = text[max(0, start - 30) : start + 30].split()[1:-1]
        for first, second in pairwise(near):
            assert await found(api, f'"{first} {second}"') == ["s-1"]


def test_other_rooms_find_places_by_message(project: Project) -> None:
    record_many(project, 3)
    receive([{"type": "message.created", "data": said("s-2", "tigers elsewhere")}], project=project)
    conversation = Conversation.objects.get(public_id="s-1")

    hits = room.find(project, "tigers", limit=2, conversation=conversation)
    everywhere = room.find(project, "tigers", limit=10)

    assert len(hits) == 2
    assert {hit.conversation for hit in hits} == {"s-1"}
    assert {hit.message for hit in hits} <= set(Message.objects.values_list("public_id", flat=True))
    assert hits[0].snippet.text.startswith("tigers")
    assert hits[0].rank >= hits[1].rank
    assert len(everywhere) == 4


def test_a_search_costs_the_same_queries_at_any_size(project: Project, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    for number in range(12):
        start = {"type": "conversation.started", "data": started(f"s-{number}"), "timestamp": NOW}
        messages = [
            {"type": "message.created", "data": said(f"s-{number}", f"tigers {line}")}
            for line in range(4)
        ]
        receive([start, *messages], project=project)
    room.index_all()

    def queries(filters: str, size: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(f"{LIST}?q=tigers&page_size={size}{filters}")
        assert [len(item["matches"]) for item in answer.json()["items"]] == [3] * min(size, 12)
        return len(captured)

    for filters in ("", "&agent=claude", "&status=active"):
        assert queries(filters, 2) == queries(filters, 10)


async def test_a_deleted_conversation_is_not_found(api: Api) -> None:
    await api.start("s-1", initial_prompt="tigers")
    await api.say("s-1", "tigers")
    assert await found(api, "tigers") == ["s-1"]

    await api.say("s-1", "late tigers")  # waits to be read as the conversation goes
    assert (await api.delete(f"{LIST}/s-1")).status_code == 200

    assert await found(api, "tigers") == []


nonsense = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    "\"*-\\'()&|!:<> aé東", max_size=40
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=nonsense, query=nonsense)
def test_nonsense_is_read_and_asked_for_like_anything_else(
    project: Project, content: str, query: str
) -> None:
    content = content.replace("\0", "\ufffd")
    conversation, _ = Conversation.objects.get_or_create(
        project=project, public_id="s-1", defaults={"started_at": NOW}
    )
    message = Message.objects.create(
        project=project,
        conversation=conversation,
        public_id=str(Message.objects.count()),
        content=content,
        timestamp=NOW,
        sequence_number=1,
    )
    room.queue(project.pk, named=[], messages=[(conversation.pk, message.pk)])

    room.find(project, query, limit=3)
    if words := words_of(content)[:20]:
        phrase = '"' + " ".join(content.replace('"', " ").split()[:3]) + '"'
        hits = room.find(project, phrase, limit=10**6)
        assert not words_of(phrase) or message.public_id in {hit.message for hit in hits}, words
    message.delete()
    SearchDocument.objects.all().delete()


@given(text=st.text())
def test_a_text_folds_character_by_character(text: str) -> None:
    """Or what is highlighted would not be what was found."""
    assert fold(text) == "".join(FOLDED[ord(char)] for char in composed(text))
    assert fold(fold(text)) == fold(text)
