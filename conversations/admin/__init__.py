"""The record for those who run the server."""

from conversations.admin import behind, jobs, keys, projects, record, traffic

__all__ = ["behind", "jobs", "keys", "projects", "record", "traffic"]
