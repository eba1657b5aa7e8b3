"""Reasoning that a model writes into its answer, between tags, is told apart from the answer."""

from typing import Literal

Kind = Literal["answer", "thought"]
Told = list[tuple[Kind, str]]

TAGS = ("<thinking>", "<think>")


class Splitter:
    """Takes text in pieces, cut anywhere, and says of what it can which kind it is.

    Nothing but the tags is lost. What may be the beginning of a tag waits for the next piece.
    """

    def __init__(self) -> None:
        self._held = ""
        # The tag that ends the thought; empty in the answer.
        self._closing = ""

    def feed(self, piece: str) -> Told:
        told: Told = []
        text = self._held + piece
        while found := self._tag_in(text):
            at, tag = found
            told += self._as_it_is(text[:at])
            self._closing = "" if self._closing else tag.replace("<", "</")
            text = text[at + len(tag) :]
        certain = len(text) - self._doubtful(text)
        self._held = text[certain:]
        return told + self._as_it_is(text[:certain])

    def end(self) -> Told:
        """What was held; a thought that was left open ends here."""
        told = self._as_it_is(self._held)
        self._held = self._closing = ""
        return told

    @property
    def _awaited(self) -> tuple[str, ...]:
        return (self._closing,) if self._closing else TAGS

    def _as_it_is(self, text: str) -> Told:
        return [("thought" if self._closing else "answer", text)] if text else []

    def _tag_in(self, text: str) -> tuple[int, str] | None:
        found = [(at, tag) for tag in self._awaited if (at := text.find(tag)) >= 0]
        return min(found, default=None)

    def _doubtful(self, text: str) -> int:
        """How many characters at the end may be the beginning of a tag."""
        at = text.rfind("<")
        rest = text[at:] if at >= 0 else ""
        return len(rest) if rest and any(tag.startswith(rest) for tag in self._awaited) else 0
