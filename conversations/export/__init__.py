"""Conversations on their way out: one as a file, many as an archive."""
