"""The guide answers from the record: what it finds, quotes, counts and says of itself."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from agents.backends.base import Agent, Assignment, Json, Turn
from agents.backends.guide import Guide
from agents.backends.guide.times import span_in
from agents.errors import BackendFailed
from agents.tools import Workplace, toolbox
from agents.tools.files import RunFiles
from conversations.models import Conversation, Message, Project
from tests.agents.scribes import Interrupted, MemoryScribe
from tests.clients import Api

GUIDE = Agent(
    id="guide",
    name="Guide",
    backend="agents.backends.guide.Guide",
    tools=("search_record", "read_conversation", "count_record"),
)


def assigned(
    project: Project,
    question: str,
    *,
    history: Sequence[Turn] = (),
    state: Json | None = None,
) -> Assignment:
    place = Workplace(
        project=project,
        files=RunFiles(0),
        scribe=MemoryScribe(),
        agents={},
        load=lambda agent: Guide(),
    )
    return Assignment(
        agent=GUIDE,
        prompt=question,
        history=history,
        tools=toolbox(GUIDE.tools, place),
        state=state,
    )


async def asked(project: Project, question: str, **options: Any) -> MemoryScribe:
    scribe = MemoryScribe()
    await Guide().answer(assigned(project, question, **options), scribe)
    assert "".join(scribe.pieces) == scribe.answer
    assert {item.status for item in scribe.plans[-1]} == {"completed"}
    return scribe


async def answer_to(project: Project, question: str, **options: Any) -> str:
    return (await asked(project, question, **options)).answer


@pytest.fixture
async def talks(api: Api) -> None:
    """Three conversations, about a release, an outage and a tower."""
    people = [
        {"agent_id": "a-1", "agent_type": "claude", "name": "Ada"},
        {"agent_id": "b-1", "agent_type": "gpt", "name": "Bob"},
    ]
    bob = {"agent_id": "b-1", "agent_type": "gpt", "agent_name": "Bob"}
    await api.start("release", name="Release plan", participants=people)
    await api.say(
        "release",
        "We freeze the branch on Wednesday. Marta signs off, because she owns the service.",
        "We ship version 2.4 on Friday at 10:00.",
        tokens_used=100,
        cost=0.25,
    )
    await api.say("release", "Then I write the rollback script.", **bob, tokens_used=10, cost=0.5)
    await api.start("outage", name="Incident 4711", initial_prompt="Checkout is down. Why?")
    await api.say("outage", "What changed at 14:00?")
    await api.say("outage", "A certificate expired at 14:00, and nobody was warned.", **bob)
    await api.ingest("conversation.completed", {"conversation_id": "outage", "status": "error"})
    await api.start("turm", name="東京タワー", initial_prompt="塔を建てる")
    await api.say("turm", "高さは四十二メートルに決まりました。色は赤です。")


async def test_the_sentence_that_answers_is_quoted_with_its_source(
    talks: None, project: Project
) -> None:
    answer = await answer_to(project, "When do we ship version 2.4?")

    assert "“We ship version 2.4 on Friday at 10:00.” — Ada [1]" in answer
    assert re.search(
        r"^1\. \[Release plan\]\(/conversations/release\) · .* UTC · Ada, Bob", answer, re.M
    )
    assert "Marta" not in answer


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("Who signs off?", "Marta signs off"),
        ("Why was there a certificate problem?", "A certificate expired"),
        ("tell me about certificates expiring", "A certificate expired"),
        ('Who said "rollback script"?', "Then I write the rollback script."),
        ("What did Bob say about the rollback?", "Then I write the rollback script."),
        ("塔の高さは何メートルですか", "高さは四十二メートルに決まりました。"),
        ("¿Quién habló de la version 2.4?", "We ship version 2.4"),
        ("Was wurde über rollback gesagt?", "Then I write the rollback script."),
    ],
)
async def test_questions_are_understood(
    talks: None, project: Project, question: str, quoted: str
) -> None:
    answer = await answer_to(project, question)
    assert f"“{quoted}" in answer
    assert "[1]" in answer


async def test_it_shows_how_it_goes_about_it(talks: None, project: Project) -> None:
    scribe = await asked(project, "When do we ship version 2.4?")

    assert list(scribe.calls) == ["record", "search-1", "read-1"]
    assert {call.status for call in scribe.calls.values()} == {"ok"}
    assert 3 <= len(scribe.plans[-1]) <= 4
    running = [
        [item.id for item in plan if item.status == "in_progress"] for plan in scribe.plans[:-1]
    ]
    assert running == [["1"], ["2"], ["3"], ["4"]]
    assert "I read it" in scribe.thoughts
    assert len(scribe.pieces) > 5


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("How many conversations are there?", "**3 conversations**"),
        ("how many conversations failed?", "**1 conversation** that failed"),
        ("How many conversations mention the certificate?", "**1 conversation** speaks of"),
        ("How many conversations mention unicorns?", "**No conversation** speaks of"),
        ("how many messages today?", "**6 messages** today"),
        ("What did it cost so far?", "**$1.0000**"),
        ("How much did Ada cost?", "**$0.5000** is Ada's"),
        ("how many tokens yesterday?", "**0 tokens** yesterday"),
        ("Which agent is the most expensive?", "**Ada**, with $0.5000"),
        ("Wie viele Gespräche gibt es?", "**3 conversations**"),
        ("сколько разговоров?", "**3 conversations**"),
    ],
)
async def test_counting_questions_get_figures(
    talks: None, project: Project, question: str, first: str
) -> None:
    assert (await answer_to(project, question)).startswith(first)


async def test_figures_are_told_agent_by_agent(talks: None, project: Project) -> None:
    for question in ("token usage", "compare Ada and Bob", "list the agents"):
        answer = await answer_to(project, question)
        assert "| Ada | 3 | 4 | 200 | $0.5000 |" in answer
        assert "| Bob | 2 | 2 | 10 | $0.5000 |" in answer


@pytest.mark.parametrize(
    ("question", "listed"),
    [
        ("latest conversations", ["東京タワー", "Incident 4711", "Release plan"]),
        ("what happened today?", ["東京タワー", "Incident 4711", "Release plan"]),
        ("which conversations failed?", ["Incident 4711"]),
        ("conversations with Bob", ["Incident 4711", "Release plan"]),
    ],
)
async def test_conversations_are_listed_newest_first(
    talks: None, project: Project, question: str, listed: list[str]
) -> None:
    answer = await answer_to(project, question)
    assert re.findall(r"^\d\. \[(.*?)\]", answer, re.M)[: len(listed)] == listed


async def test_one_conversation_is_told_from_its_beginning_to_its_end(
    talks: None, project: Project
) -> None:
    for question in ("Summarize Incident 4711", "What is the status of incident 4711?"):
        answer = await answer_to(project, question)
        assert "**Incident 4711** [1]: failed, 2 messages" in answer
        assert "It was asked: “Checkout is down. Why?”" in answer
        assert "“What changed at 14:00?”" in answer
    assert "**東京タワー** [1]" in await answer_to(project, "What is the last conversation?")
    assert "**Release plan** [1]" in await answer_to(project, "the first conversation")


@pytest.mark.parametrize(
    "question",
    ["Hello", "hi there!", "Who are you?", "What can you do?", "你好", "Danke!", "", "???", "help"],
)
async def test_who_greets_learns_what_there_is_and_what_to_ask(
    talks: None, project: Project, question: str
) -> None:
    answer = await answer_to(project, question)
    assert "I am the guide" in answer
    assert "3 conversations, 6 messages" in answer
    assert "[東京タワー](/conversations/turm)" in answer


async def test_an_empty_record_says_how_to_fill_it(api: Api, project: Project) -> None:
    for question in ("Hello", "What did Ada say?", "how many conversations?"):
        assert "/api/ingest" in await answer_to(project, question)


async def test_what_is_not_there_is_not_made_up(talks: None, project: Project) -> None:
    answer = await answer_to(project, "What about quantum chromodynamics?")
    assert answer.startswith("I found nothing about **quantum**, **chromodynamics**")
    assert "“" not in answer
    assert "[東京タワー](/conversations/turm)" in answer


async def test_what_is_not_there_then_is_looked_for_elsewhere(
    talks: None, project: Project
) -> None:
    answer = await answer_to(project, "What was said about the certificate yesterday?")
    assert answer.startswith("Nothing yesterday has this. Elsewhere: ")
    assert "“A certificate expired" in answer


async def test_a_question_that_points_back_is_about_the_one_before(
    talks: None, project: Project
) -> None:
    history = [
        Turn(role="user", content="When do we ship version 2.4?"),
        Turn(role="assistant", content="On Friday"),
    ]
    answer = await answer_to(project, "Who signs it off?", history=history)
    assert "“Marta signs off" in answer
    answer = await answer_to(project, "tell me more", history=history)
    assert "“We ship version 2.4" in answer
    answer = await answer_to(project, "What about the certificate?", history=history)
    assert "“A certificate expired" in answer
    assert "Friday" not in answer
    assert "I am the guide" in await answer_to(project, "thanks", history=history)


SATURDAY = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "since", "until"),
    [
        ("today", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("was geschah gestern", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("昨日の会議", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("since yesterday", "2026-11-20T00:00", None),
        ("this week", "2026-11-16T00:00", None),
        ("last week", "2026-11-09T00:00", "2026-11-16T00:00"),
        ("the last month", "2026-10-01T00:00", "2026-11-01T00:00"),
        ("past week", "2026-11-14T16:30", None),
        ("in the last 3 hours", "2026-11-21T13:30", None),
        ("letzte woche", "2026-11-09T00:00", "2026-11-16T00:00"),
        ("on 2026 11 01", "2026-11-01T00:00", "2026-11-02T00:00"),
        ("since 2026 11 01", "2026-11-01T00:00", None),
        ("between 2026 11 01 and 2026 11 03", "2026-11-01T00:00", "2026-11-04T00:00"),
    ],
)
def test_times_are_read_as_people_name_them(words: str, since: str, until: str | None) -> None:
    span, rest = span_in(f"what about {words} then", SATURDAY)
    assert span is not None
    assert span.since == datetime.fromisoformat(f"{since}+00:00")
    assert span.until == (datetime.fromisoformat(f"{until}+00:00") if until else None)
    assert rest.startswith("what about ")
    assert rest.endswith(" then")


@pytest.mark.parametrize(
    "words", ["the last conversation", "hoyer", "2026 13 45", "the week", "a day", "lastly days"]
)
def test_other_words_are_no_times(words: str) -> None:
    assert span_in(words, SATURDAY) == (None, words)


async def test_what_was_recorded_is_not_read_as_markdown(api: Api, project: Project) -> None:
    await api.start("sly/one", name="[click](javascript:evil)", initial_prompt="")
    await api.say("sly/one", "The sly ![cat](http://evil/x.png) <img src=x> and `code` [7] sit.")

    answer = await answer_to(project, "Where does the sly cat sit?")

    assert r"The sly !\[cat\](http://evil/x.png) \<img src=x\> and \`code\` \[7\] sit." in answer
    assert r"[\[click\](javascript:evil)](/conversations/sly%2Fone)" in answer


async def test_interrupted_anywhere_it_gives_the_same_answer(talks: None, project: Project) -> None:
    question = "What did they say about version 2.4 and the certificate?"
    whole = await asked(project, question)
    moments = 0
    while True:
        scribe = MemoryScribe(interrupted_after=moments)
        try:
            await Guide().answer(assigned(project, question), scribe)
            break
        except Interrupted:
            scribe.go_on()
        await Guide().answer(assigned(project, question, state=scribe.state), scribe)
        assert (scribe.answer, scribe.thoughts) == (whole.answer, whole.thoughts)
        assert scribe.resets == 0
        assert scribe.begun == whole.begun
        moments += 1
    assert moments > 20


async def test_the_answer_is_the_same_though_the_record_has_changed_meanwhile(
    talks: None, project: Project
) -> None:
    question = "When do we ship version 2.4?"
    whole = await asked(project, question)
    pieces = len(whole.pieces)
    scribe = MemoryScribe(interrupted_after=len(whole.plans) + 8)
    with pytest.raises(Interrupted):
        await Guide().answer(assigned(project, question), scribe)
    assert 0 < len(scribe.pieces) < pieces

    await sync_to_async(Message.objects.all().update)(content="Something else")
    await sync_to_async(Conversation.objects.all().update)(name="Other", status="ERROR")
    scribe.go_on()
    state = scribe.state
    await Guide().answer(assigned(project, question, state=state), scribe)

    assert scribe.answer == whole.answer
    assert scribe.resets == 0
    assert scribe.begun.total() == len(whole.calls)
    # What it kept is all that it needs.
    alone = MemoryScribe()
    await Guide().answer(assigned(project, question, state=state), alone)
    assert alone.answer == whole.answer
    assert not alone.calls


async def test_a_guide_without_its_tools_fails_and_says_which(project: Project) -> None:
    with pytest.raises(BackendFailed, match="needs the tool count_record"):
        await Guide().answer(Assignment(agent=GUIDE, prompt="Hello"), MemoryScribe())


@pytest.mark.parametrize(
    "question",
    [
        '"',
        '""""',
        "-",
        "-everything",
        "* * *",
        "a" * 100_000,
        "wort " * 5000,
        "塔" * 3000,
        "\0\ud800",
        "SELECT '); DROP TABLE",
        "2026-02-31",
        "last 9999 months",
        "🗼🗼🗼",
    ],
)
async def test_any_question_is_answered(talks: None, project: Project, question: str) -> None:
    assert await answer_to(project, question)
