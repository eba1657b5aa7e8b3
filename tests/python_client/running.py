"""The `agentpipe` command as a process whose words can be waited for."""

import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Condition, Thread
from typing import IO

DEADLINE_S = 60


class Running:
    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agentpipe_client", *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            preexec_fn=_hears_ctrl_c,
        )
        self.out: list[str] = []
        self.said: list[str] = []
        self._changed = Condition()
        self._readers = [
            Thread(target=self._read, args=[self.process.stdout, self.out]),
            Thread(target=self._read, args=[self.process.stderr, self.said]),
        ]
        for reader in self._readers:
            reader.start()

    def write(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    def await_out(self, is_so: Callable[[list[str]], bool]) -> None:
        self._await(lambda: is_so(self.out))

    def await_said(self, words: str) -> None:
        self._await(lambda: any(words in line for line in self.said))

    def kill(self) -> None:
        """As kill -9 does it."""
        self.process.kill()
        self.end()

    def end(self) -> int:
        """The exit code, once the input has ended and everything that was said is here."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(DEADLINE_S)
        finally:
            self.process.kill()
            for reader in self._readers:
                reader.join()
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                stream.close()
        return code

    def _await(self, is_so: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, DEADLINE_S), (self.out[-5:], self.said)

    def _read(self, stream: IO[bytes], lines: list[str]) -> None:
        for line in iter(stream.readline, b""):
            with self._changed:
                lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()


def _hears_ctrl_c() -> None:
    """Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
