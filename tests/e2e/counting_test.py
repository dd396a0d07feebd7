"""Counting tokens by every SDK that can, against providers of every protocol: asked where the provider counts, else
estimated and marked so."""

import json

import anthropic
import openai
import pytest
from google import genai

from harness import canned, clouds, sdks

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-counting"
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
QUESTION = "How far is it from the first gateway to the last, and what is it that one pays on the way?"
COUNTED = 77
# By the name of the model: what its provider is asked, or None if it cannot count.
ASKED = {
    "openai": "/v1/responses/input_tokens",
    "azure": "/openai/responses/input_tokens",
    "anthropic": "/v1/messages/count_tokens",
    "google": "/models/gemini-2.5-flash:countTokens",
    "vertex": ":countTokens",
    "vertex-claude": "/publishers/anthropic/models/count-tokens:rawPredict",
    "bedrock-claude": "/count-tokens",
    "bedrock-invoke": "/count-tokens",
    "bedrock-nova": None,
    "bedrock-cannot": None,
    "cohere": None,
    "vllm": None,
    "forgetful": None,
}


def answer(request):
    """A cloud of them all: each path has the body that its API defines."""
    body, path = request.json(), request.path.partition("?")[0]
    if "nowhere" in json.dumps(body):
        return 404, {"type": "error", "error": {"type": "not_found_error", "message": "model: nowhere"}}
    if "forgetful" in json.dumps(body):
        return 404, {"type": "error", "error": {"type": "not_found_error", "message": "no such path"}}
    if path.endswith("/responses/input_tokens"):
        assert body["input"] and body["model"] and not {"max_output_tokens", "stream", "store"} & set(body)
        return 200, {"object": "response.input_tokens", "input_tokens": COUNTED}
    if path.endswith("/messages/count_tokens") or "/anthropic/models/count-tokens" in path:
        assert body["messages"] and body["model"] and "max_tokens" not in body
        return 200, {"input_tokens": COUNTED}
    if path.endswith(":countTokens"):
        assert "contents" in body or body["generateContentRequest"]["contents"]
        return 200, {"totalTokens": COUNTED}
    if path.endswith("/count-tokens"):
        if "cannot" in path:
            return 400, {"message": "The provided model doesn't support counting tokens."}
        assert body["input"]["converse"]["messages"] and "inferenceConfig" not in body["input"]["converse"]
        return 200, {"inputTokens": COUNTED}
    return 500, {"error": {"message": f"nobody asks {request.path}"}}


cloud = canned.serving(answer)


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    at = {"endpoint": cloud.url, "api_key": "canary-upstream"}
    aws = {"provider": "bedrock", "endpoint": cloud.url, "region": clouds.REGION, "api_key": "canary-upstream"}
    vertex = {"provider": "vertex", "endpoint": cloud.url, "project": "p", "location": "global", "access_token": "t"}
    connections = [
        at | {"name": "openai", "provider": "openai", "api": "both"},
        at | {"name": "azure", "provider": "azure", "api": "both"},
        at | {"name": "anthropic", "provider": "anthropic"},
        at | {"name": "google", "provider": "google"},
        vertex | {"name": "vertex"},
        aws | {"name": "bedrock"},
        aws | {"name": "invoke", "api": "invoke"},
        at | {"name": "cohere", "provider": "cohere"},
        at | {"name": "vllm", "provider": "vllm"},
    ]
    models = [
        {"name": "openai", "connection": "openai", "remote": "gpt-4o"},
        {"name": "azure", "connection": "azure", "remote": "gpt-4o"},
        {"name": "anthropic", "connection": "anthropic", "remote": "claude-sonnet-4-5"},
        {"name": "forgetful", "connection": "anthropic"},
        {"name": "nowhere", "connection": "anthropic"},
        {"name": "google", "connection": "google", "remote": "gemini-2.5-flash"},
        {"name": "vertex", "connection": "vertex", "remote": "gemini-2.5-flash"},
        {"name": "vertex-claude", "connection": "vertex", "remote": "claude-sonnet-4-5@20250929"},
        {"name": "bedrock-claude", "connection": "bedrock", "remote": CLAUDE},
        {"name": "bedrock-cannot", "connection": "bedrock", "remote": "anthropic.claude-cannot"},
        {"name": "bedrock-invoke", "connection": "invoke", "remote": CLAUDE},
        {"name": "bedrock-nova", "connection": "bedrock", "remote": "amazon.nova-pro-v1:0"},
        {"name": "cohere", "connection": "cohere", "remote": "command-a-03-2025"},
        {"name": "vllm", "connection": "vllm", "remote": "qwen3"},
    ]
    with canned.gateway(tmp_path_factory.mktemp("counting"), KEY, connections, models) as running:
        yield running


