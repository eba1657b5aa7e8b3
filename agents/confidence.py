"""How sure a piece of an answer sounds."""

import re

BASELINE = 70
# Found anywhere, also inside of words and in any case; what each is worth, in hundredths.
REASONS, CITATION, RESERVATIONS = 10, 10, -10
OF_REASONS = ("because", "therefore", "thus")
OF_CITATIONS = re.compile(r"\[[0-9]+\]")
OF_RESERVATIONS = ("might", "perhaps", "possibly")


def confidence(text: str) -> float:
    """From 0 to 1: more for reasons and citations, less for reservations."""
    # Lowered once: a pattern that ignores case takes ten times as long, for each run each second.
    lowered = text.lower()
    hundredths = BASELINE
    if any(word in lowered for word in OF_REASONS):
        hundredths += REASONS
    if OF_CITATIONS.search(text):
        hundredths += CITATION
    if any(word in lowered for word in OF_RESERVATIONS):
        hundredths += RESERVATIONS
    return max(0, min(100, hundredths)) / 100
