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


class Collector:
    def __init__(self) -> None:
        self.has_set_aside = False
        gc.callbacks.append(self._collected)
        self._look_at_all()

    def close(self) -> None:
        gc.callbacks.remove(self._collected)

    def review(self) -> None:
        """Look at all that was set aside, if it is time to."""
        if not self.has_set_aside:
            return
        self.has_set_aside = False
        is_time = monotonic() - self.looked_at_s > ALL_EVERY_S
        if is_time or gc.get_freeze_count() > 2 * self.stayed:
            self._look_at_all()

    def _look_at_all(self) -> None:
        gc.unfreeze()
        gc.collect()
        self.has_set_aside = False
        self.stayed = gc.get_freeze_count()
        self.looked_at_s = monotonic()

    def _collected(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            gc.freeze()
            self.has_set_aside = True
