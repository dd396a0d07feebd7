"""A conversation that goes on with another provider's model: what proves the thoughts of one goes to no other, also
where the next call would pass as it came, since client and provider speak the same API."""

import json

import httpx
import pytest

from harness import canned, clouds

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-changes"
SIGNATURE = "c2lnbmVkIGJ5IENsYXVkZQ=="
SECRET_THOUGHT = "gAAAAABencrypted-by-openai"
THINKING = {"type": "thinking", "thinking": "Let me think.", "signature": SIGNATURE}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Let me think."}],
    "encrypted_content": SECRET_THOUGHT,
}
TEXT = {"type": "output_text", "text": "pong", "annotations": []}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "output": [
        REASONING,
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [TEXT]},
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
}


# Of a model that signs none of its thoughts.
MESSAGE = {"role": "assistant", "content": "pong", "reasoning_content": "Let me think."}
COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
}


def is_unknown_thought(item):
    return item.get("type") == "reasoning" and not item.get("encrypted_content")


def answer(request):
    """All providers but Bedrock. Who gets a tag of the gateway refuses it, as every forged signature is refused."""
    if b"lgw1" in request.body or b"bGd3MT" in request.body:
        return 400, {"error": {"type": "invalid_request_error", "message": "invalid signature in thinking block"}}
    body = request.json()
    if request.path == "/v1/chat/completions":
        return 200, COMPLETION
    if request.path == "/v1/responses" and any(is_unknown_thought(item) for item in body["input"]):
        return 404, {"error": {"type": "invalid_request_error", "message": "Item with id 'rs_...' not found."}}
    blocks = [each for message in body.get("messages", []) for each in message["content"] if isinstance(each, dict)]
    if any(block.get("signature") == "" for block in blocks):
        return 400, {"error": {"type": "invalid_request_error", "message": "Invalid `signature` in `thinking` block"}}
    if request.path == "/v1/messages":
        return 200, clouds.MESSAGE | {"content": [THINKING, *clouds.MESSAGE["content"]]}
    if request.path == "/v1/responses":
        return 200, RESPONSE
    return 200, clouds.GENERATED


cloud = clouds.serving()


others = canned.serving(answer)


@pytest.fixture(scope="module")
def gateway(cloud, others, tmp_path_factory):
    at = {"endpoint": others.url, "api_key": "canary-upstream"}
    connections = [
        at | {"name": "claude", "provider": "anthropic"},
        at | {"name": "gpt", "provider": "openai", "api": "responses"},
        at | {"name": "gemini", "provider": "google"},
        at | {"name": "unsigned", "provider": "openai-compatible", "vendor": "deepseek"},
        cloud.bedrock(name="nova"),
    ]
    models = [
        {"name": "claude", "connection": "claude", "remote": "claude-sonnet-4-5"},
        {"name": "gpt", "connection": "gpt", "remote": "gpt-5.2"},
        {"name": "gemini", "connection": "gemini", "remote": "gemini-3-pro"},
        {"name": "unsigned", "connection": "unsigned", "remote": "deepseek-reasoner"},
        {"name": "nova", "connection": "nova", "remote": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    ]
    with canned.gateway(tmp_path_factory.mktemp("changes"), KEY, connections, models) as running:
        yield running


class Messages:
    """A client of each API: the path for a model, the first request, and the second with the answer in it."""

    own, foreign, field = "claude", "gpt", "messages[1]"
    begun = {"max_tokens": 2000, "messages": [{"role": "user", "content": "ping"}]}
    thinks = {"thinking": {"type": "enabled", "budget_tokens": 1024}}

    def path(self, model):
        return "/v1/messages"

    def next(self, answered):
        said = {"role": "assistant", "content": answered["content"]}
        return self.begun | {"messages": [*self.begun["messages"], said, {"role": "user", "content": "again"}]}


class Responses(Messages):
    own, foreign, field = "gpt", "claude", "input[1]"
    begun = {"store": False, "input": [{"role": "user", "content": "ping"}]}
    thinks = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}

    def path(self, model):
        return "/v1/responses"

    def next(self, answered):
        return self.begun | {
            "input": [*self.begun["input"], *answered["output"], {"role": "user", "content": "again"}]
        }


