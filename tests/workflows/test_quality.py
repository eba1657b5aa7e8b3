"""The measures of texts, on texts of which others have told the figures."""

# ruff: noqa: RUF001 - apostrophes and quotation marks are meant

import pytest

from workflows.quality import judge
from workflows.quality.measures import (
    Score,
    keyword_cover,
    length,
    of_section,
    readability,
    repetition,
)
from workflows.quality.scoring import WEIGHTS, verdict
from workflows.quality.words import sentences_of, syllables_in, words_of

# With the figures that Wikipedia gives for Flesch's formula.
POINT = "This sentence, taken as a reading passage unto itself, is being used to prove a point."
PLATYPUS = "The Australian platypus is seemingly a hybrid of a mammal and reptilian creature."
GETTYSBURG = (
    "Four score and seven years ago our fathers brought forth on this continent, a new nation,"
    " conceived in Liberty, and dedicated to the proposition that all men are created equal."
)

# As the CMU Pronouncing Dictionary has them.
SYLLABLES = {
    1: "a the cat baked bakes stopped world through eye called time strengths",
    2: "table tables wanted taxes being every people science oven safely basement",
    3: "modified banana continent organic notices library dedicate bakery's",
    4: "conversation material initially proposition education",
    5: "university imagination electricity communicated",
}


@pytest.mark.parametrize("count", SYLLABLES)
def test_syllables_are_counted_as_they_are_spoken(count: int) -> None:
    wrong = {
        word: syllables_in(word) for word in SYLLABLES[count].split() if syllables_in(word) != count
    }
    assert wrong == {}


def test_sentences_end_where_people_stop() -> None:
    assert len(sentences_of("Dr. Adams bakes, e.g. bread. Every day! “Really?” Yes.")) == 4
    assert len(sentences_of("A headline\n\nA line. Another …")) == 3
    assert words_of("We’re re-used in 2026.") == ["We’re", "re-used", "in"]


@pytest.mark.parametrize(
    ("text", "ease"), [(POINT, 69), (PLATYPUS, 37.5), ("The cat sat on the mat.", 116)]
)
def test_reading_ease_is_as_flesch_has_it(text: str, ease: float) -> None:
    score = readability(text)

    assert score.detail["ease"] == pytest.approx(ease, abs=0.6)
    assert score.value == pytest.approx(min(ease, 100), abs=0.6)


def test_a_long_sentence_is_hard_to_read() -> None:
    assert readability(GETTYSBURG).value < readability("All men are created equal.").value
    assert "a sentence" in readability(GETTYSBURG).why
    assert readability("").value == 0


def test_a_length_counts_less_the_further_it_is_off() -> None:
    fits, short, long = (
        length("A headline", "word " * count, kind="hero").value for count in (40, 10, 140)
    )
    assert (fits, short, long) == (100, 50, 50)
    assert length("word " * 24, "word " * 40, kind="hero").value == 50
    assert length("Two words", "word " * 100, kind="unheard-of").value == 100


def test_what_is_said_twice_is_counted() -> None:
    assert repetition("The bread is fresh and the cake is sweet.").value == 100
    twice = repetition("Fresh bread every day. Fresh bread every day.")
    assert twice.value == 50
    assert "“fresh bread”" in twice.why
    assert repetition("").value == 0


def test_key_terms_are_found_in_any_form() -> None:
    brief = "Sourdough bread, apple cakes and bicycle courses."
    score = keyword_cover("We bake a sourdough bread, and cakes with an apple each.", brief=brief)

    assert score.detail["missing"] == ["bicycle courses"]
    assert score.value == pytest.approx(66.7)
    assert keyword_cover("Sourdough bread", brief=brief, wanted=1).value == 100
    assert keyword_cover("Anything", brief="and of the").value == 100


def test_the_total_is_what_its_weights_make_of_it() -> None:
    parts = {"headline": "Fresh bread", "body": "We bake bread. " * 12, "cta": "Order"}
    scores = of_section(parts, kind="hero", brief="Bread from Leipzig")
    shown = verdict("hero", scores).shape()

    assert {one["measure"] for one in shown["scores"]} == {*WEIGHTS} - {"judge"}
    assert sum(one["weight"] for one in shown["scores"]) == pytest.approx(1, abs=0.01)
    weighed = sum(one["value"] * one["weight"] for one in shown["scores"])
    assert shown["total"] == pytest.approx(weighed, abs=0.2)
    assert all(one["why"].endswith(".") and 0 <= one["value"] <= 100 for one in shown["scores"])


def test_a_judge_is_heard_as_half_of_all() -> None:
    measured = of_section({"headline": "Bread", "body": ""}, kind="hero", brief="Bread")
    judged = Score(measure="judge", name="Judge", value=100, why="Good.")

    alone, beside = verdict("hero", measured).total, verdict("hero", [*measured, judged]).total
    assert beside == pytest.approx((alone + 100) / 2, abs=0.1)


def test_a_judge_is_believed_only_in_the_form_it_was_asked_for() -> None:
    score = judge.judgement({"value": 81, "why": "Says it all,\n but late.", "more": 1})
    assert (score.value, score.why) == (81, "Says it all, but late.")

    for answer, place in (
        ("It is good", "answer"),
        ([], "answer"),
        ({"value": 101, "why": "x"}, "value"),
        ({"value": "81", "why": "x"}, "value"),
        ({"value": True, "why": "x"}, "value"),
        ({"value": float("nan"), "why": "x"}, "value"),
        ({"value": 81}, "why"),
        ({"value": 81, "why": ""}, "why"),
    ):
        with pytest.raises(judge.NoJudgement, match=place):
            judge.judgement(answer)
