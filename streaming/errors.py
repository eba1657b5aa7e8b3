"""What can go wrong between an event and those who follow it."""


class StreamingError(Exception):
    """The stream cannot be read."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip()


class TopicUnknown(StreamingError):
    """No such stream"""


class TopicForbidden(StreamingError):
    """The credentials do not reach this stream"""


class CursorMalformed(StreamingError):
    """Malformed event id"""


class EventsTrimmed(StreamingError):
    """The events after this cursor are no longer, or not yet, held."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"the oldest event still held is number {oldest}")
        self.oldest = oldest


class PublishedOutsideTransaction(StreamingError):
    """publish() was called outside a function that is @transactional."""


class LeaveEnded(StreamingError):
    """What this stream was opened with is no longer accepted"""
