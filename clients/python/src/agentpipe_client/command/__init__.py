"""The `agentpipe` command: upload, tail and pipe."""

import argparse
import os
import sys
from collections.abc import Sequence

from agentpipe_client.command import pipe, tail, upload
from agentpipe_client.command.saying import say
from agentpipe_client.errors import AgentPipeError

EPILOG = """\
environment:
  AGENTPIPE_URL       the server (also AGENTPIPE_STREAM_URL; default http://127.0.0.1:8000)
  AGENTPIPE_API_KEY   the key (also AGENTPIPE_STREAM_API_KEY, AGENTPIPE_BRIDGE_API_KEY)
  AGENTPIPE_PROJECT   the project (default: default)

It ends with 0 when all went well, 1 when something was refused, failed or is left to be done,
2 when it was called wrongly, and 130 after Ctrl-C.
"""
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        result: int = parsed.run(parsed)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; what Python would still write has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (AgentPipeError, OSError) as error:
        say(str(error))
        return 1
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agentpipe",
        description="Send conversations of AI agents to an AgentPipe server, and watch them live.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, room, help_text in (
        ("upload", upload, "send files and folders of recorded conversations"),
        ("tail", tail, "watch a project or a conversation live"),
        ("pipe", pipe, "send the --json output of a recording tool as it is written"),
    ):
        command = commands.add_parser(name, help=help_text, description=room.DESCRIPTION)
        command.add_argument("--url", help="the server, as in https://agentpipe.example")
        command.add_argument("--key", help="the API key; rather set AGENTPIPE_API_KEY")
        room.add_arguments(command)
        command.set_defaults(run=room.run)
    return parser
