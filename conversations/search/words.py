"""What a word is: the same for what is indexed, for what is asked, and for what is highlighted.

Case and accents fold, punctuation divides. Scripts that write no spaces, and Hangul for its
endings, become overlapping pairs: 東京都 is 東京, 京都 and 都, so that any part of it is found.
"""

import re
import unicodedata
from itertools import pairwise

# Longer ones are blobs; PostgreSQL takes at most 2,046 bytes.
LONGEST_WORD = 200
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff"  # Thai, Lao, Myanmar, Jamo, Khmer
    "\u2190-\u2bff\U0001f000-\U0001faff"  # symbols and emoji
    "\u2e80-\u318f\u31f0-\u31ff\u3400-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7ff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
RUNS = re.compile(f"[{UNSPACED}]+|[^ {UNSPACED}]+")
IS_UNSPACED = re.compile(f"[{UNSPACED}]")


def words_of(text: str) -> list[str]:
    """The words of a text in their order, as they are indexed."""
    folded = fold(text)
    if folded.isascii():
        return [word[:LONGEST_WORD] for word in folded.split()]
    found: list[str] = []
    for run in RUNS.findall(folded):
        if IS_UNSPACED.match(run):
            found += map("".join, pairwise(run))
            found.append(run[-1])
        else:
            found.append(run[:LONGEST_WORD])
    return found


def sought_words(text: str) -> tuple[list[str], bool]:
    """The words to ask for, and whether the last is only the beginning of one."""
    words = words_of(text)
    if not words or not IS_UNSPACED.match(words[-1]) or len(words[-1]) > 1:
        return words, False
    # Its last character ends a run here, but need not in what is sought.
    if len(words) > 1 and len(words[-2]) > 1 and words[-2].endswith(words[-1]):
        return words[:-1], False
    return words, True


def fold(text: str) -> str:
    """The text in the letters that are compared; whatever divides words is a space."""
    if text.isascii():
        return text.translate(FOLDED)
    return composed(text).translate(FOLDED)


def composed(text: str) -> str:
    """The text in the form whose characters fold one by one."""
    return unicodedata.normalize("NFC", HALFWIDTH.sub(_widened, text))


# A voiced kana of half width is two characters, which fold to one only together.
HALFWIDTH = re.compile("[\uff66-\uff9f]+")


def _widened(kana: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", kana[0])


class Folded(dict[int, str]):
    """What each character folds to, found out when it is first met."""

    def __missing__(self, point: int) -> str:
        apart = unicodedata.normalize("NFKD", chr(point)).casefold()
        kept = "".join(_letter(char) for char in unicodedata.normalize("NFKD", apart))
        self[point] = unicodedata.normalize("NFC", kept)
        return self[point]


FOLDED = Folded()
SKIN_TONES = range(0x1F3FB, 0x1F400)
VARIATIONS = range(0xFE00, 0xFE10)


def _letter(char: str) -> str:
    point, category = ord(char), unicodedata.category(char)
    if category == "Cf" or point in SKIN_TONES or point in VARIATIONS:
        return ""
    if category.startswith("M"):
        return "" if _is_left_out(char) else char
    if category.startswith(("L", "N")) or (category == "So" and IS_UNSPACED.match(char)):
        return char
    return " "


def _is_left_out(mark: str) -> bool:
    """Accents, and the points of Hebrew and Arabic; vowel signs are letters to their readers."""
    kind = unicodedata.combining(mark)
    return 10 <= kind <= 35 or kind >= 202
