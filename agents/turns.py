"""What each of many runs does every second they do in turn, not all of them in the same instant."""

import math
import time

# The golden ratio: multiples of it lie as far apart as can be, however many there are.
APART = (math.sqrt(5) - 1) / 2


class Turn:
    """Comes once in each round; the run's key says where in it."""

    def __init__(self, run_id: int, *, every_s: float) -> None:
        self._every_s = every_s
        self._offset = run_id * APART % 1
        self._round = self._round_now()

    def has_come(self) -> bool:
        """Says so once, also where it is late."""
        now = self._round_now()
        if now == self._round:
            return False
        self._round = now
        return True

    def _round_now(self) -> int:
        return math.floor(time.monotonic() / self._every_s + self._offset)
