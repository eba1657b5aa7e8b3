"""`agentpipe tail`: a project or a conversation, live, an event a line."""

import argparse
import json
import sys

from rich.console import Console

from agentpipe_client.client import AgentPipe
from agentpipe_client.command.places import default_project
from agentpipe_client.command.saying import say
from agentpipe_client.command.showing import shown
from agentpipe_client.following import Interruption

DESCRIPTION = "Watch a project or a conversation live. It goes on where it was when the server \
comes back, and ends with Ctrl-C. Colour is for terminals, and NO_COLOR switches it off."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--project", default=default_project(), help="everything in this project")
    what.add_argument("--conversation", metavar="ID", help="one conversation")
    parser.add_argument(
        "--since", metavar="ID", help="from behind this event; 0 for all there is (default: now)"
    )
    parser.add_argument(
        "--json", action="store_true", dest="is_json", help="the events as they come, one a line"
    )


def run(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    with AgentPipe(arguments.url, arguments.key) as client:
        if arguments.conversation:
            events = client.follow_conversation(
                arguments.conversation, since=arguments.since, on_interruption=_told
            )
        else:
            events = client.follow_project(
                arguments.project, since=arguments.since, on_interruption=_told
            )
        for event in events:
            if arguments.is_json:
                sys.stdout.write(json.dumps(event.frame, ensure_ascii=False) + "\n")
                sys.stdout.flush()
            else:
                console.print(shown(event))
    return 0


def _told(interruption: Interruption) -> None:
    say(f"The stream broke off: {interruption.reason}. Connecting again.")
