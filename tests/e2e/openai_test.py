"""OpenAI's Python SDK against the simulator."""

import asyncio
import base64
import json
import struct
import urllib.request

import openai
import pytest

from harness import metrics, raw, waiting

pytestmark = pytest.mark.xdist_group("sdk")

MESSAGES = [{"role": "user", "content": "Say something about gateways."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a town",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string"}},
            "required": ["town"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def client(world):
    with openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0, timeout=60) as client:
        yield client


def simulate(plan):
    return {"x-simulate": plan}


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-any-at-all", "house/llama-chat"])
def test_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=MESSAGES)
    assert answer.model == model
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_remote_name_is_what_the_upstream_is_asked_for(client):
    answer = client.chat.completions.create(model="renamed-gpt", messages=MESSAGES)
    assert answer.model == "gpt-remote-name"


def test_chat_streamed_equals_chat_not_streamed(client):
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, seed=7)
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, seed=7, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client):
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    with_usage = [chunk for chunk in chunks if chunk.usage]
    assert len(with_usage) == 1 and with_usage[0] is chunks[-1]
    assert not with_usage[0].choices
    assert with_usage[0].usage.completion_tokens > 0


def test_tools(client):
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, tools=[TOOL], tool_choice="required"
    )
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather" and set(json.loads(call.function.arguments)) == {"town"}
    answer = client.chat.completions.create(
        model="gpt-4o-mini",
        tools=[TOOL],
        messages=[*MESSAGES, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}],
    )
    assert answer.choices[0].message.content


def test_tools_streamed(client):
    arguments, names = "", []
    for chunk in client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, tools=[TOOL], stream=True, tool_choice="required"
    ):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            names += [call.function.name] if call.function.name else []
            arguments += call.function.arguments or ""
    assert names == ["get_weather"] and set(json.loads(arguments)) == {"town"}


def test_several_choices(client):
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]


def test_structured_output(client):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=MESSAGES,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}},
    )
    value = json.loads(answer.choices[0].message.content)
    assert isinstance(value["name"], str) and isinstance(value["age"], int)


def test_completions(client):
    assert client.completions.create(model="gpt-legacy", prompt="Once upon", max_tokens=8).choices[0].text
    text = "".join(
        chunk.choices[0].text
        for chunk in client.completions.create(model="gpt-legacy", prompt="Once upon", max_tokens=8, stream=True)
    )
    assert text


def test_embeddings(client):
    floats = client.embeddings.create(model="text-embedding-3", input=["a", "b"], encoding_format="float")
    assert [item.index for item in floats.data] == [0, 1]
    packed = client.embeddings.create(model="text-embedding-3", input="a", encoding_format="base64")
    raw = base64.b64decode(packed.data[0].embedding)
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(floats.data[0].embedding, abs=1e-6)


def test_responses(client):
    answer = client.responses.create(model="gpt-4o-mini", input="Hello")
    assert answer.status == "completed" and answer.output_text and answer.usage.output_tokens > 0
    follow_up = client.responses.create(model="gpt-4o-mini", input="And then?", previous_response_id=answer.id)
    assert follow_up.previous_response_id == answer.id
    assert follow_up.usage.input_tokens > answer.usage.input_tokens


def test_responses_streamed(client):
    events = list(client.responses.create(model="gpt-4o-mini", input="Hello", stream=True))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text


def test_responses_get_and_delete(client):
    created = client.responses.create(model="gpt-4o-mini", input="Hello")
    assert client.responses.retrieve(created.id).output_text == created.output_text
    client.responses.delete(created.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(created.id)


def test_moderations_and_images(client):
    assert client.moderations.create(model="gpt-moderation", input="kind words").results
    assert client.moderations.create(input="kind words").model == "omni-moderation-latest"
    image = client.images.generate(model="gpt-image", prompt="a gate", response_format="b64_json")
    assert base64.b64decode(image.data[0].b64_json)


def test_speech_and_transcription(client):
    speech = client.audio.speech.create(model="gpt-tts", voice="alloy", input="Hello there").read()
    assert len(speech) > 100
    for name in ("speech.wav", "a\\b.wav", "a\\", 'say "name".wav'):
        text = client.audio.transcriptions.create(model="gpt-whisper", file=(name, speech, "audio/wav"))
        assert text.text, name


def test_models(client):
    models = {model.id: model for model in client.models.list()}
    assert "gpt-4o-mini" in models and "claude-sonnet" in models
    assert not any("*" in name for name in models)
    assert models["renamed-gpt"].owned_by == "the-house"
    assert models["gpt-4o-mini"].owned_by == "openai"
    assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    assert client.models.retrieve("text-embedding-new").id == "text-embedding-new"


def test_models_are_those_of_the_key(world):
    with openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.narrow, max_retries=0) as narrow:
        assert {model.id for model in narrow.models.list()} == {"gpt-4o-mini", "claude-sonnet"}
        with pytest.raises(openai.NotFoundError):
            narrow.models.retrieve("renamed-gpt")
        assert narrow.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES).choices
        with pytest.raises(openai.NotFoundError) as error:
            narrow.chat.completions.create(model="renamed-gpt", messages=MESSAGES)
    assert "gpt-4o-mini" in str(error.value) and "scripted" not in str(error.value)


