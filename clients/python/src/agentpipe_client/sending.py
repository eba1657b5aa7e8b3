"""Spools sent to the server, batch by batch, for as long as it takes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Condition, Thread

from agentpipe_client.client import AgentPipe
from agentpipe_client.errors import AgentPipeError, Refused, TooLarge
from agentpipe_client.record import BatchAnswer, Result
from agentpipe_client.retries import Patience
from agentpipe_client.spool import MOST_EVENTS, Batch, Spool

REFUSED = "refused.ndjson"
BETWEEN_ATTEMPTS = Patience(first_wait_s=0.2, longest_wait_s=30.0)
# An event at which the server fails by itself each time is set aside, or nothing would follow it.
MOST_FAILURES = 5
UNAVAILABLE = 503

Say = Callable[[str], None]


class Sender:
    """A thread that empties a spool as it grows, and in between those that were left over.

    Nothing that the server might take later is given up. What it refuses for good is reported and
    kept in `refused.ndjson` beside the spools.
    """

    def __init__(
        self,
        client: AgentPipe,
        own: Spool | None,
        left_over: Sequence[Spool],
        *,
        home: Path,
        say: Say,
    ) -> None:
        self.client = client
        self.own = own
        self.left_over = list(left_over)
        self.home = home
        self.say = say
        self.sent = 0
        self.refused = 0
        self._most_events = MOST_EVENTS
        self._is_away = False
        self._changed = Condition()
        self._has_more = True
        self._is_last_call = False
        self._is_stopped = False
        self._is_done = False
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something was appended."""
        with self._changed:
            self._has_more = True
            self._changed.notify()

    def finish(self, within_s: float | None) -> bool:
        """Send what is left; False where some of it is left after that time."""
        with self._changed:
            self._is_last_call = True
            self._changed.notify()
        self._thread.join(within_s)
        with self._changed:
            self._is_stopped = True
            self._changed.notify()
        return self._is_done

    def _run(self) -> None:
        while not self._is_stopped:
            with self._changed:
                self._has_more = False
            found = self._next()
            if found:
                self._deliver(*found)
            elif not self._await_more():
                self._is_done = True
                return

    def _next(self) -> tuple[Spool, Batch] | None:
        if self.own and (batch := self.own.next_batch(self._most_events)):
            return self.own, batch
        while self.left_over:
            spool = self.left_over[0]
            if batch := spool.next_batch(self._most_events):
                return spool, batch
            spool.discard()
            del self.left_over[0]
        return None

    def _await_more(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._has_more or self._is_last_call)
            return self._has_more and not self._is_stopped

    def _deliver(self, spool: Spool, batch: Batch) -> None:
        """Send a batch, the same bytes under the same key, until each line has its answer."""
        body = b"".join(batch.lines)
        failures = half_failures = 0
        while not self._is_stopped:
            try:
                answer = self.client.send_lines(body, idempotency_key=batch.key)
            except TooLarge as error:
                self._lessen(spool, batch, error)
                return
            except AgentPipeError as error:
                failures += 1
                self._note_absence(spool, error)
                self._pause(_wait_s(error, failures))
                continue
            self._note_presence()
            failures, half_failures = 0, half_failures + 1
            if _is_worth_repeating(answer, half_failures):
                self._pause(BETWEEN_ATTEMPTS.backoff_s(half_failures))
                continue
            self._settle(spool, batch, answer.results)
            if self.client.rate and not self._is_last_call:
                # What comes next is not to wait for the end of the window.
                self._pause(self.client.rate.even_pause_s)
            return

    def _settle(self, spool: Spool, batch: Batch, results: Sequence[Result]) -> None:
        for result in results:
            if result.is_recorded:
                self.sent += 1
            else:
                self._set_aside(spool, batch, result.index, Refused(result.status, result.body))
        spool.settle(batch)

    def _lessen(self, spool: Spool, batch: Batch, error: Refused) -> None:
        """Smaller batches from here on: something in between may take less than the server."""
        if len(batch.lines) > 1:
            self._most_events = len(batch.lines) // 2
            return
        self._set_aside(spool, batch, 0, error)
        spool.settle(batch)

    def _set_aside(self, spool: Spool, batch: Batch, index: int, error: Refused) -> None:
        self.refused += 1
        kept = {
            "spool": spool.folder.name,
            "line": batch.numbers[index],
            "status": error.status,
            "error": str(error),
            "text": batch.lines[index].decode(errors="replace"),
        }
        with (self.home / REFUSED).open("a") as file:
            file.write(json.dumps(kept) + "\n")
        source = "" if spool is self.own else f" of {spool.folder.name}"
        self.say(f"line {batch.numbers[index]}{source} was refused: {error}")

    def _note_absence(self, spool: Spool, error: AgentPipeError) -> None:
        spool.sync()
        if not self._is_away:
            self._is_away = True
            self.say(f"{error}. Events are kept in {spool.folder} until they can be sent.")

    def _note_presence(self) -> None:
        if self._is_away:
            self._is_away = False
            self.say("The server takes events again.")

    def _pause(self, seconds: float) -> None:
        """Wait, and no longer once the input has ended."""
        with self._changed:
            was_last_call = self._is_last_call
            self._changed.wait_for(
                lambda: self._is_stopped or self._is_last_call != was_last_call, seconds
            )


def _wait_s(error: AgentPipeError, failures: int) -> float:
    asked_s = error.retry_after_s if isinstance(error, Refused) else None
    return BETWEEN_ATTEMPTS.backoff_s(failures) if asked_s is None else asked_s


def _is_worth_repeating(answer: BatchAnswer, failures: int) -> bool:
    statuses = {result.status for result in answer.results}
    if UNAVAILABLE in statuses:
        return True
    return failures < MOST_FAILURES and any(status >= 500 for status in statuses)
