"""The answer in Markdown: what was found, with a number for each source, and the sources."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from agents.backends.base import Json
from agents.backends.guide.passages import Passage, first_sentences
from agents.backends.guide.question import Question

SPECIAL = re.compile(r"([\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_]))")
MOST_AGENTS_NAMED = 4
MOST_ROWS = 10
MOST_NAMED = 4
METRICS = ("conversations", "messages", "tokens", "cost")
PIECE = re.compile(r"\s*\S+(?:[^\S\n]+\S+){0,3}[^\S\n]*|\s+")
STATUS = {
    "ACTIVE": "active",
    "COMPLETED": "completed",
    "INTERRUPTED": "interrupted",
    "ERROR": "failed",
}


def pieces(text: str) -> Iterator[str]:
    """A few words at a time; together they are the text."""
    for words in PIECE.findall(text):
        # Scripts without spaces have long words.
        for start in range(0, len(words), 40):
            yield words[start : start + 40]


def plain(text: str) -> str:
    """What was recorded, so that none of it is read as Markdown."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


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
        f"The record holds {_figures(record)}. The last conversation is {_link(newest)},"
        f" begun {_time(newest['started_at'])} ({STATUS[newest['status']]})."
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
        f"- “{plain(passage.text)}”{_by(passage.agent)} [{numbers[passage.source]}]"
        for passage in chosen
    ]
    parts = [
        _result(question, found, is_widened=is_widened),
        "\n".join(quotes),
        _sources([sources[source] for source in order]),
    ]
    known = {sources[source]["id"] for source in order}
    others = [one for one in found["conversations"] if one["id"] not in known]
    if others:
        parts.append(_see_also(others))
    return "\n\n".join(parts)


def _result(question: Question, found: Json, *, is_widened: bool) -> str:
    total, about = found["total"], _about(question)
    narrowed = "" if is_widened else _narrowing(question)
    wider = f"Nothing{_narrowing(question)} has this. Elsewhere: " if is_widened else ""
    if found["matched"] == "some words" and len(found["words"]) > 1:
        return (
            f"{wider}No conversation{narrowed} has all of {about};"
            f" {_counted(total, 'has', 'have')} some of it. The closest passages:"
        )
    return (
        f"{wider}{_counted(total, 'conversation')}{narrowed}"
        f" {'speaks' if total == 1 else 'speak'} of {about}. What answers best:"
    )


def nothing(question: Question, record: Json, newest: Sequence[Json]) -> str:
    """What to do where nothing was found."""
    parts = [
        f"I found nothing{_narrowing(question)} about {_about(question)} among"
        f" {_counted(record['conversations'], 'conversation')}. Other words may help: I find what"
        " was written, not what was meant."
        if question.query
        else f"There are no conversations{_narrowing(question)}."
    ]
    if newest:
        parts.append(f"The newest conversations:\n\n{_listed(newest)}")
    return "\n\n".join(parts)


def listing(question: Question, found: Json, endings: Sequence[str]) -> str:
    """Conversations in their order; behind the first ones how they end."""
    total = found["total"]
    shown = found["conversations"]
    order = {"newest": "newest", "oldest": "oldest", "costliest": "most expensive"}
    first = order.get(question.order, "longest")
    has_more = f"; the {first} {len(shown)} of them" if total > len(shown) else ""
    are = f"There {'is' if total == 1 else 'are'} {_counted(total, 'conversation')}"
    lines = []
    for number, one in enumerate(shown, 1):
        lines.append(_line(number, one))
        if number <= len(endings) and endings[number - 1]:
            lines.append(f"   Last: {endings[number - 1]}")
    return f"{are}{_narrowing(question)}{has_more}:\n\n" + "\n".join(lines)


def one_conversation(
    question: Question, one: Json, reading: Json, ending: Json, others: Sequence[Json]
) -> str:
    """A conversation by itself: how it began, who took part, how it ended."""
    order = {"newest": "last", "oldest": "first", "costliest": "most expensive"}
    which = f"{order.get(question.order, 'longest')} conversation{_narrowing(question)}"
    if question.query:
        which = f"conversation{_narrowing(question)} that speaks most of {_about(question)}"
    facts = f"{STATUS[one['status']]}, {_figures({**one, 'conversations': 0})}"
    parts = [f"The {which} is **{plain(one['name'])}** [1]: {facts}."]
    if prompt := first_sentences(reading["prompt"]):
        parts.append(f"It was asked: “{plain(prompt)}”")
    told = {message["id"]: message for message in [*reading["read"][:2], *ending["read"][-3:]]}
    said = [
        f"- “{plain(first_sentences(message['text']))}”{_by(message['agent'])} [1]"
        for message in told.values()
        if message["text"].strip()
    ]
    if said:
        parts.append("How it began and ended:\n\n" + "\n".join(said))
    parts.append(_sources([one]))
    if others:
        parts.append(_see_also(others))
    return "\n\n".join(parts)


