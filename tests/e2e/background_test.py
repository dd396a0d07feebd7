"""Responses made in the background, and conversations, with providers that have neither: the gateway's own, for each
kind of provider."""

import json
import threading
import time

import openai
import pytest

from harness import canned, clouds, metrics, waiting

pytestmark = pytest.mark.xdist_group("clouds")

LIMITED = "canary-limited-key-of-background"
KEY = "canary-client-key-of-background"
OTHER = "canary-other-key-of-background"
MODELS = ["openai", "anthropic", "google", "bedrock", "cohere"]
SECONDS = 30


class Provider:
    """All of them; a prompt that says "wait" is answered when the gate is opened, one that says "fail" by an error."""

    def __init__(self):
        self.gate = threading.Event()
        self.left = threading.Event()

    def __call__(self, request):
        text = json.dumps(request.json())
        if "fail" in text:
            return 400, {"error": {"type": "invalid_request_error", "message": "that will not do"}}
        if "wait" in text:
            self.gate.wait(SECONDS)
        path = request.path.partition("?")[0]
        if path.endswith(":streamGenerateContent") or request.json().get("stream"):
            return 200, self.stream(path, "slowly" in text)
        if path.endswith("/chat/completions"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}
            usage = {"prompt_tokens": len(text), "completion_tokens": 2, "total_tokens": len(text) + 2}
            return 200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m"} | {
                "choices": [choice],
                "usage": usage,
            }
        if path.endswith("/messages"):
            return 200, clouds.MESSAGE | {"usage": {"input_tokens": len(text), "output_tokens": 2}}
        if path.endswith("/converse"):
            usage = {"inputTokens": len(text), "outputTokens": 2, "totalTokens": len(text) + 2}
            return 200, clouds.CONVERSE | {"usage": usage}
        if path.endswith(":generateContent"):
            return 200, clouds.GENERATED | {
                "usageMetadata": {
                    "promptTokenCount": len(text),
                    "candidatesTokenCount": 1,
                    "totalTokenCount": len(text) + 1,
                }
            }
        return 200, {
            "id": "c",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "pong"}]},
            "usage": {"tokens": {"input_tokens": len(text), "output_tokens": 2}},
        }


    def stream(self, path, slowly):
        """Says ping, waits for the gate if asked to, says pong."""
        kind = next(part for part in ("completions", "messages", "Content") if part in path)
        start, first, second, end = STREAMS[kind]
        yield start + first
        if slowly:
            self.gate.wait(SECONDS)
        yield second + end


def data(*values):
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def chat_chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def claude_delta(text):
    return data({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def gemini_chunk(text, **more):
    return data({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}} | more]})


STREAMS = {
    "completions": (
        data(chat_chunk({"role": "assistant"})),
        data(chat_chunk({"content": "ping "})),
        data(chat_chunk({"content": "pong"})),
        data(chat_chunk({}, "stop")) + b"data: [DONE]\n\n",
    ),
    "messages": (
        data(*clouds.MESSAGE_EVENTS[:2]),
        claude_delta("ping "),
        claude_delta("pong"),
        data(*clouds.MESSAGE_EVENTS[3:]),
    ),
    "Content": (b"", gemini_chunk("ping "), gemini_chunk("pong", finishReason="STOP"), b""),
}
STREAMED = ["openai", "anthropic", "google"]


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def cloud(provider):
    running = canned.Canned(provider)
    yield running
    provider.gate.set()
    running.stop()


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    at = {"endpoint": cloud.url, "api_key": "canary-upstream"}
    connections = [
        at | {"name": "openai", "provider": "openai", "api": "chat"},
        at | {"name": "anthropic", "provider": "anthropic"},
        at | {"name": "google", "provider": "google"},
        at | {"name": "bedrock", "provider": "bedrock", "region": clouds.REGION},
        at | {"name": "cohere", "provider": "cohere"},
    ]
    models = [{"name": name, "connection": name} for name in MODELS]
    keys = [{"name": "client", "key": KEY}, {"name": "other", "key": OTHER}]
    keys.append({"name": "limited", "key": LIMITED, "rpm": 2})
    with canned.gateway(tmp_path_factory.mktemp("background"), keys, connections, models) as running:
        yield running


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0, timeout=SECONDS) as client:
        yield client


def until_over(client, response):
    def over():
        found = client.responses.retrieve(response.id)
        return found if found.status not in ("queued", "in_progress") else None

    return waiting.until(over, "the end of the response", SECONDS)


