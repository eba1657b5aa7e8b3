"""Garbage collections that do not stop a busy server.

A full collection looks at all there is, while nothing else runs: 150 ms with 200 runs at work,
every few seconds, and finds next to nothing. What outlives one is there to stay for a while. It is
set aside, so that the next one looks only at what came since; all of it is looked at again when
there is twice as much, or after some minutes.
"""

import gc
from time import monotonic
from typing import Any

ALL_EVERY_S = 600
# A batch of events is some ten thousand objects, which are gone when it is answered. With Python's
# own 700 each of them is looked at twice before.
THRESHOLDS = 10_000, 5, 2


class Collector:
    def __init__(self) -> None:
        self.pythons_own = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        # How many are set aside; when all were looked at, and since then.
        self.stayed = self.at_most = 0
        gc.callbacks.append(self._collected)
        self._look_at_all()

    def close(self) -> None:
        gc.callbacks.remove(self._collected)
        gc.set_threshold(*self.pythons_own)

    def review(self) -> None:
        """Look at all that was set aside, if it is time to."""
        is_time = monotonic() - self.looked_at_s > ALL_EVERY_S and self.at_most > self.stayed
        if is_time or self._has_doubled():
            self._look_at_all()

    def _has_doubled(self) -> bool:
        if self.at_most > 2 * self.stayed:
            # To count them takes as long as to look at many, and some may be gone.
            self.at_most = gc.get_freeze_count()
        return self.at_most > 2 * self.stayed

    def _look_at_all(self) -> None:
        gc.unfreeze()
        gc.collect()
        self.stayed = self.at_most = gc.get_freeze_count()
        self.looked_at_s = monotonic()

    def _collected(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            self.at_most += len(gc.get_objects(generation=2))
            gc.freeze()
