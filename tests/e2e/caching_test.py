"""Prompt caching that the gateway asks for where the client does not: Anthropic and Bedrock."""

import json

import anthropic
import openai
import pytest

from harness import canned, clouds, sdks

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-caching"
LONG = "Be terse, be kind, be quick and never say more than you were asked to say. " * 8
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "Does it.", "parameters": {"type": "object"}}}
    for name in ("first", "last")
]


@pytest.fixture(scope="module")
def cloud():
    running = canned.Canned(
        lambda request: (200, clouds.CONVERSE if "/converse" in request.path else clouds.MESSAGE)
    )
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    at = {"endpoint": cloud.url, "api_key": "canary-upstream"}
    caching = {"auto_cache_system": True, "auto_cache_tools": True, "min_system_tokens": 64}
    connections = [
        at | caching | {"name": "anthropic", "provider": "anthropic"},
        at | caching | {"name": "bedrock", "provider": "bedrock", "region": clouds.REGION},
        at | {"name": "plain", "provider": "anthropic"},
    ]
    claude = "claude-sonnet-4-5"
    models = [
        {"name": "claude", "connection": "anthropic", "remote": claude},
        {"name": "bedrock", "connection": "bedrock", "remote": f"anthropic.{claude}-20250929-v1:0"},
        {"name": "plain", "connection": "plain", "remote": claude},
        {"name": "nova", "connection": "bedrock", "remote": "us.amazon.nova-pro-v1:0"},
        {"name": "older", "connection": "bedrock", "remote": "anthropic.claude-3-sonnet-20240229-v1:0"},
    ]
    with canned.gateway(tmp_path_factory.mktemp("caching"), KEY, connections, models) as running:
        yield running


def ask(gateway, cloud, model, system):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0) as sdk:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": "ping"}]
        sdk.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    return cloud.requests[-1].json()


def test_anthropic(gateway, cloud):
    body = ask(gateway, cloud, "claude", LONG)
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert body["tools"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in body["tools"][0]
    assert "cache_control" not in str(body["messages"])


def test_bedrock(gateway, cloud):
    body = ask(gateway, cloud, "bedrock", LONG)
    assert body["system"][-1] == {"cachePoint": {"type": "default"}}
    assert body["toolConfig"]["tools"][-1] == {"cachePoint": {"type": "default"}}
    assert [set(tool) for tool in body["toolConfig"]["tools"][:-1]] == [{"toolSpec"}, {"toolSpec"}]


def test_novas_tools_are_never_marked(gateway, cloud):
    point = {"cachePoint": {"type": "default"}}
    body = ask(gateway, cloud, "nova", LONG)
    assert body["system"][-1] == point and point not in body["toolConfig"]["tools"]
    runtime = sdks.bedrock_runtime(gateway.url, KEY)
    spec = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
    asked = {"system": [{"text": LONG}], "messages": [{"role": "user", "content": [{"text": "ping"}]}]}
    runtime.converse(modelId="nova", toolConfig={"tools": [spec]}, **asked)
    assert said_to(cloud)["system"][-1] == point and said_to(cloud)["toolConfig"]["tools"] == [spec]
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk:
        tool = {"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}
        messages = [{"role": "user", "content": "ping"}]
        raw = sdk.messages.with_raw_response.create(model="nova", max_tokens=9, messages=messages, tools=[tool])
    assert 'dropped;field="cache_control"' in raw.headers["x-llm-gateway-warnings"]
    assert "cachePoint" not in str(said_to(cloud))


def test_a_clients_own_marks_of_novas_tools_are_left_out(gateway, cloud):
    point = {"cachePoint": {"type": "default"}}
    runtime = sdks.bedrock_runtime(gateway.url, KEY)
    spec = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
    asked = {"system": [{"text": LONG}, point], "messages": [{"role": "user", "content": [{"text": "ping"}, point]}]}
    for model, tools in (("nova", [spec]), ("bedrock", [spec, point])):
        told = runtime.converse(modelId=model, toolConfig={"tools": [spec, point]}, **asked)
        head = told["ResponseMetadata"]["HTTPHeaders"]
        assert ('dropped;field="cachePoint"' in head.get("x-llm-gateway-warnings", "")) == (model == "nova")
        assert said_to(cloud) == asked | {"toolConfig": {"tools": tools}}


def test_claude_of_before_caching_is_never_marked(gateway, cloud):
    assert "cachePoint" not in str(ask(gateway, cloud, "older", LONG))


@pytest.mark.parametrize("model", ["claude", "bedrock"])
def test_a_short_system_prompt_is_not_worth_it(gateway, cloud, model):
    body = ask(gateway, cloud, model, "Be terse.")
    assert "cache" not in str(body["system"]) and "cache" in str(body.get("tools") or body["toolConfig"])


def test_only_where_configured(gateway, cloud):
    assert "cache_control" not in str(ask(gateway, cloud, "plain", LONG))


def test_a_client_that_marks_its_own_knows_better(gateway, cloud):
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk:
        text = {"type": "text", "text": "ping", "cache_control": {"type": "ephemeral"}}
        sdk.messages.create(
            model="bedrock", max_tokens=9, system=LONG, messages=[{"role": "user", "content": [text]}]
        )
    body = cloud.requests[-1].json()
    assert "cachePoint" not in str(body["system"])
    assert body["messages"][0]["content"][-1] == {"cachePoint": {"type": "default"}}
    runtime = sdks.bedrock_runtime(gateway.url, KEY)
    content = [{"text": "ping"}, {"cachePoint": {"type": "default"}}]
    runtime.converse(modelId="claude", system=[{"text": LONG}], messages=[{"role": "user", "content": content}])
    body = cloud.requests[-1].json()
    assert "cache_control" not in str(body["system"])
    assert body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}


def said_to(cloud):
    return cloud.requests[-1].json()


def test_clients_of_the_same_api_have_it_too(gateway, cloud):
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("first", "last")]
    mark = {"cache_control": {"type": "ephemeral"}}
    asked = {"max_tokens": 9, "messages": [{"role": "user", "content": "ping"}], "tools": tools}
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk:
        sdk.messages.create(model="claude", system=LONG, **asked)
        body = said_to(cloud)
        assert body["system"] == [{"type": "text", "text": LONG} | mark]
        assert body["tools"] == [tools[0], tools[1] | mark]
        assert body["messages"] == asked["messages"]
        # Its own are enough; and nobody marks where it is not asked for.
        sdk.messages.create(model="claude", system=[{"type": "text", "text": "x"} | mark], **asked)
        assert said_to(cloud)["tools"] == tools
        sdk.messages.create(model="plain", system=LONG, **asked)
        assert "cache_control" not in str(said_to(cloud))
        # A count of tokens keeps nothing.
        sdk.messages.count_tokens(model="claude", system=LONG, messages=asked["messages"])
        assert said_to(cloud)["system"] == LONG
    point = {"cachePoint": {"type": "default"}}
    message = {"role": "user", "content": [{"text": "ping"}]}
    runtime = sdks.bedrock_runtime(gateway.url, KEY)
    runtime.converse(modelId="bedrock", system=[{"text": LONG}], messages=[message])
    assert said_to(cloud)["system"] == [{"text": LONG}, point]
    invoked = {"anthropic_version": "bedrock-2023-05-31", "system": LONG} | asked
    runtime.invoke_model(modelId="bedrock", body=json.dumps(invoked))
    assert said_to(cloud)["system"] == [{"type": "text", "text": LONG} | mark]
    runtime.converse(modelId="bedrock", system=[{"text": LONG}, point], messages=[message])
    assert said_to(cloud)["system"] == [{"text": LONG}, point]
