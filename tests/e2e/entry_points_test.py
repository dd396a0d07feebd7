"""What a person or a build machine types first: every make target leads to programs that are there, and .ci/run judges
tests and linters as it says. Nothing is built: the commands are looked at, or stand-ins take their place."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 60


def targets():
    return re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def make(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


@pytest.mark.parametrize("target", targets())
def test_a_target_leads_somewhere(target):
    done = make("-n", target)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
    commands = [line for line in done.stdout.splitlines() if not line.startswith("echo ")]
    assert commands or target == "help"
    for line in commands:
        for program in re.findall(r"(?:^|\s)((?:scripts|tools|bench|tests|\.ci)/[\w./-]+)", line):
            wanted = os.R_OK if program.endswith(".py") else os.X_OK
            assert os.access(ROOT / program, wanted), f"{line!r}: {program} is missing"


def test_what_the_manual_calls_exists_and_help_tells_of_it():
    manual = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("*/*/README.md")]
    called = {name for file in manual for name in re.findall(r"`make ([a-z][a-z-]*)", file.read_text())}
    assert {"run", "test", "build", "bench", "fuzz", "format", "lint", "sanitize"} <= called <= set(targets())
    told = set(re.findall(r"^make ([a-z-]+)", make("help").stdout, re.MULTILINE))
    assert told == set(targets()) - {"help"}


@pytest.fixture(name="continuous")
def make_continuous(tmp_path):
    """.ci/run in a tree where what it calls are stand-ins that note how they were called."""
    for name in (".ci", "tools", "bin", "build/dev", "tests/e2e"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")

    def run(test_says, test_status, lint_status, build_status, trial_status):
        make = f"case $1 in test) printf '{test_says}'; exit {test_status};; build) exit {build_status};; esac"
        for program, does in (
            ("bin/make", make),
            ("tools/lint", f"exit {lint_status}"),
            ("tests/e2e/run", f"echo {TRIAL}; exit {trial_status}"),
        ):
            file = tmp_path / program
            file.write_text(f'#!/bin/sh\necho "{program} $*" >>"{tmp_path}/calls"\n{does}\n')
            file.chmod(0o755)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(
            [tmp_path / ".ci/run"], env=environment, cwd="/", capture_output=True, text=True, timeout=SECONDS
        )
        calls = (tmp_path / "calls").read_text().splitlines()
        return done.stdout.splitlines(), done.returncode, calls

    return run


TEST, LINT, BUILD = "bin/make test", "tools/lint --minutes 6", "bin/make build"
TRY = "tests/e2e/run first_steps_test.py"
TRIAL = "99 passed, 99 failed"  # not to be counted


@pytest.mark.parametrize(
    "test_says, statuses, last, status",
    [
        ("7 passed, 0 failed\\n", (0, 0, 0, 0), "9 passed, 0 failed", 0),
        ("7 passed, 0 failed\\n", (0, 1, 0, 0), "8 passed, 1 failed", 1),
        ("7 passed, 0 failed\\n", (0, 0, 1, 0), "8 passed, 1 failed", 1),
        ("7 passed, 0 failed\\n", (0, 0, 0, 1), "8 passed, 1 failed", 1),
        ("5 passed, 2 failed\\n", (1, 0, 0, 0), "7 passed, 2 failed", 1),
        # It broke before it could count: that must not look like no failure.
        ("cc: error\\n", (2, 0, 0, 0), "2 passed, 1 failed", 1),
        ("7 passed, 0 failed\\n", (2, 0, 0, 0), "9 passed, 1 failed", 1),
        # Only a line of its own counts, and the last one.
        ("3 passed, 3 failed\\nnot 9 passed, 9 failed\\n4 passed, 0 failed\\n", (0,) * 4, "6 passed, 0 failed", 0),
    ],
)
def test_continuous_integration(continuous, test_says, statuses, last, status):
    lines, returned, calls = continuous(test_says, *statuses)
    assert lines[-1] == last and returned == status
    build_status = statuses[2]
    assert calls == [TEST, LINT, BUILD] + ([] if build_status else [TRY])


@pytest.mark.parametrize("quiet", [[], ["-qq"]])
def test_the_count_stands_at_the_end_however_quiet_it_is(quiet):
    environment = {**os.environ, "LLMGW_E2E_JOBS": "0"}
    done = subprocess.run(
        [ROOT / "tests/e2e/run", *quiet, "entry_points_test.py", "-k", "test_continuous_integration"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    count = re.fullmatch(r"(\d+) passed, 0 failed", done.stdout.splitlines()[-1])
    assert count and int(count[1]) > 1, done.stdout
