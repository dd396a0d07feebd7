"""An answer that breaks in the middle of its text is finished by another instance."""

import itertools
import json

import pytest

from harness import fleet as fleets
from harness import governed, waiting
from harness.fleet import CHAT, GEMINI, INVOKE, MESSAGES, RESPONSES, Call, aws_frames, events, text_of

pytestmark = pytest.mark.xdist_group("continuation")

BREAKS = ["cut=after:9", "reset=after:9", "error-event=after:9", "garbage-json=after:9", "hang=after:9"]
CLIENTS = [
    Call("chat", CHAT, True, "goes-on"),
    Call("messages", MESSAGES, True, "goes-on"),
    Call("gemini", GEMINI, True, "goes-on"),
    Call("responses", RESPONSES, True, "goes-on"),
    Call("invoke", INVOKE, True, "goes-on"),
]
PROVIDERS = ["vllm", "anthropic", "vllm", "anthropic"]
CLAUDE = "claude-3-5-haiku-20241022"  # may be given the beginning of its answer
INPUT_USD, OUTPUT_USD = 2, 10


def settings(fleet):
    def everywhere(name, providers=("vllm", "anthropic")):
        return [
            {"name": name, "connection": own} | ({"remote": CLAUDE} if kind == "anthropic" else {})
            for own, kind in zip(fleet.names, PROVIDERS)
            if kind in providers
        ]

    models = everywhere("goes-on") + everywhere("ends") + everywhere("only-vllm", ("vllm",))
    models += [{"name": "plain", "connection": name} for name in ("openai-0", "openai-1")]
    models += [{"name": "native", "connection": name} for name in ("responses-0", "responses-1")]
    common = {"policy": "ordered", "hold_back": 1, "attempts": 6, "out_time": "100ms", "ramp_time": "0s"}
    return {
        "connections": [fleet.connection(f"openai-{n}", "openai", fleet.ports[n]) for n in range(2)]
        + [fleet.connection(f"responses-{n}", "openai", fleet.ports[n]) | {"api": "both"} for n in range(2)],
        "models": models,
        "prices": [{"provider": "*", "model": "*", "input": str(INPUT_USD), "output": str(OUTPUT_USD)}],
        "routes": [
            {"models": ["goes-on", "plain", "only-vllm", "native"], "continuation": True, "idle_timeout": "700ms"}
            | common,
            {"models": ["ends"], **common},
        ],
    }


running, fleet = fleets.fixtures(
    lambda directory: fleets.Fleet(directory, PROVIDERS, settings, speed=400), lambda fleet: fleet.idle()
)


def records(fleet, request_id, count):
    def found():
        own = [record for record in governed.export(fleet.gateway) if record["id"] == request_id]
        return own if len(own) >= count else None

    return waiting.until(found, "the ledger has the call")


@pytest.mark.parametrize("rule", BREAKS)
@pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.name)
def test_the_text_is_whole_and_once(fleet, call, rule):
    whole = text_of(call, fleet.ask(call))
    before = fleet.event("continuation")

    def gone_on_with():
        """What breaks before the gateway has looked at its beginning is begun anew instead: then once more."""
        fleet.clear()
        for number in range(3):
            fleet.fault(number, f"{rule}; times=1")
        assert text_of(call, fleet.ask(call)) == whole
        return fleet.event("continuation") > before

    waiting.until(gone_on_with, "an answer broke after it had begun")


def test_an_answer_of_its_own_protocol_keeps_its_shape(fleet):
    """Read along, not converted: what goes to the provider is what the client wrote."""
    answer = fleet.ask(Call("chat", CHAT, True, "only-vllm"), stream_options={"include_usage": True}, made_up=1)
    chunks = [json.loads(event) for event in events(answer.body)[:-1]]
    assert chunks[-1]["usage"]["completion_tokens"] > 9
    assert answer.header("x-llm-gateway-warnings") is None


def test_both_instances_are_paid(fleet):
    call = Call("chat", CHAT, True, "only-vllm")
    whole = text_of(call, fleet.ask(call))
    ids = (f"paid-by-both-{number}" for number in itertools.count())

    def gone_on_with():
        fleet.clear()
        fleet.fault(0, "cut=after:9; times=1")
        before, own = fleet.event("continuation"), next(ids)
        answer = fleet.ask(call, stream_options={"include_usage": True}, headers=[("x-request-id", own)])
        assert text_of(call, answer) == whole
        return fleet.event("continuation") > before and (own, answer)

    request_id, answer = waiting.until(gone_on_with, "an answer broke after it had begun")
    usage = [json.loads(event) for event in events(answer.body)[:-1]][-1]["usage"]
    own = records(fleet, request_id, 2)
    assert sorted(record["outcome"] for record in own) == ["completed", "cut"]
    assert {record["connection"] for record in own} == {"i0", "i2"}
    (cut,) = [record for record in own if record["outcome"] == "cut"]
    assert cut["output"] == 9 and cut["estimated"]
    assert sum(record["output"] for record in own) == usage["completion_tokens"]
    assert sum(record["input"] for record in own) == usage["prompt_tokens"]
    tokens = len(whole.encode()) / 4  # the simulator's
    assert tokens <= usage["completion_tokens"] <= tokens + 2


