"""A model as a judge of texts: what of its answer is believed."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workflows.quality.measures import Score

LONGEST_WHY = 300


class _Judgement(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    value: float = Field(ge=0, le=100, allow_inf_nan=False)
    why: str = Field(min_length=1)


class NoJudgement(Exception):
    """The judge did not answer in the form that it was asked for."""


def judgement(answer: Any) -> Score:
    """Raises NoJudgement, with the place of the fault."""
    try:
        read = _Judgement.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "answer"
        raise NoJudgement(f"{where}: {first['msg']}") from error
    why = " ".join(read.why.split())[:LONGEST_WHY]
    return Score(measure="judge", name="Judge", value=round(read.value, 1), why=why)