class Gemini(Messages):
    own, foreign, field = "gemini", "claude", "contents[1]"
    begun = {"contents": [{"role": "user", "parts": [{"text": "ping"}]}]}
    thinks = {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True}}}

    def path(self, model):
        return f"/v1beta/models/{model}:generateContent"

    def next(self, answered):
        said = answered["candidates"][0]["content"]
        return {"contents": [*self.begun["contents"], said, {"role": "user", "parts": [{"text": "again"}]}]}


class Converse(Messages):
    own, foreign, field = "nova", "claude", "messages[1]"
    begun = {
        "inferenceConfig": {"maxTokens": 2000},
        "messages": [{"role": "user", "content": [{"text": "ping"}]}],
    }
    thinks = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}

    def path(self, model):
        return f"/model/{model}/converse"

    def next(self, answered):
        said, again = answered["output"]["message"], {"role": "user", "content": [{"text": "again"}]}
        return self.begun | {"messages": [*self.begun["messages"], said, again]}


def ask(gateway, client, model, body, headers=None):
    body = body if "/models/" in client.path(model) or "/model/" in client.path(model) else {"model": model} | body
    headers = {"authorization": f"Bearer {KEY}"} | (headers or {})
    return httpx.post(gateway.url + client.path(model), json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("client", [Messages(), Responses(), Gemini(), Converse()], ids=lambda c: type(c).__name__)
def test_thoughts_of_another_provider_stay_away(gateway, cloud, others, client):
    first = ask(gateway, client, client.foreign, client.begun | client.thinks)
    assert first.status_code == 200, first.text
    assert "lgw1" in first.text or "bGd3MT" in first.text  # it travels with the conversation
    second = ask(gateway, client, client.own, client.next(first.json()))
    assert second.status_code == 200, second.text
    assert client.field in second.headers["x-llm-gateway-warnings"]
    seen = (cloud if client.own == "nova" else others).requests[-1]
    assert b"lgw1" not in seen.body and b"bGd3MT" not in seen.body
    assert SIGNATURE.encode() not in seen.body and SECRET_THOUGHT.encode() not in seen.body
    assert seen.body.count(b"pong") == 1 and b"again" in seen.body
    # And where it came from it is at home again.
    third = ask(gateway, client, client.foreign, client.next(first.json()) | client.thinks)
    assert third.status_code == 200, third.text
    home = others.requests[-1].body
    assert (SIGNATURE if client.foreign == "claude" else SECRET_THOUGHT).encode() in home


@pytest.mark.parametrize("client", [Messages(), Responses(), Gemini(), Converse()], ids=lambda c: type(c).__name__)
def test_thoughts_that_nobody_signed_stay_away(gateway, cloud, others, client):
    first = ask(gateway, client, "unsigned", client.begun | client.thinks)
    assert first.status_code == 200 and "Let me think." in first.text, first.text
    second = ask(gateway, client, client.own, client.next(first.json()))
    assert second.status_code == 200, second.text
    seen = (cloud if client.own == "nova" else others).requests[-1]
    assert seen.body.count(b"pong") == 1
    if client.own in ("claude", "nova"):
        assert b"Let me think." not in seen.body and "x-llm-gateway-warnings" in second.headers
    third = ask(gateway, client, "unsigned", client.next(first.json()))
    assert third.status_code == 200, third.text


def test_headers_of_the_provider_still_pass(gateway, others):
    client = Messages()
    first = ask(gateway, client, client.foreign, client.begun | client.thinks).json()
    betas = {"anthropic-beta": "one,two"}
    assert ask(gateway, client, client.own, client.next(first), betas).status_code == 200
    assert others.requests[-1].headers["anthropic-beta"] == "one,two"
    assert ask(gateway, client, client.foreign, client.begun, betas).status_code == 200
    assert "anthropic-beta" not in others.requests[-1].headers


def test_what_has_no_tag_passes_as_it_came(gateway, others):
    said = {"role": "assistant", "content": [THINKING, {"type": "text", "text": "pong"}]}
    body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "ping"}, said]}
    text = json.dumps(body, indent=3).replace('"claude"', '"claude-sonnet-4-5"')
    sent = text.replace('"claude-sonnet-4-5"', '"claude"')
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    assert httpx.post(gateway.url + "/v1/messages", content=sent, headers=headers, timeout=60).status_code == 200
    assert others.requests[-1].body == text.encode()
