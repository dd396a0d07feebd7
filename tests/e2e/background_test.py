"""Responses made in the background, and conversations, with providers that have neither: the gateway's own, for each
kind of provider."""

import json
import threading
import time

import openai
import pytest

from harness import canned, clouds, waiting

pytestmark = pytest.mark.xdist_group("clouds")

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
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="anthropic", input="x", background=True, stream=True)


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
