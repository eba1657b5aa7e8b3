"""What the command says beside its output."""

import sys
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def say(sentence: str) -> None:
    sys.stderr.write(f"agentpipe: {cleaned(sentence)}\n")
    sys.stderr.flush()


def cleaned(text: str) -> str:
    """What others wrote must not steer the terminal."""
    return "".join(
        REPLACEMENT if unicodedata.category(letter) == "Cc" and letter not in "\n\t" else letter
        for letter in text
    )
