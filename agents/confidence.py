"""How sure a piece of an answer sounds."""

import re

BASELINE = 70
# Found anywhere, also inside of words; what each is worth, in hundredths.
SIGNS = (
    (re.compile("because|therefore|thus", re.IGNORECASE), 10),
    (re.compile(r"\[[0-9]+\]"), 10),
    (re.compile("might|perhaps|possibly", re.IGNORECASE), -10),
)


def confidence(text: str) -> float:
    """From 0 to 1: more for reasons and citations, less for reservations."""
    sum_of_signs = sum(worth for sign, worth in SIGNS if sign.search(text))
    return max(0, min(100, BASELINE + sum_of_signs)) / 100
