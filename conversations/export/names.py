"""Names that are safe on every disk and in every header, made of names that are anything."""

import hashlib
import re
import unicodedata

from conversations.models import Conversation

# In bytes, as disks count them: a name of all parts stays below 255.
LONGEST = 80
PLAIN_ID = re.compile(r"[a-z0-9-]{1,40}")
# Windows keeps these for itself, whatever comes behind the dot.
RESERVED = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)


def file_name(conversation: Conversation, suffix: str) -> str:
    """A name for the file of one conversation."""
    return f"{_safe(conversation.name) or 'conversation'}.{suffix}"


def file_name_among_others(conversation: Conversation, suffix: str) -> str:
    """One that no other conversation of the project gets, also where A and a are the same."""
    named, public_id = _safe(conversation.name), conversation.public_id
    if not PLAIN_ID.fullmatch(public_id):
        digest = hashlib.sha256(public_id.encode()).hexdigest()
        public_id = f"{_safe(public_id)}~{digest[:16]}"
    return f"{named}_{public_id}.{suffix}" if named else f"{public_id}.{suffix}"


def _safe(name: str) -> str:
    """The letters, digits and marks of a name, with a hyphen between them."""
    composed = unicodedata.normalize("NFC", name[:LONGEST])
    kept = "".join(each if unicodedata.category(each)[0] in "LNM" else "-" for each in composed)
    safe = re.sub("-+", "-", kept).encode()[:LONGEST].decode(errors="ignore").strip("-")
    return f"{safe}-" if RESERVED.fullmatch(safe) else safe
