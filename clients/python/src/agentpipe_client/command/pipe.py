"""`agentpipe pipe`: the output of a recording tool, sent to the server as it comes."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Self

from agentpipe_client.client import AgentPipe
from agentpipe_client.command.intake import Intake, chunks_with_lines
from agentpipe_client.command.places import short_digest, state_folder
from agentpipe_client.command.saying import say
from agentpipe_client.retries import Patience
from agentpipe_client.sending import Sender
from agentpipe_client.server import Server
from agentpipe_client.spool import Spool

DESCRIPTION = "Send the --json output of a recording tool as it is written, as in: \
run --json | agentpipe pipe --tee. Events are kept on disk until the server has them, and what is \
left over is sent by the next pipe."
WAIT_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tee", action="store_true", help="write everything that is read to the standard output"
    )
    parser.add_argument(
        "--spool",
        type=Path,
        metavar="DIR",
        help="where events wait for the server (default: in the user's state directory)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        help=f"how long to go on sending when the input has ended (default: {WAIT_S:.0f}; "
        "with --flush: until all is sent)",
    )
    parser.add_argument(
        "--flush",
        action="store_true",
        help="read nothing: send what earlier pipes to this server have left, whatever their key",
    )


def run(arguments: argparse.Namespace) -> int:
    server = Server.named(arguments.url, arguments.key)
    of_server = (arguments.spool or state_folder() / "spool") / short_digest(server.url)
    # Events of one key belong to its project, and do not go to that of another.
    home = of_server / short_digest(server.key or "")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    client = AgentPipe(server.url, server.key, patience=Patience(attempts=1))
    if arguments.flush:
        return flush(client, of_server, home, wait_s=arguments.wait)
    wait_s = WAIT_S if arguments.wait is None else arguments.wait
    return pipe(client, home, is_tee=arguments.tee, wait_s=wait_s)


def pipe(client: AgentPipe, home: Path, *, is_tee: bool, wait_s: float) -> int:
    left_over = Spool.left_over(home)
    spool = Spool.create(home)
    sender = Sender(client, spool, left_over, home=home, say=say)
    sender.start()
    intake = Intake()
    with PatientInterrupts() as interrupts:
        for chunk, lines, is_whole in chunks_with_lines(sys.stdin.fileno(), interrupts.alarm):
            if lines:
                spool.append([intake.take(line, is_whole=is_whole) for line in lines])
                sender.wake()
            if is_tee:
                is_tee = _passed_on(chunk)
        spool.sync()
        interrupts.is_patient = False
        is_done = sender.finish(wait_s)
    if is_done:
        spool.discard()
        client.close()
    return _summary(sender, intake, home, is_done=is_done)


def flush(client: AgentPipe, of_server: Path, home: Path, *, wait_s: float | None) -> int:
    left_over = [spool for each in sorted(of_server.iterdir()) for spool in Spool.left_over(each)]
    sender = Sender(client, None, left_over, home=home, say=say)
    sender.start()
    is_done = sender.finish(wait_s)
    if is_done:
        client.close()
    return _summary(sender, Intake(), home, is_done=is_done)


class PatientInterrupts:
    """One Ctrl-C also reaches the program that writes: what that says last is still read.

    A Ctrl-C in the moment before a read begins would not be noticed until that read ends: so each
    also puts a byte into `alarm`.
    """

    def __init__(self) -> None:
        self.is_patient = True
        self.alarm, self._ring = os.pipe()
        os.set_blocking(self._ring, False)

    def __enter__(self) -> Self:
        self._known = signal.signal(signal.SIGINT, self._interrupted)
        self._known_ring = signal.set_wakeup_fd(self._ring)
        return self

    def __exit__(self, *error: object) -> None:
        signal.set_wakeup_fd(self._known_ring)
        signal.signal(signal.SIGINT, self._known)
        os.close(self.alarm)
        os.close(self._ring)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if not self.is_patient:
            raise KeyboardInterrupt
        self.is_patient = False
        say("Reading on until the input ends. Press Ctrl-C again to stop at once.")


def _passed_on(chunk: bytes) -> bool:
    try:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        say("Nobody reads the standard output any more; recording goes on.")
        return False
    return True


def _summary(sender: Sender, intake: Intake, home: Path, *, is_done: bool) -> int:
    said = [f"{sender.sent} events sent"]
    if refused := sender.refused + intake.too_long:
        said.append(f"{refused} refused")
    if intake.others:
        said.append(f"{intake.others} lines were no events")
    if intake.is_torn:
        said.append("the last line was cut off")
    say(f"{', '.join(said)}.")
    if not is_done:
        say(f"The rest is kept in {home}; the next `agentpipe pipe`, or `--flush`, sends it.")
    return 0 if is_done and not refused else 1
