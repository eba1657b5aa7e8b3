"""A model as a judge of texts: what it is asked, and what of its answer is believed."""

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.errors import AgentNotFound
from agents.roster import agent_named
from workflows.quality.measures import Score

# The agent that the settings may name for it.
JUDGE = "judge"
LONGEST_WHY = 300

PROMPT = """\
Judge the text of a website against its brief. Answer with one JSON object and nothing else:
{{"value": a whole number from 0 (useless) to 100 (could go online as it is), \
"why": "one sentence that names what is best and what is worst"}}
Judge whether it says what the brief asks for, to those for whom it is meant, in the tone that is \
asked for, and whether it claims anything that the brief does not.

Brief:
{brief}

Text:
{text}"""

OBJECT = re.compile(r"\{.*\}", re.DOTALL)


class _Judgement(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    value: float = Field(ge=0, le=100, allow_inf_nan=False)
    why: str = Field(min_length=1)


class NoJudgement(Exception):
    """The judge did not answer in the form that it was asked for."""


def has_judge() -> bool:
    try:
        return bool(agent_named(JUDGE))
    except AgentNotFound:
        return False


def question(sections: Sequence[Mapping[str, str]], *, brief: str) -> str:
    text = "\n\n".join(
        "\n".join(
            part for name in ("headline", "subheadline", "body", "cta") if (part := one.get(name))
        )
        for one in sections
    )
    return PROMPT.format(brief=brief, text=text)


def judgement(answer: str) -> Score:
    """What a judge has answered, be it fenced or not. Raises NoJudgement."""
    found = OBJECT.search(answer)
    try:
        read = _Judgement.model_validate_json(found[0] if found else answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "answer"
        raise NoJudgement(f"{where}: {first['msg']}") from error
    why = " ".join(read.why.split())
    return Score(measure="judge", name="Judge", value=round(read.value, 1), why=why[:LONGEST_WHY])
