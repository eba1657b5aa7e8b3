"""manage.py restore FOLDER"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentpipe import backup


class Command(BaseCommand):
    help = "Bring back what `backup` has saved, into an empty database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="what `backup` has made")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            backup.bring_back(folder.absolute())
        except backup.Refused as reason:
            raise CommandError(str(reason)) from reason
        self.stdout.write("It is back. Start the server: make run, or manage.py up.")
