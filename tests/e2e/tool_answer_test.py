"""JSON by a schema from a model that can only be made to call a tool: what it says around the call is no JSON."""

import json

import openai
import pytest

from harness import canned

KEY = "canary-client-key-of-answers"
SCHEMA = {
    "type": "object",
    "properties": {"scores": {"type": "object", "additionalProperties": {"type": "integer"}}},
    "required": ["scores"],
    "additionalProperties": False,
}
ANSWER = {"scores": {"ann": 3}}


def blocks(calls):
    text = {"type": "text", "text": "Here are the scores:"}
    call = {"type": "tool_use", "id": "toolu_1", "name": calls, "input": ANSWER}
    return [text, call] if calls else [text]


def events(calls):
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}
    yield {"type": "message_start", "message": message | {"usage": {"input_tokens": 3, "output_tokens": 1}}}
    for index, block in enumerate(blocks(calls)):
        is_text = block["type"] == "text"
        begun = block | ({"text": ""} if is_text else {"input": {}})
        yield {"type": "content_block_start", "index": index, "content_block": begun}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if is_text
            else {"type": "input_json_delta", "partial_json": json.dumps(ANSWER)}
        )
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if calls else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}}
    yield {"type": "message_stop"}


def answer(request):
    asked = request.json()
    words = asked["messages"][0]["content"][0]["text"]
    # The last tool stands for the answer.
    calls = None if "silent" in words else asked["tools"][0 if "own" in words else -1]["name"]
    if asked.get("stream"):
        return 200, (canned.named_events([event]) for event in events(calls))
    return 200, {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "c",
        "content": blocks(calls),
        "stop_reason": "tool_use" if calls else "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 9},
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    upstream = canned.Canned(answer)
    connections = [
        {"name": "anthropic", "provider": "anthropic", "endpoint": upstream.url, "api_key": "canary-upstream"}
    ]
    models = [{"name": "claude", "connection": "anthropic", "remote": "claude-sonnet-4-5"}]
    with canned.gateway(tmp_path_factory.mktemp("answers"), KEY, connections, models) as running:
        running.upstream = upstream
        yield running
    upstream.stop()


def ask(gateway, words, stream, **more):
    schema = {"name": "scores", "strict": True, "schema": SCHEMA}
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0, timeout=60) as sdk:
        answered = sdk.chat.completions.create(
            model="claude",
            messages=[{"role": "user", "content": words}],
            response_format={"type": "json_schema", "json_schema": schema},
            stream=stream,
            **more,
        )
        if more:
            return answered.choices[0]
        if not stream:
            return answered.choices[0].message.content
        return "".join(chunk.choices[0].delta.content or "" for chunk in answered if chunk.choices)


@pytest.mark.parametrize("stream", [False, True])
def test_only_the_call_is_the_answer(gateway, stream):
    assert json.loads(ask(gateway, "q", stream)) == ANSWER
    # The map goes as it is: Claude's own schemas of answers have none.
    sent = gateway.upstream.last().json()
    assert sent["tools"][0]["input_schema"] == SCHEMA and "output_config" not in sent


@pytest.mark.parametrize("stream", [False, True])
def test_without_the_call_the_text_is_the_answer(gateway, stream):
    assert ask(gateway, "silent", stream) == "Here are the scores:"


def test_a_tool_of_the_clients_by_that_name_is_its_own(gateway):
    own = {"type": "function", "function": {"name": "json_answer", "parameters": {"type": "object"}}}
    choice = ask(gateway, "own", False, tools=[own])
    assert [tool["name"] for tool in gateway.upstream.last().json()["tools"]] == ["json_answer", "json_answer_2"]
    call = choice.message.tool_calls[0].function
    assert choice.finish_reason == "tool_calls" and (call.name, json.loads(call.arguments)) == ("json_answer", ANSWER)
    choice = ask(gateway, "q", False, tools=[own])
    assert choice.finish_reason == "stop" and json.loads(choice.message.content) == ANSWER
