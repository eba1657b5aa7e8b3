"""The modules under static/js by themselves, in Node."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.processes
def test_the_javascript_modules_pass_their_own_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js: the modules were not tested by themselves")

    files = sorted(map(str, (ROOT / "tests" / "js").glob("*.test.js")))
    command = [node, "--no-warnings", "--test", *files]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.processes
def test_the_types_are_those_that_a_program_needs() -> None:
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("there is no TypeScript: the types of the package were not compiled")

    command = [compiler, "-p", str(ROOT / "tests" / "js" / "tsconfig.json")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
