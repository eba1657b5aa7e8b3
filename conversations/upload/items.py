"""A file as the JSON values in it, with the lines and bytes where they stand.

Two forms are told apart by how the file begins: one value a line, and values that go over lines
or stand in an array. Either way a place between two values is a place to go on from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LARGEST = 64 * 1024 * 1024
TOO_LARGE = "Larger than 64 MiB"
NO_END = "The file ends in the middle of it"
PIECE = 1024 * 1024
LARGEST_PIECE = 8 * PIECE
BOM = b"\xef\xbb\xbf"

_OPENS_ARRAY = re.compile(rb"\[\s*[\[{\]]")
# The end of a first line whose value goes on in the next; of a torn line it cannot be.
_GOES_ON = re.compile(rb'[{,]\s*\n\s*["}]|[\[:]\s*\n')
_GAP = re.compile(rb"[\s,\[\]]*")
# Up to the next bracket, over strings; one that has not come to its end stops it, too.
_QUIET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]\n]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A value, or what is wrong with it; `end` is where the next begins."""

    line: int
    end: int
    text: bytes = b""
    fault: str = ""


def items(file: BinaryIO, *, after: int = 0) -> Iterator[Item]:
    """The values from a place on at which an earlier item has ended."""
    start = file.read(PIECE).removeprefix(BOM).lstrip()
    line = 1 + _count_lines(file, until=after)
    file.seek(after)
    if after and not file.read(1):
        return iter(())
    file.seek(after)
    if _is_by_line(start):
        return _lines(file, line)
    return _Values(file, line, is_in_array=start[:1] == b"[").read()


def _is_by_line(start: bytes) -> bool:
    if start[:1] == b"[":
        return not _OPENS_ARRAY.match(start)
    first, newline, _ = start.partition(b"\n")
    if not newline or not first.startswith(b"{"):
        return True
    return not _GOES_ON.match(start, len(first.rstrip()) - 1)


def _count_lines(file: BinaryIO, *, until: int) -> int:
    file.seek(0)
    count = 0
    while until and (piece := file.read(min(PIECE, until))):
        count += piece.count(b"\n")
        until -= len(piece)
    return count


def _lines(file: BinaryIO, line: int) -> Iterator[Item]:
    end = file.tell()
    while text := file.readline(PIECE):
        length = len(text) + _rest_of_line(file, text)
        if length > LARGEST:
            yield Item(line=line, end=end + length, fault=TOO_LARGE)
        else:
            # Measured before it is held: of what is too large there is never more than a piece.
            if length > len(text):
                file.seek(end)
                text = file.read(length)
            if not text.isspace():
                yield Item(line=line, end=end + length, text=text)
        end += length
        line += 1


def _rest_of_line(file: BinaryIO, piece: bytes) -> int:
    length = 0
    while piece and piece[-1:] != b"\n":
        piece = file.readline(PIECE)
        length += len(piece)
    return length


class _Values:
    """A scanner of values wherever they stand: it skips strings and counts brackets.

    Arrays around values are passed over, so that a place between two values is all it must know.
    """

    def __init__(self, file: BinaryIO, line: int, *, is_in_array: bool) -> None:
        self.file = file
        self.line = line
        self.is_in_array = is_in_array
        # What is held of the file, where in the file that begins, and where in it the scan stands.
        self.held = bytearray()
        self.held_from = file.tell()
        self.here = 0
        self.fault = ""

    def read(self) -> Iterator[Item]:
        while self._reach_value():
            line = self.line
            first = self.here
            self.fault = ""
            if self.held[first : first + 1] == b"{":
                length = self._measure_object()
            else:
                length = self._measure_scalar()
            text = b"" if self.fault else self._copy(length)
            self._pass(length)
            yield Item(line=line, end=self.held_from + self.here, text=text, fault=self.fault)
        if self.is_in_array and self.fault != NO_END:
            yield Item(line=self.line, end=self.held_from + self.here, fault=NO_END)

    def _reach_value(self) -> bool:
        while True:
            if self.held_from + self.here == 0 and self.held.startswith(BOM):
                self._pass(len(BOM))
            gap = _matched(_GAP, self.held, self.here)
            self._note_array(self.held[self.here : gap])
            self._pass(gap - self.here)
            if self.here < len(self.held):
                return True
            if not self._hold_more():
                return False

    def _note_array(self, gap: bytearray) -> None:
        opens, closes = gap.rfind(b"["), gap.rfind(b"]")
        if opens != closes:
            self.is_in_array = opens > closes

    def _measure_object(self) -> int:
        """How long it is from here; what is too long is passed on the way, and leaves a fault."""
        depth = 0
        end = self.here
        while True:
            end = _matched(_QUIET, self.held, end)
            sign = self.held[end : end + 1]
            if sign and sign != b'"':
                depth += 1 if sign in b"{[" else -1
                end += 1
                if not depth:
                    return end - self.here
                continue
            if len(self.held) - self.here > LARGEST:
                self.fault = TOO_LARGE
                self._pass(end - self.here)
                if len(self.held) - self.here > LARGEST:
                    self._pass_string()
                end = self.here
            length = end - self.here
            if not self._hold_more():
                self.fault = self.fault or NO_END
                return len(self.held) - self.here
            end = self.here + length

    def _pass_string(self) -> None:
        self._pass(1)
        while True:
            end = _matched(_IN_STRING, self.held, self.here)
            ends_here = self.held[end : end + 1] == b'"'
            self._pass(end - self.here + ends_here)
            if ends_here or not self._hold_more():
                return

    def _measure_scalar(self) -> int:
        while True:
            end = _matched(_SCALAR, self.held, self.here)
            if end < len(self.held):
                return end - self.here
            if end - self.here > LARGEST:
                self.fault = TOO_LARGE
                self._pass(end - self.here)
            if not self._hold_more():
                return len(self.held) - self.here

    def _copy(self, length: int) -> bytes:
        # Over a view: a slice of what is held would be one copy more.
        with memoryview(self.held) as held:
            return bytes(held[self.here : self.here + length])

    def _pass(self, length: int) -> None:
        self.line += self.held.count(b"\n", self.here, self.here + length)
        self.here += length

    def _hold_more(self) -> bool:
        del self.held[: self.here]
        self.held_from += self.here
        self.here = 0
        more = self.file.read(min(max(PIECE, len(self.held)), LARGEST_PIECE))
        self.held += more
        return bool(more)


def _matched(pattern: re.Pattern[bytes], text: bytearray, start: int) -> int:
    found = pattern.match(text, start)
    assert found  # each of them matches nothing, too
    return found.end()