def test_raw_response_has_a_request_id(client):
    answer = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=MESSAGES, extra_headers={"X-Request-ID": "my-own-id"}
    )
    assert answer.headers["x-request-id"] == "my-own-id"
    assert client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=MESSAGES).headers[
        "x-request-id"
    ]


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["wrong-key-wrong-key", "sk-" + "x" * 200])
def test_bad_key(world, key):
    with openai.OpenAI(base_url=world.url + "/v1", api_key=key, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as error:
            client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert key not in str(error.value)
    assert error.value.body["code"] == "invalid_api_key"


def test_unknown_model_names_those_there_are(client):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="no-such-model", messages=MESSAGES)
    assert error.value.code == "model_not_found" and error.value.param == "model"
    assert "no-such-model" in error.value.message and "gpt-4o-mini" in error.value.message


def test_model_of_another_protocol(client):
    answer = client.chat.completions.create(model="claude-sonnet", messages=MESSAGES)
    assert answer.choices[0].message.content and answer.choices[0].finish_reason in ("stop", "length")


@pytest.mark.parametrize(
    "status, expected",
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_upstream_status(client, status, expected, stream):
    with pytest.raises(expected) as error:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=stream, extra_headers=simulate(f"status={status}")
        )
    assert error.value.status_code == status


def test_retry_after_is_passed_on(client):
    with pytest.raises(openai.RateLimitError) as error:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, extra_headers=simulate("status=429; retry-after=17")
        )
    assert error.value.response.headers["retry-after"] == "17"


def test_sdk_retries_until_it_works(world):
    """Two refusals, then an answer: the SDK's own retry goes through the gateway each time."""
    model = "gpt-flaky"
    rule = f"status=503; retry-after=0; times=2; model={model}".encode()
    urllib.request.urlopen(urllib.request.Request(world.simulator.url + "/simulate/faults", rule, method="POST"))
    with openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.full, max_retries=3) as client:
        assert client.chat.completions.create(model=model, messages=MESSAGES).choices


@pytest.mark.parametrize("plan", ["cut=after:4", "reset=after:4", "error-event=after:4"])
def test_broken_stream_raises(client, plan):
    """Whatever breaks a stream, the client never takes what it has for the whole."""
    chunks = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=True, extra_headers=simulate(plan)
        ):
            chunks.append(chunk)
    assert all(not chunk.choices or chunk.choices[0].finish_reason is None for chunk in chunks)


@pytest.mark.parametrize("plan", ["cut=after:4", "reset=after:4"])
def test_broken_responses_stream_raises_or_fails(client, plan):
    failed = False
    try:
        for event in client.responses.create(
            model="gpt-4o-mini", input="Hello", stream=True, extra_headers=simulate(plan)
        ):
            assert event.type != "response.completed"
            failed = failed or event.type in ("error", "response.failed")
    except openai.APIError:
        failed = True
    assert failed


@pytest.mark.parametrize("plan", ["cut=after:4", "reset=after:4"])
def test_broken_responses_stream_goes_on_counting(world, plan):
    """Unless the break is inside an event, the stream ends with the gateway's own, numbered and named like the rest."""
    answer = raw.post_json(
        world.address,
        "/v1/responses",
        {"model": "gpt-4o-mini", "input": "Hello", "stream": True},
        world.bearer(*simulate(plan).items()),
    )
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    if not answer.complete:
        assert not answer.body.endswith(b"\n\n")
        return
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["id"] == events[0]["response"]["id"]
    assert events[-1]["response"]["created_at"] == events[0]["response"]["created_at"]


@pytest.mark.parametrize("plan", ["cut", "reset", "garbage", "reset=after:2"])
def test_broken_answer_raises(client, plan):
    with pytest.raises((openai.APIStatusError, openai.APIConnectionError)) as error:
        client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, extra_headers=simulate(plan))
    if isinstance(error.value, openai.APIStatusError):
        assert error.value.status_code in (502, 504)


def test_client_timeout(client, world):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=1).chat.completions.create(
            model="gpt-timeout", messages=MESSAGES, extra_headers=simulate("hang")
        )
    # The call does not go on without its client.
    waiting.until(lambda: metrics.in_flight(world.gateway) == 0, "no request is in flight")


def test_slow_upstream_is_waited_for(client):
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, extra_headers=simulate("delay=1200ms")
    )
    assert answer.choices[0].message.content


def test_async_clients_at_once(world):
    async def run():
        async with openai.AsyncOpenAI(base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0) as client:

            async def one(number):
                stream = await client.chat.completions.create(
                    model="gpt-4o-mini",
                    messages=[{"role": "user", "content": f"Number {number}"}],
                    stream=True,
                    seed=number,
                )
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

            return await asyncio.gather(*(one(number) for number in range(40)))

    texts = asyncio.run(run())
    assert len(texts) == 40 and all(texts)
