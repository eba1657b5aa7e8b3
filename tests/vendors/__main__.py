"""The fake vendors as a process of their own."""

import argparse
import sys
import threading
from pathlib import Path

from tests.vendors.script import Scripts
from tests.vendors.server import FakeVendors

parser = argparse.ArgumentParser(prog="python -m tests.vendors", description=__doc__)
parser.add_argument("--port", type=int, default=9100)
parser.add_argument("scripts", type=Path, nargs="?", help="what to answer, as JSON")
options = parser.parse_args()

with FakeVendors(options.port) as vendors:
    if options.scripts:
        vendors.load(Scripts.model_validate_json(options.scripts.read_bytes()))
    for name, value in vendors.settings.items():
        sys.stdout.write(f"{name}={value}\n")
    sys.stdout.flush()
    threading.Event().wait()
