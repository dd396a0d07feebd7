"""Conversations and responses that go on from one provider to another, where one of them has a memory of its own."""

import json
import threading

import openai
import pytest

from harness import canned, clouds

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-mixed-state"
OTHER = "canary-other-key-of-mixed-state"
KEYS = [{"name": "client", "key": KEY}, {"name": "other", "key": OTHER}]
OURS = "lgw"


class Providers:
    """OpenAI's Responses API, which remembers, and Anthropic's."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kept = {}
        self.made = 0

    def __call__(self, request):
        path = request.path.partition("?")[0]
        if path.endswith("/messages"):
            return 200, clouds.MESSAGE
        if path.endswith("/conversations"):
            return 200, {"id": "conv_theirs", "object": "conversation", "created_at": 1, "metadata": {}}
        if path.endswith("/input_tokens"):
            return 200, {"object": "response.input_tokens", "input_tokens": len(request.body)}
        if request.method != "POST":
            found = self.kept.get(path.rpartition("/")[2])
            return (200, found) if found else (404, {"error": {"message": "theirs: not found", "type": "x"}})
        return self.respond(request.json())

    def respond(self, asked):
        before = asked.get("previous_response_id")
        if before is not None and before not in self.kept:
            return 400, {"error": {"message": f"theirs: {before} not found", "type": "invalid_request_error"}}
        with self.lock:
            self.made += 1
            name = f"resp_theirs{self.made}"
        text = {"type": "output_text", "text": "pong from openai", "annotations": [], "logprobs": []}
        said = {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
        response = {
            "id": name,
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": asked["model"],
            "output": [said],
            "previous_response_id": before,
            "usage": {"input_tokens": len(json.dumps(asked)), "output_tokens": 3, "total_tokens": 0}
            | {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
        }
        if asked.get("store", True):
            self.kept[name] = response
        if not asked.get("stream"):
            return 200, response
        return 200, self.stream(response)

    def stream(self, response):
        begun = response | {"status": "in_progress", "output": []}
        item = response["output"][0]
        events = [
            {"type": "response.created", "response": begun},
            {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": item["id"]}
            | {"delta": "pong from openai"},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        for number, event in enumerate(events):
            yield f"event: {event['type']}\ndata: {json.dumps(event | {'sequence_number': number})}\n\n".encode()


@pytest.fixture(scope="module")
def upstream():
    running = canned.Canned(Providers())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    at = {"endpoint": upstream.url, "api_key": "canary-upstream"}
    connections = [
        at | {"name": "openai", "provider": "openai", "api": "responses"},
        at | {"name": "anthropic", "provider": "anthropic"},
    ]
    models = [{"name": "gpt", "connection": "openai"}, {"name": "claude", "connection": "anthropic"}]
    with canned.gateway(tmp_path_factory.mktemp("mixed"), KEYS, connections, models) as running:
        yield running


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def other(gateway):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=OTHER, max_retries=0, timeout=30) as client:
        yield client


def said_to(upstream, path):
    return json.dumps(upstream.last(path).json())


def test_a_conversation_goes_on_with_any_model(client, upstream):
    made = client.conversations.create(items=[{"type": "message", "role": "user", "content": "Before."}])
    assert OURS in made.id
    first = client.responses.create(model="gpt", input="One.", conversation=made.id)
    assert first.output_text == "pong from openai" and first.conversation.id == made.id
    asked = upstream.last("/responses").json()
    # What is kept here is not kept there, too.
    assert "Before." in json.dumps(asked) and "conversation" not in asked and asked["store"] is False
    second = client.responses.create(model="claude", input="Two.", conversation=made.id)
    assert second.output_text == "pong"
    assert all(text in said_to(upstream, "/messages") for text in ("Before.", "One.", "pong from openai", "Two."))
    with client.responses.stream(model="gpt", input="Three.", conversation=made.id) as stream:
        third = stream.until_done().get_final_response()
    assert third.output_text == "pong from openai"
    assert all(text in said_to(upstream, "/responses") for text in ("Before.", "One.", "Two.", "pong", "Three."))
    roles = [item.role for item in client.conversations.items.list(made.id, order="asc").data]
    assert roles == ["user"] + ["user", "assistant"] * 3
    assert client.responses.retrieve(first.id).output_text == first.output_text


def test_a_response_of_ours_goes_on_at_a_provider_that_has_others(client, upstream):
    first = client.responses.create(model="claude", input="A turn with Claude.")
    second = client.responses.create(model="gpt", input="And one with GPT.", previous_response_id=first.id)
    assert OURS in first.id and OURS in second.id and second.previous_response_id == first.id
    assert "A turn with Claude." in said_to(upstream, "/responses")
    third = client.responses.create(model="claude", input="Back again.", previous_response_id=second.id)
    assert third.previous_response_id == second.id
    assert "pong from openai" in said_to(upstream, "/messages")
    with client.responses.stream(model="gpt", input="And on.", previous_response_id=third.id) as stream:
        assert stream.until_done().get_final_response().previous_response_id == third.id


def test_what_is_built_on_is_counted(client, upstream):
    first = client.responses.create(model="claude", input="A turn with Claude.")
    counted = client.responses.input_tokens.count(model="gpt", input="More.", previous_response_id=first.id)
    asked = upstream.last("/input_tokens")
    assert "A turn with Claude." in asked.body.decode() and counted.input_tokens == len(asked.body)


def test_it_goes_on_in_the_background(client, upstream):
    first = client.responses.create(model="claude", input="A turn with Claude.")
    made = client.responses.create(model="gpt", input="Go on.", previous_response_id=first.id, background=True)
    for _ in range(300):
        made = client.responses.retrieve(made.id)
        if made.status != "in_progress":
            break
        threading.Event().wait(0.1)
    assert made.status == "completed" and made.output_text == "pong from openai"
    assert "A turn with Claude." in said_to(upstream, "/responses")


def test_what_a_provider_keeps_is_its_own(client, upstream):
    first = client.responses.create(model="gpt", input="Kept by OpenAI.")
    assert OURS not in first.id
    second = client.responses.create(model="gpt", input="More.", previous_response_id=first.id)
    asked = upstream.last("/responses").json()
    # As it came.
    assert asked == {"model": "gpt", "input": "More.", "previous_response_id": first.id}
    assert second.previous_response_id == first.id and client.responses.retrieve(second.id).id == second.id
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model="claude", input="And Claude?", previous_response_id=first.id)
    assert error.value.code == "previous_response_not_found" and "/v1/conversations" in error.value.message
    with pytest.raises(openai.NotFoundError, match="/v1/conversations"):
        client.responses.create(model="claude", input="And Claude?", conversation="conv_theirs")


def test_a_conversation_at_a_provider_is_asked_for(client, upstream):
    made = client.conversations.create(extra_headers={"x-llm-gateway-connection": "openai"})
    assert made.id == "conv_theirs"
    client.responses.create(model="gpt", input="Hello.", conversation=made.id)
    assert upstream.last("/responses").json()["conversation"] == "conv_theirs"


def test_a_conversation_that_cannot_be_made_is_no_providers(client, upstream):
    before = len(upstream.requests)
    many = [{"role": "user", "content": "One."}] * 21
    for wrong in ({"items": many}, {"items": "x"}, {"metadata": {"n": 1}}, {"metadata": {"long": "x" * 600}}):
        with pytest.raises(openai.BadRequestError) as error:
            client.post("/conversations", body=wrong, cast_to=object)
        assert error.value.param == next(iter(wrong))
    assert len(upstream.requests) == before


def test_no_provider_is_asked_for_what_is_gone(client, upstream):
    first = client.responses.create(model="claude", input="One.")
    second = client.responses.create(model="gpt", input="Two.", previous_response_id=first.id)
    client.responses.delete(first.id)
    before = len(upstream.requests)
    with pytest.raises(openai.NotFoundError, match="Response with id"):
        client.responses.retrieve(first.id)
    for model in ("gpt", "claude"):
        with pytest.raises(openai.BadRequestError, match=f"'{first.id}', which it builds on, was deleted"):
            client.responses.create(model=model, input="Three.", previous_response_id=second.id)
    with pytest.raises(openai.NotFoundError, match="Conversation with id 'conv_lgw0' not found.$"):
        client.responses.create(model="gpt", input="Three.", conversation="conv_lgw0")
    assert len(upstream.requests) == before


def assert_hidden(client, made, upstream):
    """A response that the provider keeps is not there for this client, and the provider is not asked."""
    before = len(upstream.requests)
    for ask in (
        lambda: client.responses.retrieve(made),
        lambda: client.get(f"/responses/{made.replace('_', '%5F')}", cast_to=object),
        lambda: client.responses.delete(made),
        lambda: client.responses.cancel(made),
        lambda: client.responses.input_items.list(made),
        lambda: client.responses.retrieve(made, stream=True),
    ):
        with pytest.raises(openai.NotFoundError, match=f"Response with id '{made}' not found"):
            ask()
    create, count = client.responses.create, client.responses.input_tokens.count
    for build in (create, count, lambda **asked: client.responses.compact(**asked)):
        with pytest.raises(openai.BadRequestError, match=f"Previous response with id '{made}' not found.$") as error:
            build(model="gpt", input="Yours?", previous_response_id=made)
        assert error.value.code == "previous_response_not_found"
    assert len(upstream.requests) == before


def test_what_a_provider_keeps_is_the_keys_that_made_it(client, other, upstream):
    made = client.responses.create(model="gpt", input="Mine.")
    events = client.responses.create(model="gpt", input="Mine, too.", stream=True)
    streamed = [event.response for event in events if event.type == "response.completed"].pop()
    for one in (made, streamed):
        assert_hidden(other, one.id, upstream)
        assert client.responses.retrieve(one.id).id == one.id
        assert client.responses.create(model="gpt", input="On.", previous_response_id=one.id).output_text


def test_a_providers_conversation_is_the_keys_that_made_it(client, other, upstream):
    made = client.conversations.create(extra_headers={"x-llm-gateway-connection": "openai"})
    before = len(upstream.requests)
    named = {"id": made.id}
    for ask in (
        lambda: other.conversations.retrieve(made.id),
        lambda: other.conversations.items.list(made.id),
        lambda: other.responses.create(model="gpt", input="Yours?", conversation=made.id),
        lambda: other.responses.create(model="gpt", input="Yours?", conversation=named),
    ):
        with pytest.raises(openai.NotFoundError, match="Conversation with id 'conv_theirs' not found.$"):
            ask()
    assert len(upstream.requests) == before


def test_what_nobody_is_known_to_have_made_is_the_providers_to_give(client, other, upstream):
    """It may have been made past the gateway."""
    with openai.OpenAI(base_url=upstream.url, api_key="theirs", max_retries=0) as past_it:
        made = past_it.responses.create(model="gpt", input="Elsewhere.").id
    for each in (client, other):
        assert each.responses.retrieve(made).id == made
        assert each.responses.create(model="gpt", input="On.", previous_response_id=made).output_text


def test_who_made_it_is_known_after_a_restart(upstream, tmp_path):
    at = {"endpoint": upstream.url, "api_key": "canary-upstream"}
    connections = [at | {"name": "openai", "provider": "openai", "api": "responses"}]
    models = [{"name": "gpt", "connection": "openai"}]

    def keys_of(running):
        return [openai.OpenAI(base_url=running.url + "/v1", api_key=key, max_retries=0) for key in (KEY, OTHER)]

    with canned.gateway(tmp_path, KEYS, connections, models) as running:
        mine, _ = keys_of(running)
        made = mine.responses.create(model="gpt", input="Mine.").id
    with canned.gateway(tmp_path, KEYS, connections, models) as running:
        mine, other = keys_of(running)
        assert_hidden(other, made, upstream)
        assert mine.responses.retrieve(made).id == made
