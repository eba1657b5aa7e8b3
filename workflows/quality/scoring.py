"""The scores of a text, put together: what each counts for is told with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflows.quality.measures import Score

# What a measure counts for beside the others that were taken; a judge is heard as half of all.
WEIGHTS = {
    "readability": 30.0,
    "length": 20.0,
    "repetition": 20.0,
    "keywords": 30.0,
    "judge": 100.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Scores of one section, or of the whole where it names none."""

    section_id: str
    total: float
    scores: tuple[Score, ...]

    def shape(self) -> dict[str, Any]:
        shares = _shares(self.scores)
        return {
            "sectionId": self.section_id or None,
            "total": self.total,
            "scores": [
                {
                    "measure": score.measure,
                    "name": score.name,
                    "value": score.value,
                    "weight": round(shares[score.measure], 3),
                    "why": score.why,
                    "detail": score.detail,
                }
                for score in self.scores
            ],
        }


def verdict(section_id: str, scores: Sequence[Score]) -> Verdict:
    shares = _shares(scores)
    total = sum(score.value * shares[score.measure] for score in scores)
    return Verdict(section_id=section_id, total=round(total, 1), scores=tuple(scores))


def _shares(scores: Sequence[Score]) -> dict[str, float]:
    sum_of_weights = sum(WEIGHTS[score.measure] for score in scores)
    return {score.measure: WEIGHTS[score.measure] / sum_of_weights for score in scores}
