"""The record for those who run the server."""

from conversations.admin import behind, keys, projects, record, traffic

__all__ = ["behind", "keys", "projects", "record", "traffic"]
