"""How often one may ask, as the server tells with each answer."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    limit: int
    remaining: int
    resets_in_s: float

    @classmethod
    def of(cls, response: httpx.Response) -> Self | None:
        """None where the door has no limit."""
        headers = response.headers
        try:
            resets_at = datetime.fromisoformat(headers["X-RateLimit-Reset"])
            # Both times are the server's own: its clock need not be ours.
            asked_at = parsedate_to_datetime(headers["Date"]).astimezone(UTC)
            return cls(
                limit=int(headers["X-RateLimit-Limit"]),
                remaining=int(headers["X-RateLimit-Remaining"]),
                resets_in_s=max(0.0, (resets_at - asked_at).total_seconds()),
            )
        except (KeyError, ValueError, TypeError):
            return None

    @property
    def even_pause_s(self) -> float:
        """How long to wait so that what is left lasts; no wait while that is more than half.

        Whoever spends all of it at once stands still until the window has passed.
        """
        if 2 * self.remaining >= self.limit:
            return 0.0
        return self.resets_in_s / (self.remaining + 1)