@pytest.mark.parametrize("model", MODELS)
def test_it_runs_on_and_is_found(client, provider, model):
    provider.gate.clear()
    made = client.responses.create(model=model, input="wait for it", background=True)
    assert made.status in ("queued", "in_progress") and made.background and not made.output
    assert client.responses.retrieve(made.id).status in ("queued", "in_progress")
    provider.gate.set()
    found = until_over(client, made)
    assert (found.id, found.status, found.output_text, found.background) == (made.id, "completed", "pong", True)
    assert found.usage.input_tokens > 0 and found.model == model
    assert client.responses.input_items.list(made.id).data[0].content[0].text == "wait for it"
    # It can be built upon like any other.
    again = client.responses.create(model=model, input="and then?", previous_response_id=made.id)
    assert again.usage.input_tokens > found.usage.input_tokens


def test_it_is_cancelled(client, provider, cloud):
    provider.gate.clear()
    made = client.responses.create(model="anthropic", input="wait for me", background=True)
    assert client.responses.cancel(made.id).status == "cancelled"
    assert client.responses.retrieve(made.id).status == "cancelled"
    provider.gate.set()
    time.sleep(1.5)  # what comes later changes nothing
    assert client.responses.retrieve(made.id).status == "cancelled"
    # One that is over stays as it is.
    done = until_over(client, client.responses.create(model="anthropic", input="quick", background=True))
    assert client.responses.cancel(done.id).status == "completed"


def test_only_what_runs_in_the_background_is_cancelled(client):
    made = client.responses.create(model="anthropic", input="now")
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(made.id)


def test_a_failure_is_told(client):
    found = until_over(client, client.responses.create(model="cohere", input="fail", background=True))
    assert found.status == "failed" and "that will not do" in found.error.message


def test_what_is_wrong_is_said_at_once(client):
    with pytest.raises(openai.BadRequestError, match="does not exist"):
        client.responses.create(model="nowhere", input="x", background=True)
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model="anthropic", input="x", background=True, store=False)
    assert error.value.param == "background"


def test_a_deleted_response_is_gone(client, provider):
    provider.gate.clear()
    made = client.responses.create(model="google", input="wait in vain", background=True)
    client.responses.delete(made.id)
    provider.gate.set()
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_nobody_elses(gateway, client, provider):
    made = client.responses.create(model="google", input="mine", background=True)
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=OTHER, max_retries=0) as other:
        for call in (other.responses.retrieve, other.responses.cancel, other.responses.delete):
            with pytest.raises(openai.NotFoundError):
                call(made.id)
    assert until_over(client, made).status == "completed"


@pytest.mark.parametrize("model", MODELS)
def test_conversations(gateway, client, model):
    made = client.conversations.create(metadata={"topic": "gateways"})
    first = client.responses.create(model=model, input="The first turn.", conversation=made.id)
    assert first.conversation.id == made.id
    second = client.responses.create(model=model, input="The second.", conversation=made.id)
    # What was said before is said to the provider again.
    assert second.usage.input_tokens > first.usage.input_tokens
    items = client.conversations.items.list(made.id, order="asc").data
    assert [item.role for item in items] == ["user", "assistant", "user", "assistant"]
    assert items[0].content[0].text == "The first turn." and items[1].content[0].text == "pong"
    assert client.conversations.retrieve(made.id).metadata == {"topic": "gateways"}
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=OTHER, max_retries=0) as other:
        with pytest.raises(openai.NotFoundError):
            other.conversations.retrieve(made.id)
    client.conversations.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.list(made.id)


def test_a_conversation_goes_on_in_the_background(client):
    made = client.conversations.create(items=[{"type": "message", "role": "user", "content": "Before."}])
    asked = client.responses.create(model="anthropic", input="In it.", conversation=made.id, background=True)
    until_over(client, asked)
    texts = [item.content[0].text for item in client.conversations.items.list(made.id, order="asc").data]
    assert texts == ["Before.", "In it.", "pong"]


def numbered(events):
    """All of them, and nothing is missing between them."""
    events = list(events)
    first = events[0].sequence_number
    assert [event.sequence_number for event in events] == list(range(first, first + len(events)))
    return events


