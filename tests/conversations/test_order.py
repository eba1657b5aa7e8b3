"""Messages stand by number, then by time; one without a number takes the next at arrival."""

from tests.clients import Api, opened, said, told


async def contents(api: Api, conversation: str) -> list[str]:
    return [message["content"] for message in await api.messages(conversation)]


async def test_messages_stand_by_number_whenever_they_come(api: Api) -> None:
    conversation = await api.start()
    for number in (3, 1, 2, 0):
        await api.say(conversation, f"line {number}", sequence_number=number)

    assert await contents(api, conversation) == ["line 0", "line 1", "line 2", "line 3"]


async def test_messages_of_one_number_stand_by_time(api: Api) -> None:
    conversation = await api.start()
    for second in (3, 1, 2):
        message = said(conversation, f"second {second}", sequence_number=1)
        await api.ingest("message.created", message, timestamp=f"2026-11-21T10:00:0{second}Z")

    assert await contents(api, conversation) == ["second 1", "second 2", "second 3"]


async def test_a_message_without_a_number_takes_the_next(api: Api) -> None:
    conversation = await api.start()
    await api.say(conversation, "one")
    await api.say(conversation, "ten", sequence_number=10)
    await api.say(conversation, "three", sequence_number=3)
    await api.say(conversation, "eleven", "twelve")

    numbers = [message["sequenceNumber"] for message in await api.messages(conversation)]

    assert numbers == [1, 3, 10, 11, 12]
    assert (await contents(api, conversation))[-2:] == ["eleven", "twelve"]


async def test_both_dialects_number_alike(api: Api) -> None:
    answer = await api.ingest("conversation.started", opened())
    conversation = answer.json()["conversationId"]
    await api.ingest("message.created", told(conversation, "five", sequenceNumber=5))
    await api.ingest("message.created", told(conversation, "six"))
    await api.ingest("message.created", told(conversation, "four", sequenceNumber=4))

    assert await contents(api, conversation) == ["four", "five", "six"]


async def test_the_largest_number_has_no_next(api: Api) -> None:
    conversation = await api.start()
    await api.say(conversation, "last", sequence_number=2**63 - 1)
    await api.say(conversation, "after")

    assert [m["sequenceNumber"] for m in await api.messages(conversation)] == [2**63 - 1] * 2
