#!/usr/bin/env python
"""Run one of the project's commands; `manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line

from agentpipe.env import BadSetting


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentpipe.settings")
    try:
        execute_from_command_line(sys.argv)
    except BadSetting as problem:
        sys.exit(f"agentpipe: {problem}")


if __name__ == "__main__":
    main()
