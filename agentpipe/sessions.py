"""Sessions in the database, for cookies that say anything at all."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions


class SessionStore(DatabaseSessions):
    """A key that no column can hold is the key of no session, and not a failing query."""

    def _validate_session_key(self, key: str | None) -> bool:
        is_valid = super()._validate_session_key(key)  # type: ignore[misc]  # not in the stubs
        return bool(is_valid) and "\0" not in str(key)
