"""manage.py backup FOLDER"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentpipe import backup


class Command(BaseCommand):
    help = "Save the database, the secrets and files that wait to be imported; it may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="a new one")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            backup.save(folder.absolute())
        except backup.Refused as reason:
            raise CommandError(str(reason)) from reason
        self.stdout.write(f"Saved in {folder}. Whoever can read it has the keys.")
