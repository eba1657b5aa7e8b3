"""What the record refuses."""


class ConversationsError(Exception):
    """The request cannot be carried out."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip()


class ProjectNotFound(ConversationsError):
    """Project not found"""


class NotAnOwner(ConversationsError):
    """Only an owner of the project may change it"""


class LastOwner(ConversationsError):
    """A project keeps at least one owner: make somebody else an owner first"""


class UserNotFound(ConversationsError):
    """There is no user of this name"""


class MemberNotFound(ConversationsError):
    """There is no such member of the project"""


class KeyNotFound(ConversationsError):
    """There is no such key, or it was revoked before"""


class ScopesTooWide(ConversationsError):
    """A key makes no key that may do more than itself"""


class ConversationNotFound(ConversationsError):
    """Conversation not found"""


class MissingScope(ConversationsError):
    """This key does not have the scope that is needed here"""


class BodyTooLarge(ConversationsError):
    """The body is too large"""


class FileUnreadable(ConversationsError):
    """The file is packed, and cannot be unpacked"""


class FileEmpty(ConversationsError):
    """There is nothing in the file"""


class JobNotFound(ConversationsError):
    """Import job not found"""


class JobFinished(ConversationsError):
    """The import is over and cannot be cancelled"""


class KeyUsedBefore(ConversationsError):
    """This Idempotency-Key was used for another file before"""
