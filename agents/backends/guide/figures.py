"""Figures in Markdown: first of all the one that was asked for."""

from collections.abc import Sequence
from dataclasses import replace

from agents.backends.base import Json
from agents.backends.guide.markdown import (
    METRICS,
    STATUS,
    about,
    amount_of,
    counted,
    link,
    listed,
    narrowing,
    plain,
    totals,
)
from agents.backends.guide.question import Question

MOST_ROWS = 10


def in_figures(question: Question, sums: Json, found: Json | None) -> str:
    """Sums as tables and sentences; what was found, where it was asked how much has some words."""
    if found is not None:
        return _number_found(question, found)
    agents = sorted(sums["agents"], key=lambda who: (-_amount(who, question.metric), who["name"]))
    parts = []
    if question.by_agent and agents and question.order != "newest":
        best = agents[0]
        amount = amount_of(best, question.metric)
        parts.append(f"**{plain(best['name'])}**, with {amount}{narrowing(question)}.")
        parts.append(f"All agents together: {totals(sums)}.")
    elif question.agent and agents:
        parts.append(_own_part(question, sums, agents))
    else:
        parts.append(_all_of_it(question, sums))
    if sums["conversations"]:
        states = [f"{STATUS[name]} {number:,}" for name, number in sums["statuses"].items()]
        if len(states) > 1:
            parts.append(f"By status: {', '.join(states)}.")
        if len(agents) > 1 or question.by_agent:
            parts.append(_table(agents, sums["agents_of"]))
        parts.append(f"The newest is {link(sums['newest'])}.")
    return "\n\n".join(parts)


def _number_found(question: Question, found: Json) -> str:
    total = found["total"]
    if not total:
        return f"**No conversation**{narrowing(question)} speaks of {about(question)}."
    if found["matched"] == "some words" and len(found["words"]) > 1:
        said = f"{'has' if total == 1 else 'have'} some of {about(question)}, and none has all"
    else:
        said = f"{'speaks' if total == 1 else 'speak'} of {about(question)}"
    first = f"**{counted(total, 'conversation')}**{narrowing(question)} {said}."
    shown = found["conversations"]
    title = "The best of them" if total > len(shown) else "They are"
    return f"{first}\n\n{title}:\n\n{listed(shown)}"


def _own_part(question: Question, sums: Json, agents: Sequence[Json]) -> str:
    """What the agent itself had in conversations that others took part in too."""
    own = {name: sum(who[name] for who in agents) for name in ("messages", "tokens", "cost")}
    own["conversations"] = sums["conversations"]
    # The agent is in the sentence already.
    when = narrowing(replace(question, agent=""))
    return (
        f"**{amount_of(own, question.metric)}** {'is' if question.metric == 'cost' else 'are'}"
        f" {plain(question.agent)}'s{when}: {_others(own, question.metric)}."
        f" With all who took part these conversations come to {amount_of(sums, 'cost')}."
    )


def _all_of_it(question: Question, sums: Json) -> str:
    asked = amount_of(sums, question.metric)
    if question.by_agent and question.metric == "conversations":
        asked = f"{counted(len(sums['agents']), 'agent')} in {asked}"
    return f"**{asked}**{narrowing(question)}: {_others(sums, question.metric)}."


def _others(of: Json, metric: str) -> str:
    return ", ".join(amount_of(of, other) for other in METRICS if other != metric)


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
