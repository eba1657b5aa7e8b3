"""Searching the record: what is found, in what order, where, and how soon."""

from tests.clients import Api, Json

LIST = "/api/conversations"


async def search(api: Api, query: str, **filters: object) -> list[Json]:
    answer = await api.get(LIST, params={"q": query, **filters})
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def found(api: Api, query: str, **filters: object) -> list[str]:
    return [item["id"] for item in await search(api, query, **filters)]


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
        [[start, end]] = match["highlights"]
        assert match["text"][start:end].lower() == query
    assert await found(api, "lion") == []
