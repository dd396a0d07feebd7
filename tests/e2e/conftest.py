"""Fixtures of the end-to-end tests. See harness/world.py for what runs."""

import os
import uuid

import pytest

from harness import world as worlds

# Nothing of the machine's own may decide how the SDKs connect.
for name in (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
):
    os.environ.pop(name, None)
os.environ["LANGSMITH_TRACING"] = "false"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from harness.scheduling import ByGroup  # only where xdist is there

    return ByGroup(config, log)


def run_world(directory, simulated):
    builder = worlds.Builder(directory, simulated)
    yield builder.world
    problems = builder.finish()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A gateway in front of the simulator, for the SDKs."""
    yield from run_world(tmp_path_factory.mktemp("world"), True)


@pytest.fixture(scope="session")
def wire(tmp_path_factory):
    """A gateway in front of the scripted upstream alone, for what goes over the wire."""
    yield from run_world(tmp_path_factory.mktemp("wire"), False)


@pytest.fixture
def request_id():
    """Sent as X-Request-ID, it finds a test's own requests at the scripted upstream."""
    return f"e2e-{uuid.uuid4().hex}"


def write_counts(stats):
    """For ./run: how many passed, and how many did not."""
    path = os.environ.get("LLMGW_E2E_COUNTS")
    if path:
        passed, failed, errors = (len(stats.get(outcome, [])) for outcome in ("passed", "failed", "error"))
        with open(path, "w") as file:
            file.write(f"{passed} {failed + errors}\n")


def pytest_terminal_summary(terminalreporter):
    """Recorded traffic by provider."""
    write_counts(terminalreporter.stats)
    counts = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", []))
            if "provider" in properties:
                counts.setdefault(properties["provider"], dict.fromkeys(("passed", "failed", "skipped"), 0))[
                    outcome
                ] += 1
    for provider, by_outcome in sorted(counts.items()):
        line = ", ".join(f"{number} {outcome}" for outcome, number in by_outcome.items())
        terminalreporter.write_line(f"recorded traffic, {provider}: {line}")