class Messages:
    def __init__(self, gateway):
        self.sdk = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)

    def count(self, model, tools=False):
        tool = {"name": "walk", "description": "Walks.", "input_schema": {"type": "object", "properties": {}}}
        raw = self.sdk.messages.with_raw_response.count_tokens(
            model=model,
            system="You are terse.",
            messages=[{"role": "user", "content": QUESTION}],
            **({"tools": [tool]} if tools else {}),
        )
        return raw.parse().input_tokens, raw.headers.get("x-llm-gateway-warnings", "")


class Responses:
    def __init__(self, gateway):
        self.sdk = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0)

    def count(self, model, tools=False):
        tool = {"type": "function", "name": "walk", "parameters": {"type": "object", "properties": {}}, "strict": False}
        raw = self.sdk.responses.input_tokens.with_raw_response.count(
            model=model, instructions="You are terse.", input=QUESTION, **({"tools": [tool]} if tools else {})
        )
        return raw.parse().input_tokens, raw.headers.get("x-llm-gateway-warnings", "")


class Gemini:
    def __init__(self, gateway):
        self.sdk = genai.Client(api_key=KEY, http_options={"base_url": gateway.url})

    def count(self, model, tools=False):
        answer = self.sdk.models.count_tokens(model=model, contents=["You are terse.", QUESTION])
        headers = {name.lower(): value for name, value in (answer.sdk_http_response.headers or {}).items()}
        return answer.total_tokens, headers.get("x-llm-gateway-warnings", "")


class Converse:
    def __init__(self, gateway):
        self.sdk = sdks.bedrock_runtime(gateway.url, KEY)

    def count(self, model, tools=False):
        spec = {"toolSpec": {"name": "walk", "description": "Walks.", "inputSchema": {"json": {"type": "object"}}}}
        converse = {
            "messages": [{"role": "user", "content": [{"text": QUESTION}]}],
            "system": [{"text": "You are terse."}],
        } | ({"toolConfig": {"tools": [spec]}} if tools else {})
        answer = self.sdk.count_tokens(modelId=model, input={"converse": converse})
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return answer["inputTokens"], headers.get("x-llm-gateway-warnings", "")


CLIENTS = {"messages": Messages, "responses": Responses, "gemini": Gemini, "converse": Converse}


COUNTED_FOR = [(client, model) for client in CLIENTS for model in ASKED]
# google-genai takes tools of a count for Vertex AI alone.
WITH_TOOLS = [client for client in CLIENTS if client != "gemini"]


@pytest.mark.parametrize("client, model", COUNTED_FOR)
def test_counts(gateway, cloud, client, model):
    tokens, warnings = CLIENTS[client](gateway).count(model)
    if ASKED[model]:
        assert tokens == COUNTED and "estimated" not in warnings
        assert ASKED[model] in cloud.requests[-1].path
    else:
        assert 15 < tokens < 60, "twenty-five words"
        assert 'estimated;field="input_tokens"' in warnings


@pytest.mark.parametrize("model", ["vllm", "cohere", "bedrock-nova"])
@pytest.mark.parametrize("client", WITH_TOOLS)
def test_tools_count(gateway, client, model):
    counter = CLIENTS[client](gateway)
    assert counter.count(model, tools=True)[0] > counter.count(model)[0] + 10


def test_a_refusal_is_the_clients_own(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk:
        with pytest.raises(anthropic.NotFoundError):
            sdk.messages.count_tokens(model="nowhere", messages=[{"role": "user", "content": "x"}])
        with pytest.raises(anthropic.BadRequestError):
            sdk.messages.count_tokens(model="vllm", messages=[{"role": "nobody", "content": "x"}])


def test_a_blob_of_invoke_model_counts(gateway):
    """AWS's other input: the model's own body."""
    client = Converse(gateway).sdk
    body = json.dumps({"max_tokens": 9, "messages": [{"role": "user", "content": QUESTION}]}).encode()
    answer = client.count_tokens(modelId="vllm", input={"invokeModel": {"body": body}})
    assert 15 < answer["inputTokens"] < 60


@pytest.mark.parametrize("client", ["messages", "responses"])
def test_a_model_that_does_not_exist_is_not_estimated(gateway, client):
    with pytest.raises((anthropic.NotFoundError, openai.NotFoundError), match="nowhere"):
        CLIENTS[client](gateway).count("nowhere")
