"""manage.py createkey NAME --project SLUG [--scopes ingest,read] [--rate streams=0]"""

import re
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.models import DEFAULT_PROJECT, Project, Scope
from conversations.services import make_key


class Command(BaseCommand):
    help = "Make an API key and print it. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--project", default=DEFAULT_PROJECT, help="made if it is absent")
        parser.add_argument("--scopes", default=",".join(Scope.values), help="%(default)s")
        parser.add_argument(
            "--rate", action="append", default=[], metavar="NAME=N/SECONDS", help="0 is no limit"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not re.fullmatch(r"[-\w]{1,100}", options["project"], re.ASCII):
            raise CommandError("A project's slug has letters, digits, - and _ only.")
        scopes = [word.strip() for word in options["scopes"].split(",") if word.strip()]
        unknown = set(scopes) - set(Scope.values)
        if unknown or not scopes:
            raise CommandError(f"The scopes are {', '.join(Scope.values)}.")
        rates = dict(map(_rate, options["rate"]))
        project, _ = Project.objects.get_or_create(slug=options["project"])
        _, secret = make_key(project, options["name"], scopes=scopes, rates=rates)
        self.stdout.write(secret)


def _rate(written: str) -> tuple[str, str]:
    name, _, value = written.partition("=")
    if name not in settings.RATES or not re.fullmatch(r"0|[1-9]\d{0,8}/[1-9]\d{0,8}", value):
        names = ", ".join(settings.RATES)
        raise CommandError(f"--rate wants NAME=N/SECONDS or NAME=0; the names are {names}.")
    return name, value
