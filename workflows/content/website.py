"""What the nodes of `website-content` do besides asking the writer."""

import re
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from agents.backends.writer.composing import kind_of
from workflows.errors import NodeFailed
from workflows.preview import sections
from workflows.quality import judge, measures, recording, scoring
from workflows.tools import Arguments, InTransaction, Task

DEFAULT = ("hero", "features", "about", "contact")
MOST_SECTIONS = 20

Json = dict[str, Any]
SectionName = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class Layout(Arguments):
    brief: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    sections: list[SectionName] | None = Field(None, max_length=MOST_SECTIONS)


class One(Arguments):
    section: str
    brief: str


class Whole(Arguments):
    brief: str
    # What a judge has answered, where there is one.
    judgement: Any = None


def _lay_out(task: Task, given: Layout) -> Json:
    names = list(dict.fromkeys(given.sections or DEFAULT))
    laid_out = [{"id": name, "title": _title(name), "kind": kind_of(name)} for name in names]
    sections.lay_out(task.run, laid_out)
    return {"sections": laid_out}


def _measure_section(task: Task, given: One) -> Json:
    """As it was written in the end, and how good that is."""
    section = next((it for it in sections.of_run(task.run) if it.section_id == given.section), None)
    parts = section.content["parts"] if section else {}
    if not parts.get("body"):
        raise NodeFailed(f"The section {given.section} was not written in the form of a section")
    if section and not section.is_complete:
        sections.show(task.project, given.section, {}, is_complete=True, run=task.run)
    scores = measures.of_section(parts, kind=kind_of(given.section), brief=given.brief)
    verdict = scoring.verdict(given.section, scores)
    recording.record(task.project, verdict, run=task.run)
    return {"section": given.section, "parts": parts, "total": verdict.total}


def _measure_page(task: Task, given: Whole) -> Json:
    """The whole page: by itself, and where there is one by a judge."""
    parts = [section.content["parts"] for section in sections.of_run(task.run)]
    scores = measures.of_page(parts, brief=given.brief)
    if given.judgement is not None:
        try:
            scores.append(judge.judgement(given.judgement))
        except judge.NoJudgement as error:
            raise NodeFailed(f"The answer of the judge cannot be read: {error}") from error
    verdict = scoring.verdict("", scores)
    return recording.record(task.project, verdict, run=task.run)


def _title(name: str) -> str:
    words = " ".join(re.findall(r"[^\W_]+", name)) or name
    return f"{words[:1].upper()}{words[1:]}"


lay_out = InTransaction(
    description="Lays out the sections of a website, empty",
    reads=Layout,
    does=_lay_out,
)
measure_section = InTransaction(
    description="Measures a section, as it was written in the end",
    reads=One,
    does=_measure_section,
)
measure_page = InTransaction(
    description="Measures all sections together",
    reads=Whole,
    does=_measure_page,
)
