"""Cohere's own SDK: streams that break, and texts before calls."""

import cohere
import pytest

from harness import canned

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-cohere"
PING = [{"role": "user", "content": "ping"}]
PARAMETERS = {"type": "object", "properties": {}}
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": PARAMETERS}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def openai_events(breaks):
    call = {"index": 0} | CALL
    deltas = [{"role": "assistant", "content": "I will look."}] + ([] if breaks else [{"tool_calls": [call]}])
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    if not breaks:
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    return canned.chat_events(choices, done=not breaks)


COHERE_EVENTS = [
    {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}},
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "I will look."}}}},
]


def answer(request):
    body = request.json()
    breaks = body["model"].startswith("breaks")
    if request.path == "/v2/chat":
        return 200, (piece for piece in [canned.named_events(COHERE_EVENTS)])
    if body.get("stream"):
        return 200, openai_events(breaks), canned.EVENT_STREAM
    message = {"role": "assistant", "content": "I will look.", "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return 200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


upstream = canned.serving(answer)


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    at = {"endpoint": upstream.url, "api_key": "canary-upstream"}
    connections = [at | {"name": "openai", "provider": "openai"}, at | {"name": "cohere", "provider": "cohere"}]
    models = [
        {"name": "gpt", "connection": "openai"},
        {"name": "breaks", "connection": "openai"},
        {"name": "breaks-itself", "connection": "cohere"},
    ]
    with canned.gateway(tmp_path_factory.mktemp("cohere"), KEY, connections, models) as running:
        yield running


@pytest.fixture
def sdk(gateway):
    return cohere.ClientV2(base_url=gateway.url, api_key=KEY, timeout=60)


@pytest.mark.parametrize("model", ["breaks", "breaks-itself"])
def test_a_stream_that_breaks_ends_as_cohere_says_it(sdk, model):
    events = list(sdk.chat_stream(model=model, messages=PING))
    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert text == "I will look."
    last = events[-1]
    assert last.type == "message-end" and last.delta.finish_reason == "ERROR"
    assert last.delta.error.endswith("was complete")
    assert [event.type for event in events].count("message-end") == 1


def test_text_before_calls_is_the_same_streamed_and_not(sdk):
    made = sdk.chat(model="gpt", messages=PING, tools=[TOOL])
    assert [part.text for part in made.message.content] == ["I will look."] and made.message.tool_plan is None
    assert [call.function.name for call in made.message.tool_calls] == ["look"]
    events = list(sdk.chat_stream(model="gpt", messages=PING, tools=[TOOL]))
    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert text == "I will look." and not any(event.type == "tool-plan-delta" for event in events)
    assert events[-1].delta.finish_reason == made.finish_reason == "TOOL_CALL"


def test_the_text_goes_back_with_its_calls(sdk, upstream):
    made = sdk.chat(model="gpt", messages=PING, tools=[TOOL])
    result = {"role": "tool", "tool_call_id": made.message.tool_calls[0].id, "content": "sunny"}
    sdk.chat(model="gpt", messages=[*PING, made.message, result], tools=[TOOL])
    said = upstream.requests[-1].json()["messages"][1]
    assert said["content"] == "I will look." and said["tool_calls"][0]["function"]["name"] == "look"
