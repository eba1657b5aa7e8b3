"""manage.py createkey NAME --project SLUG [--scopes ingest,read] [--rate streams=0]"""

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.access import check_rates
from conversations.models import DEFAULT_PROJECT, Project, Scope
from conversations.services import make_key

LONGEST_NAME = 100


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
        if not 0 < len(options["name"].strip()) <= LONGEST_NAME or "\0" in options["name"]:
            raise CommandError(f"A key has a name of at most {LONGEST_NAME} characters.")
        if not re.fullmatch(r"[-\w]{1,100}", options["project"], re.ASCII):
            raise CommandError("A project's slug has letters, digits, - and _ only.")
        scopes = [word.strip() for word in options["scopes"].split(",") if word.strip()]
        unknown = set(scopes) - set(Scope.values)
        if unknown or not scopes:
            raise CommandError(f"The scopes are {', '.join(Scope.values)}.")
        rates = {name: rate for one in options["rate"] for name, rate in _rate(one).items()}
        project, _ = Project.objects.get_or_create(slug=options["project"])
        _, secret = make_key(project, options["name"], scopes=scopes, rates=rates)
        self.stdout.write(secret)


def _rate(written: str) -> dict[str, str]:
    name, _, value = written.partition("=")
    try:
        return check_rates({name: value})
    except ValueError as error:
        raise CommandError(f"--rate wants NAME=N/SECONDS or NAME=0. {error}") from error
