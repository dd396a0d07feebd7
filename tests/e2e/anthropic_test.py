"""Anthropic's Python SDK against the simulator."""

import json

import anthropic
import pytest

pytestmark = pytest.mark.xdist_group("sdk")

MESSAGES = [{"role": "user", "content": "Say something about gateways."}]
TOOL = {
    "name": "get_weather",
    "description": "Weather of a town",
    "input_schema": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
}
CALL = {"model": "claude-sonnet", "max_tokens": 200, "messages": MESSAGES}


@pytest.fixture
def client(world):
    with anthropic.Anthropic(base_url=world.url, api_key=world.keys.full, max_retries=0, timeout=60) as client:
        yield client


def test_messages(client):
    answer = client.messages.create(**CALL)
    assert answer.model == "claude-sonnet-remote" and answer.role == "assistant"
    assert answer.content[0].text and answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


def test_name_by_wildcard(client):
    assert client.messages.create(**CALL | {"model": "claude-opus-any"}).model == "claude-opus-any"


def test_key_as_bearer(world):
    with anthropic.Anthropic(base_url=world.url, auth_token=world.keys.full, api_key=None, max_retries=0) as client:
        assert client.messages.create(**CALL).content[0].text


def test_stream(client):
    with client.messages.stream(**CALL) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text and final.content[0].text == text
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0


def test_stream_events(client):
    events = [event.type for event in client.messages.create(**CALL, stream=True)]
    assert events[0] == "message_start" and events[-1] == "message_stop"
    assert events.count("content_block_start") == events.count("content_block_stop")
    assert "message_delta" in events


def test_max_tokens(client):
    assert client.messages.create(**CALL | {"max_tokens": 3}).stop_reason == "max_tokens"


def test_tools(client):
    answer = client.messages.create(**CALL, tools=[TOOL], tool_choice={"type": "any"})
    [call] = [block for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == "tool_use" and call.name == "get_weather" and set(call.input) == {"town"}
    answer = client.messages.create(
        **CALL
        | {
            "messages": [
                *MESSAGES,
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
            ]
        },
        tools=[TOOL],
    )
    assert answer.content[0].text


def test_tools_streamed(client):
    with client.messages.stream(**CALL, tools=[TOOL], tool_choice={"type": "any"}) as stream:
        partial = "".join(
            event.delta.partial_json
            for event in stream
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta"
        )
        final = stream.get_final_message()
    [call] = [block for block in final.content if block.type == "tool_use"]
    assert json.loads(partial) == call.input


def test_thinking(client):
    answer = client.messages.create(**CALL | {"max_tokens": 4000}, thinking={"type": "enabled", "budget_tokens": 1024})
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].signature


def test_count_tokens(client):
    count = client.messages.count_tokens(model="claude-sonnet", messages=MESSAGES)
    assert count.input_tokens == client.messages.create(**CALL).usage.input_tokens


def test_models(client):
    page = client.models.list()
    names = [model.id for model in page]
    assert "claude-sonnet" in names and "gpt-4o-mini" in names and not any("*" in name for name in names)
    assert page.data[0].type == "model"
    assert client.models.retrieve("claude-sonnet").id == "claude-sonnet"


def test_models_are_those_of_the_key(world):
    with anthropic.Anthropic(base_url=world.url, api_key=world.keys.narrow, max_retries=0) as narrow:
        assert {model.id for model in narrow.models.list()} == {"gpt-4o-mini", "claude-sonnet"}


def test_version_and_beta_headers_arrive(world, client, request_id):
    client.messages.create(
        **CALL | {"model": "scripted-claude"},
        extra_headers={"X-Request-ID": request_id, "anthropic-beta": "some-beta-2025"},
    )
    [seen] = world.upstream.find(request_id)
    assert seen.header("anthropic-version") == client.default_headers["anthropic-version"]
    assert seen.header("anthropic-beta") == "some-beta-2025"
    assert seen.header("x-api-key") == world.keys.scripted and seen.header("authorization") is None
    assert seen.target == "/v1/messages" and seen.json()["model"] == "scripted-remote"


# --- errors -----------------------------------------------------------------------------------------------------------


def test_bad_key(world):
    with anthropic.Anthropic(base_url=world.url, api_key="wrong-key-wrong-key", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError) as error:
            client.messages.create(**CALL)
    assert error.value.body["type"] == "error" and error.value.body["error"]["type"] == "authentication_error"


def test_unknown_model_names_those_there_are(client):
    with pytest.raises(anthropic.NotFoundError) as error:
        client.messages.create(**CALL | {"model": "no-such-model"})
    assert error.value.body["error"]["type"] == "not_found_error"
    assert "no-such-model" in error.value.message and "claude-sonnet" in error.value.message


@pytest.mark.parametrize(
    "status, expected",
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.APIStatusError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_upstream_status(client, status, expected, stream):
    with pytest.raises(expected) as error:
        client.messages.create(**CALL, stream=stream, extra_headers={"x-simulate": f"status={status}"})
    assert error.value.status_code == status


@pytest.mark.parametrize("plan", ["cut=after:4", "reset=after:4", "error-event=after:4"])
def test_broken_stream_raises(client, plan):
    events = []
    with pytest.raises(anthropic.APIError):
        for event in client.messages.create(**CALL, stream=True, extra_headers={"x-simulate": plan}):
            events.append(event.type)
    assert "message_stop" not in events


@pytest.mark.parametrize("plan", ["cut", "reset", "garbage"])
def test_broken_answer_raises(client, plan):
    with pytest.raises((anthropic.APIStatusError, anthropic.APIConnectionError)):
        client.messages.create(**CALL, extra_headers={"x-simulate": plan})


def test_client_timeout(client):
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=1).messages.create(**CALL, extra_headers={"x-simulate": "hang"})


def test_a_file_goes_to_anthropic_and_nowhere_else(world, client, request_id):
    headers = {"X-Request-ID": request_id, "x-llm-gateway-connection": "scripted-anthropic"}
    client.beta.files.upload(file=("plan.txt", b"the plan"), extra_headers=headers)
    [seen] = world.upstream.find(request_id)
    assert seen.target.split("?")[0] == "/v1/files" and b"the plan" in seen.body
    assert seen.header("x-api-key") == world.keys.scripted

    headers = {"X-Request-ID": request_id + "-other", "x-llm-gateway-connection": "scripted-openai"}
    with pytest.raises(anthropic.NotFoundError) as error:
        client.beta.files.upload(file=("plan.txt", b"the plan"), extra_headers=headers)
    assert error.value.body["error"]["type"] == "not_found_error"
    assert not world.upstream.find(request_id + "-other")
