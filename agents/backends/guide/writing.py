"""The answer in Markdown: what was found, with a number for each source, and the sources."""

from collections.abc import Iterator, Sequence

from agents.backends.base import Json
from agents.backends.guide.markdown import (
    STATUS,
    about,
    by,
    counted,
    line,
    link,
    listed,
    narrowing,
    plain,
    see_also,
    sources_of,
    time_of,
    totals,
)
from agents.backends.guide.passages import Passage, first_sentences
from agents.backends.guide.question import Question

ABOUT_ME = (
    "I am the guide: I answer questions about the conversations recorded here. I search them, read"
    " the best ones and quote what they say, with links. I use no language model, so I find and"
    " count, and never make anything up."
)


def introduction(record: Json) -> str:
    """Who answers here, what the record holds, and what to ask."""
    agents = [who["name"] for who in record["agents"]]
    lines = [
        ABOUT_ME,
        _holds(record),
        "You could ask:",
        "\n".join(f"- {example}" for example in _examples(record, agents)),
    ]
    return "\n\n".join(lines)


def _holds(record: Json) -> str:
    newest = record["newest"]
    return (
        f"The record holds {totals(record)}. The last conversation is {link(newest)},"
        f" begun {time_of(newest['started_at'])} ({STATUS[newest['status']]})."
    )


def _examples(record: Json, agents: Sequence[str]) -> Iterator[str]:
    yield "What happened in the last conversation?"
    yield "How many conversations failed this week?"
    if agents:
        yield f"What did {plain(agents[0])} say about …?"
        yield "Which agent cost the most?"
    yield 'Who spoke of "an exact phrase" yesterday?'


EMPTY = """\
Nothing has been recorded yet, so there is nothing to answer from. To get conversations in:

- **Point a client here.** The AgentPipe command-line tool and the Python client take the address \
of this server and a key.
- **Send an event**, with a key from `manage.py createkey NAME --project SLUG`:

```sh
curl ADDRESS/api/ingest -H "Authorization: Bearer KEY" -H "Content-Type: application/json" \\
  -d '{"type": "message.created", "data": {"conversation_id": "first", "agent_type": "curl", \
"content": "Hello"}}'
```

- **Upload old sessions** with `POST /api/sessions/upload`, or whole files of them to \
`/api/projects/{project}/ingest/jobs`.

Then ask me what was said."""


def passages(
    question: Question,
    found: Json,
    chosen: Sequence[Passage],
    sources: Sequence[Json],
    *,
    is_widened: bool,
) -> str:
    """What was found: quoted, cited, listed."""
    order = list(dict.fromkeys(passage.source for passage in chosen))
    numbers = {source: number for number, source in enumerate(order, 1)}
    quotes = [
        f"- “{plain(passage.text)}”{by(passage.agent)} [{numbers[passage.source]}]"
        for passage in chosen
    ]
    parts = [
        _result(question, found, is_widened=is_widened),
        "\n".join(quotes),
        sources_of([sources[source] for source in order]),
    ]
    known = {sources[source]["id"] for source in order}
    others = [one for one in found["conversations"] if one["id"] not in known]
    if others:
        parts.append(see_also(others))
    return "\n\n".join(parts)


def _result(question: Question, found: Json, *, is_widened: bool) -> str:
    total, words = found["total"], about(question)
    narrowed = "" if is_widened else narrowing(question)
    wider = f"Nothing{narrowing(question)} has this. Elsewhere: " if is_widened else ""
    if found["matched"] == "some words" and len(found["words"]) > 1:
        return (
            f"{wider}No conversation{narrowed} has all of {words};"
            f" {counted(total, 'has', 'have')} some of it. The closest passages:"
        )
    return (
        f"{wider}{counted(total, 'conversation')}{narrowed}"
        f" {'speaks' if total == 1 else 'speak'} of {words}. What answers best:"
    )


def nothing(question: Question, record: Json, newest: Sequence[Json]) -> str:
    """What to do where nothing was found."""
    parts = [
        f"I found nothing{narrowing(question)} about {about(question)} among"
        f" {counted(record['conversations'], 'conversation')}. Other words may help: I find what"
        " was written, not what was meant."
        if question.query
        else f"There are no conversations{narrowing(question)}."
    ]
    if newest:
        parts.append(f"The newest conversations:\n\n{listed(newest)}")
    return "\n\n".join(parts)


def listing(question: Question, found: Json, endings: Sequence[str]) -> str:
    """Conversations in their order; behind the first ones how they end."""
    total = found["total"]
    shown = found["conversations"]
    order = {"newest": "newest", "oldest": "oldest", "costliest": "most expensive"}
    first = order.get(question.order, "longest")
    has_more = f"; the {first} {len(shown)} of them" if total > len(shown) else ""
    are = f"There {'is' if total == 1 else 'are'} {counted(total, 'conversation')}"
    lines = []
    for number, one in enumerate(shown, 1):
        lines.append(line(number, one))
        if number <= len(endings) and endings[number - 1]:
            lines.append(f"   Last: {endings[number - 1]}")
    return f"{are}{narrowing(question)}{has_more}:\n\n" + "\n".join(lines)


def one_conversation(
    question: Question, one: Json, reading: Json, ending: Json, others: Sequence[Json]
) -> str:
    """A conversation by itself: how it began, who took part, how it ended."""
    order = {"newest": "last", "oldest": "first", "costliest": "most expensive"}
    which = f"{order.get(question.order, 'longest')} conversation{narrowing(question)}"
    if question.query:
        which = f"conversation{narrowing(question)} that speaks most of {about(question)}"
    facts = f"{STATUS[one['status']]}, {totals({**one, 'conversations': 0})}"
    parts = [f"The {which} is **{plain(one['name'])}** [1]: {facts}."]
    if prompt := first_sentences(reading["prompt"]):
        parts.append(f"It was asked: “{plain(prompt)}”")
    told = {message["id"]: message for message in [*reading["read"][:2], *ending["read"][-3:]]}
    said = [
        f"- “{plain(first_sentences(message['text']))}”{by(message['agent'])} [1]"
        for message in told.values()
        if message["text"].strip()
    ]
    if said:
        parts.append("How it began and ended:\n\n" + "\n".join(said))
    parts.append(sources_of([one]))
    if others:
        parts.append(see_also(others))
    return "\n\n".join(parts)
