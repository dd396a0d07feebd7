"""Recorded provider traffic, same protocol in and out. The upstream gets the recorded request with the model's own
name, the client gets the recorded answer byte by byte, however the upstream cuts it into pieces."""

import pytest

from harness import recorded, reconcile

pytestmark = pytest.mark.xdist_group("recorded")

CASES = recorded.load() if (recorded.directory() / "index.json").exists() else []
NAMES = [(case.provider, case.id, variant) for case in CASES for variant in case.variants()]


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    outcomes, problems = recorded.run_all(tmp_path_factory.mktemp("recorded"))
    yield outcomes
    assert not problems, "\n".join(problems)


if not CASES:

    def test_recordings_are_absent():
        pytest.skip(f"no recorded traffic at {recorded.directory()}; LLMGW_CASES names another place")


@pytest.mark.parametrize("provider, case, variant", NAMES)
def test_recorded(recordings, record_property, provider, case, variant):
    record_property("provider", provider)
    outcome = recordings[case, variant]
    assert not outcome.failure, outcome.failure
    planned, answer = outcome.plan, outcome.answer
    assert answer.status == planned.case.meta["status"], answer.body[:2000]
    assert answer.complete
    assert answer.body == planned.case.response(variant)
    recorded_type = (planned.case.meta.get("response_headers") or {}).get("content-type")
    assert recorded_type is None or answer.header("content-type") == recorded_type
    [captured] = outcome.captured
    assert captured["json"] == planned.expected_body
    target = captured["upstream_path"] + (f"?{captured['query']}" if captured["query"] else "")
    assert target == planned.expected_path
    assert len(captured["credential_headers"]) == 1


# Calls that cost nothing by themselves.
FREE = ("count_tokens", "input_tokens", "countTokens")


@pytest.mark.parametrize("provider, case, variant", NAMES)
def test_recorded_cost(recordings, provider, case, variant):
    """The ledger has one record of the call, and its cost is what the answer's usage makes by hand."""
    outcome = recordings[case, variant]
    [record] = outcome.records
    meta = outcome.plan.case.meta
    assert record["status"] == meta["status"]
    if meta["status"] >= 300 or outcome.plan.case.endpoint in FREE:
        assert record["nano_dollars"] == 0
        return
    expected = reconcile.cost(outcome.plan.case.endpoint, outcome.plan.case.response(variant))
    if expected is None:
        assert record["estimated"] or record["nano_dollars"] is None
    elif not record["estimated"]:
        assert record["nano_dollars"] == expected
    else:
        # The answer broke off before it had said all.
        assert record["nano_dollars"] >= expected
