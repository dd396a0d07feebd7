"""Clients of Claude on Vertex AI (AnthropicVertex, rawPredict): at Anthropic, at Vertex itself, at Bedrock, and at a
provider of another protocol. Tool loops with all of the simulator's models are in conversion_test.py."""

import anthropic
import httpx
import pytest

from harness import canned, clouds, sdks

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-vertex-clients"
TOKEN = "canary-access-token-of-the-gateway"
PING = [{"role": "user", "content": "ping"}]
MODELS = ["anthropic", "vertex", "invoke", "gpt"]
ROOT = "/v1/projects/its-own/locations/europe-west4/publishers/anthropic/models/"


def answer(request):
    """Anthropic and OpenAI themselves. What they would refuse, they refuse."""
    body = request.json()
    for member in ("anthropic_version", "anthropic_beta", "owned_by"):
        if member in body:
            message = f"{member}: Extra inputs are not permitted"
            return 400, {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    if request.path == "/v1/messages/count_tokens":
        return 200, {"input_tokens": 11}
    if request.path == "/v1/messages":
        if body["max_tokens"] > 64:
            error = {"type": "overloaded_error", "message": "Overloaded"}
            return 529, {"type": "error", "error": error}
        return clouds.messages(body)
    return clouds.completions(body)


cloud = clouds.serving()


others = canned.serving(answer)


@pytest.fixture(scope="module")
def gateway(cloud, others, tmp_path_factory):
    cloud.tokens.add(TOKEN)
    vertex = {"provider": "vertex", "endpoint": cloud.url, "access_token": TOKEN}
    connections = [
        {"name": "anthropic", "provider": "anthropic", "endpoint": others.url, "api_key": "canary-upstream"},
        vertex | {"name": "vertex", "project": "house-project", "location": "us-east5"},
        cloud.bedrock(name="invoke", api="invoke"),
        {"name": "openai", "provider": "openai", "endpoint": others.url, "api_key": "canary-upstream"},
    ]
    models = [
        {"name": "anthropic", "connection": "anthropic", "remote": "claude-sonnet-4-5", "owned_by": "house"},
        {"name": "vertex", "connection": "vertex", "remote": "claude-opus-4-5@20251101", "owned_by": "house"},
        {"name": "invoke", "connection": "invoke", "remote": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"name": "gpt", "connection": "openai", "remote": "gpt-4o"},
    ]
    with canned.gateway(tmp_path_factory.mktemp("vertex-clients"), KEY, connections, models) as running:
        yield running


@pytest.fixture
def sdk(gateway):
    with sdks.anthropic_vertex(gateway.url, KEY) as client:
        yield client


def last(cloud, others, model):
    return (cloud if model in ("vertex", "invoke") else others).requests[-1]


@pytest.mark.parametrize("model", MODELS)
def test_messages(sdk, cloud, others, model):
    made = sdk.messages.create(model=model, max_tokens=9, messages=PING)
    assert made.content[0].text == "pong" and made.usage.input_tokens == 5 and made.stop_reason == "end_turn"
    body = last(cloud, others, model).json()
    expected = {
        "anthropic": {"model": "claude-sonnet-4-5"},
        "vertex": {"anthropic_version": "vertex-2023-10-16"},
        "invoke": {"anthropic_version": "bedrock-2023-05-31"},
        "gpt": {"model": "gpt-4o"},
    }[model]
    limit = "max_completion_tokens" if model == "gpt" else "max_tokens"
    assert body == expected | {limit: 9, "messages": PING}


@pytest.mark.parametrize("model", MODELS)
def test_streams(sdk, cloud, others, model):
    with sdk.messages.stream(model=model, max_tokens=9, messages=PING) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_text() == "pong"
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    seen = last(cloud, others, model)
    if model == "vertex":
        house = "/v1/projects/house-project/locations/us-east5/publishers/anthropic/models/"
        assert seen.path == house + "claude-opus-4-5%4020251101:streamRawPredict"
    assert ("stream" in seen.json()) == (model != "invoke")


@pytest.mark.parametrize("model", MODELS)
def test_counting(sdk, cloud, others, model):
    tokens = sdk.messages.count_tokens(model=model, messages=PING).input_tokens
    if model == "gpt":
        assert tokens > 0  # estimated: this API does not count
        return
    assert tokens == {"anthropic": 11, "vertex": 9, "invoke": 9}[model]
    body = last(cloud, others, model).json()
    if model == "anthropic":
        assert body == {"model": "claude-sonnet-4-5", "messages": PING}
    if model == "vertex":
        assert body == {
            "anthropic_version": "vertex-2023-10-16",
            "model": "claude-opus-4-5@20251101",
            "messages": PING,
        }


@pytest.mark.parametrize("model", ["anthropic", "vertex"])
def test_what_nobody_knows_passes(sdk, cloud, others, model):
    unknown = {"invented_member": {"a": [1, 2.50]}, "owned_by": "house"}
    sdk.beta.messages.create(model=model, max_tokens=9, messages=PING, betas=["one"], extra_body=unknown)
    seen = last(cloud, others, model)
    assert seen.json()["invented_member"] == {"a": [1, 2.5]} and "owned_by" not in seen.json()
    assert seen.headers["anthropic-beta"] == "one"
    assert (seen.headers["anthropic-version"] == "2023-06-01") if model == "anthropic" else True


def post(gateway, path, body, headers=None):
    return httpx.post(gateway.url + path, json=body, headers=headers or {"authorization": f"Bearer {KEY}"}, timeout=60)


@pytest.mark.parametrize("model", ["anthropic", "vertex", "invoke"])
def test_betas_in_the_body_reach_the_provider(gateway, cloud, others, model):
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": PING, "anthropic_beta": ["b", "c"]}
    known = "context-1m-2025-08-07"  # of the head's, InvokeModel gets those that it takes
    headers = {"x-api-key": KEY, "anthropic-beta": f"{known},a"}
    answered = post(gateway, f"{ROOT}{model}:rawPredict", body, headers)
    assert answered.status_code == 200
    told = answered.headers.get("x-llm-gateway-warnings", "")
    assert ('dropped;field="anthropic-beta"' in told) == (model == "invoke")
    seen = last(cloud, others, model)
    if model == "invoke":
        assert seen.json()["anthropic_beta"] == [known, "b", "c"]
    else:
        assert seen.headers["anthropic-beta"] == f"{known},a,b,c" and "anthropic_beta" not in seen.json()


def test_betas_of_bedrocks_envelope_reach_vertex(gateway, cloud, others):
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": PING, "anthropic_beta": ["b", "c"]}
    assert post(gateway, "/model/vertex/invoke", body).status_code == 200
    seen = last(cloud, others, "vertex")
    assert seen.headers["anthropic-beta"] == "b,c" and "anthropic_beta" not in seen.json()


@pytest.mark.parametrize("root", ["/v1/", "/v1beta1/"])
@pytest.mark.parametrize("model", MODELS)
def test_the_path_says_that_it_streams(gateway, model, root):
    path = f"{root}publishers/anthropic/models/{model}:streamRawPredict"
    answered = post(gateway, path, {"max_tokens": 9, "messages": PING})
    assert answered.status_code == 200 and answered.headers["content-type"].startswith("text/event-stream")
    assert answered.text.count("message_stop") >= 1 and "pong" in answered.text


def test_errors_are_anthropics(gateway, sdk):
    with pytest.raises(anthropic.NotFoundError) as unknown:
        sdk.messages.create(model="nobody-knows", max_tokens=9, messages=PING)
    assert unknown.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.InternalServerError) as overloaded:
        sdk.messages.create(model="anthropic", max_tokens=65, messages=PING)
    assert overloaded.value.status_code == 529 and overloaded.value.body["error"]["type"] == "overloaded_error"
    with pytest.raises(anthropic.AuthenticationError) as stranger:
        sdk.copy(access_token="sk-nobody").messages.create(model="anthropic", max_tokens=9, messages=PING)
    assert stranger.value.body["error"]["type"] == "authentication_error"
    for path in (f"{ROOT}anthropic:predict", f"{ROOT}:rawPredict"):
        assert post(gateway, path, {}).json()["error"]["type"] == "not_found_error"
    assert post(gateway, f"{ROOT}anthropic:rawPredict", []).json()["type"] == "error"