def figures(question: Question, counted: Json, found: Json | None) -> str:
    """What is counted, first of all what was asked for."""
    if found is not None:
        return _number_found(question, found)
    agents = sorted(
        counted["agents"], key=lambda who: (-_amount(who, question.metric), who["name"])
    )
    parts = []
    if question.by_agent and agents and question.order != "newest":
        best = agents[0]
        amount = _amounts(best, question.metric)
        parts.append(f"**{plain(best['name'])}**, with {amount}{_narrowing(question)}.")
        parts.append(f"All agents together: {_figures(counted)}.")
    elif question.agent and agents:
        parts.append(_own_part(question, counted, agents))
    else:
        parts.append(_all_of_it(question, counted))
    if counted["conversations"]:
        states = [f"{STATUS[name]} {number:,}" for name, number in counted["statuses"].items()]
        if len(states) > 1:
            parts.append(f"By status: {', '.join(states)}.")
        if len(agents) > 1 or question.by_agent:
            parts.append(_table(agents, counted["agents_of"]))
        parts.append(f"The newest is {_link(counted['newest'])}.")
    return "\n\n".join(parts)


def _number_found(question: Question, found: Json) -> str:
    total = found["total"]
    if not total:
        return f"**No conversation**{_narrowing(question)} speaks of {_about(question)}."
    if found["matched"] == "some words" and len(found["words"]) > 1:
        said = f"{'has' if total == 1 else 'have'} some of {_about(question)}, and none has all"
    else:
        said = f"{'speaks' if total == 1 else 'speak'} of {_about(question)}"
    first = f"**{_counted(total, 'conversation')}**{_narrowing(question)} {said}."
    shown = found["conversations"]
    title = "The best of them" if total > len(shown) else "They are"
    return f"{first}\n\n{title}:\n\n{_listed(shown)}"


def _own_part(question: Question, counted: Json, agents: Sequence[Json]) -> str:
    """What the agent itself had in conversations that others took part in too."""
    own = {name: sum(who[name] for who in agents) for name in ("messages", "tokens", "cost")}
    own["conversations"] = counted["conversations"]
    # The agent is in the sentence already.
    when = _narrowing(replace(question, agent=""))
    return (
        f"**{_amounts(own, question.metric)}** {'is' if question.metric == 'cost' else 'are'}"
        f" {plain(question.agent)}'s{when}: {_others(own, question.metric)}."
        f" With all who took part these conversations come to {_amounts(counted, 'cost')}."
    )


def _all_of_it(question: Question, counted: Json) -> str:
    asked = _amounts(counted, question.metric)
    if question.by_agent and question.metric == "conversations":
        asked = f"{_counted(len(counted['agents']), 'agent')} in {asked}"
    return f"**{asked}**{_narrowing(question)}: {_others(counted, question.metric)}."


def _others(of: Json, metric: str) -> str:
    return ", ".join(_amounts(of, other) for other in METRICS if other != metric)


def _table(agents: Sequence[Json], of: str) -> str:
    rows = [
        f"| {plain(who['name'])} | {who['conversations']:,} | {who['messages']:,}"
        f" | {who['tokens']:,} | ${who['cost']:,.4f} |"
        for who in agents[:MOST_ROWS]
    ]
    head = "| Agent | Conversations | Messages | Tokens | Cost |\n| --- | --: | --: | --: | --: |"
    note = "" if of == "all" else f"\n\nBy agent: of {of} conversations."
    return f"{head}\n" + "\n".join(rows) + note


def _amount(of: Json, metric: str) -> float:
    amount: float = of[metric]
    return amount


def _amounts(of: Json, metric: str) -> str:
    if metric == "cost":
        return f"${of['cost']:,.4f}"
    return _counted(of[metric], metric.removesuffix("s"))


def _figures(of: Json) -> str:
    named = [_amounts(of, metric) for metric in METRICS]
    return ", ".join(named if of["conversations"] else named[1:])


def _about(question: Question) -> str:
    return ", ".join(
        f"**{plain(word)}**" for word in [*(f"“{it}”" for it in question.phrases), *question.words]
    )


def _narrowing(question: Question) -> str:
    parts = []
    if question.agent:
        parts.append(f"with {plain(question.agent)}")
    if question.status:
        parts.append(
            f"that {'is' if question.status == 'ACTIVE' else ''} {STATUS[question.status]}"
        )
    if question.span:
        parts.append(question.span.label)
    return "".join(f" {' '.join(part.split())}" for part in parts)


def _see_also(conversations: Sequence[Json]) -> str:
    named = [f"{_link(one)} ({_time(one['started_at'])})" for one in conversations[:MOST_NAMED]]
    return f"See also {', '.join(named)}."


def _sources(conversations: Sequence[Json]) -> str:
    return f"### Sources\n\n{_listed(conversations)}"


def _listed(conversations: Sequence[Json]) -> str:
    return "\n".join(_line(number, one) for number, one in enumerate(conversations, 1))


def _line(number: int, one: Json) -> str:
    agents = [plain(name) for name in one["agents"][:MOST_AGENTS_NAMED]]
    facts = [
        _time(one["started_at"]),
        ", ".join(agents),
        STATUS[one["status"]],
        _counted(one["messages"], "message"),
    ]
    return f"{number}. {_link(one)} · {' · '.join(filter(None, facts))}"


def _link(one: Json) -> str:
    return f"[{plain(one['name'])}](/conversations/{quote(one['id'], safe='')})"


def _by(agent: str) -> str:
    return f" — {plain(agent)}" if agent else ""


def _time(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