@pytest.mark.parametrize("model", STREAMED)
def test_it_is_streamed(client, model):
    events = numbered(client.responses.create(model=model, input="quick", background=True, stream=True))
    assert events[0].type == "response.created" and events[0].sequence_number == 0
    assert events[0].response.background and events[0].response.status == "in_progress"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "ping pong"
    last = events[-1]
    assert last.type == "response.completed" and last.response.output_text == "ping pong"
    assert {event.response.id for event in events if hasattr(event, "response")} == {last.response.id}
    # Who has seen the end may build on it, and finds it as it was streamed.
    again = client.responses.create(model=model, input="and then?", previous_response_id=last.response.id)
    assert again.previous_response_id == last.response.id
    assert client.responses.retrieve(last.response.id).to_dict() == last.response.to_dict()


@pytest.mark.parametrize("model", STREAMED)
def test_a_client_leaves_and_comes_back(client, provider, model):
    provider.gate.clear()
    seen = []
    stream = client.responses.create(model=model, input="slowly", background=True, stream=True)
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta":
            break
    stream.close()
    name = seen[0].response.id
    # One that comes back while it goes on, from where it left; another from the beginning.
    back = client.responses.retrieve(name, stream=True, starting_after=seen[-1].sequence_number)
    assert client.responses.retrieve(name).status == "in_progress"
    provider.gate.set()
    rest = list(back)
    whole = numbered(client.responses.retrieve(name, stream=True))
    assert numbered(seen + rest) == whole
    assert whole[-1].type == "response.completed" and whole[-1].response.output_text == "ping pong"
    # All of it has been seen.
    assert not list(client.responses.retrieve(name, stream=True, starting_after=whole[-1].sequence_number))


def test_a_stream_is_cancelled(client, provider):
    provider.gate.clear()
    stream = client.responses.create(model="anthropic", input="slowly", background=True, stream=True)
    name = next(stream).response.id
    assert client.responses.cancel(name).status == "cancelled"
    for events in (stream, client.responses.retrieve(name, stream=True)):
        last = list(events)[-1]
        assert (last.type, last.response.status) == ("response.incomplete", "cancelled")
    provider.gate.set()
    assert client.responses.retrieve(name).status == "cancelled"


def test_a_stream_that_fails_says_so(client):
    events = numbered(client.responses.create(model="openai", input="fail", background=True, stream=True))
    assert [event.type for event in events] == ["response.created", "response.failed"]
    assert "that will not do" in events[-1].response.error.message
    name = events[0].response.id
    assert client.responses.retrieve(name).status == "failed"
    assert numbered(client.responses.retrieve(name, stream=True)) == events


def test_what_cannot_be_streamed(client):
    made = until_over(client, client.responses.create(model="openai", input="quick", background=True))
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.retrieve(made.id, stream=True)
    assert error.value.param == "stream"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_unknown", stream=True)
    with pytest.raises(openai.BadRequestError) as error:
        client.get(f"/responses/{made.id}?stream=true&starting_after=x", cast_to=object)
    assert error.value.param == "starting_after"


def test_it_counts_once(gateway):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=LIMITED, max_retries=0, timeout=SECONDS) as limited:
        for _ in range(2):
            made = limited.responses.create(model="openai", input="quick", background=True)
            assert until_over(limited, made).status == "completed"
        with pytest.raises(openai.RateLimitError):
            limited.responses.create(model="openai", input="quick", background=True)
    labels = {"api_key": "limited", "endpoint": "responses_create"}

    def made_calls():
        return metrics.total(metrics.scrape(gateway), "llm_requests_total", **labels)

    waiting.until(lambda: made_calls() >= 3, "all of them are counted")
    metrics.wait_until_idle(gateway)
    assert made_calls() == 3


def test_its_run_is_logged_as_what_the_client_asked_for(gateway, client):
    """Two lines: what was answered at once, and what it came to; the provider's path is in neither."""
    asked = {"request_id": "asked-in-the-background"}
    headers = {"x-request-id": asked["request_id"]}
    made = client.responses.create(model="anthropic", input="quick", background=True, extra_headers=headers)
    assert until_over(client, made).status == "completed"

    def both():
        lines = gateway.told("request", **asked)
        return lines if len(lines) > 1 else None

    lines = waiting.until(both, "both are in the log")
    assert [(line["endpoint"], line["path"]) for line in lines] == [("responses_create", "/v1/responses")] * 2
    assert sorted("output_tokens" in line for line in lines) == [False, True]