def test_max_tokens_hold_for_the_whole(fleet):
    call = Call("chat", CHAT, True, "only-vllm", {"max_tokens": 15})
    whole = text_of(call, fleet.ask(call))
    assert len(whole) == 15 * 4
    before = fleet.event("continuation")

    def gone_on_with():
        fleet.clear()
        fleet.fault(0, "cut=after:8; times=1")
        answer = fleet.ask(call, stream_options={"include_usage": True})
        return fleet.event("continuation") > before and answer

    answer = waiting.until(gone_on_with, "an answer broke after it had begun")
    said = text_of(call, answer)
    assert said.startswith(whole[:-4]) and len(said) <= len(whole)
    usage = [json.loads(event) for event in events(answer.body)[:-1]][-1]["usage"]
    assert usage["completion_tokens"] <= 15


def broken(call, answer):
    """The text before the error that ends the stream; None if it is whole."""
    assert answer.status == 200 and answer.complete
    if call.target == INVOKE:
        *chunks, (last, _) = aws_frames(answer.body)
        if last == "chunk":
            return None
        assert last == "modelStreamErrorException" and {kind for kind, _ in chunks} == {"chunk"}
        found = [event for _, event in chunks]
    else:
        found = [json.loads(event) for event in events(answer.body) if event != "[DONE]"]
    if call.target == CHAT:
        if "error" not in found[-1]:
            return None
        return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in found[:-1] if chunk["choices"])
    if call.target == MESSAGES and found[-1]["type"] != "error":
        return None
    return "".join(event["delta"]["text"] for event in found if event["type"] == "content_block_delta")


def until_broken(fleet, call):
    """The text of an answer that broke. What breaks before the gateway has looked at its beginning is begun anew."""

    def broke():
        fleet.clear()
        for number in range(len(PROVIDERS)):
            fleet.fault(number, "cut=after:9; times=1")
        return broken(call, fleet.ask(call))

    return waiting.until(broke, "an answer broke after it had begun")


@pytest.mark.parametrize("model", ["ends", "plain"])
@pytest.mark.parametrize("target", [CHAT, MESSAGES])
def test_where_nobody_goes_on_the_stream_ends_with_an_error(fleet, model, target):
    call = Call("broken", target, True, model)
    whole = text_of(call, fleet.ask(call))
    before = fleet.event("continuation")
    assert until_broken(fleet, call) == whole[:36]
    assert fleet.event("continuation") == before


def test_a_responses_api_of_the_providers_own_ends_with_its_error(fleet):
    """The response is the provider's: what it has of it, no other one can go on with."""
    call = Call("responses", RESPONSES, True, "native")
    whole = text_of(call, fleet.ask(call))
    before = fleet.event("continuation")

    def broke():
        fleet.clear()
        for number in range(2):
            fleet.fault(number, "error-event=after:9; times=1")
        found = [json.loads(event) for event in events(fleet.ask(call).body)]
        return found if found[-1]["type"] == "response.failed" else None

    found = waiting.until(broke, "an answer broke after it had begun")
    assert found[-2]["type"] == "error"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    said = "".join(event["delta"] for event in found if event["type"] == "response.output_text.delta")
    assert said and whole.startswith(said) and fleet.event("continuation") == before


def test_a_client_of_invoke_model_is_told_with_an_exception(fleet):
    call = Call("invoke", INVOKE, True, "ends")
    whole = text_of(call, fleet.ask(call))
    assert until_broken(fleet, call) == whole[:36]


def test_what_is_no_plain_text_is_not_gone_on_with(fleet):
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    for more in (
        {"tools": [tool], "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
        {"n": 2},
    ):
        before = fleet.event("continuation")

        def broke(more=more):
            fleet.clear()
            fleet.fault(0, "cut=after:4; times=1")
            answer = fleet.ask(Call("chat", CHAT, True, "only-vllm"), **more)
            return any("error" in json.loads(event) for event in events(answer.body) if event != "[DONE]")

        waiting.until(broke, f"an answer broke after it had begun: {more}")
        assert fleet.event("continuation") == before
        fleet.clear()
