"""Claude on Bedrock by InvokeModel: Anthropic's own messages in AWS's envelope, for clients of every protocol; and
clients of InvokeModel at providers of every protocol."""

import json

import anthropic
import botocore.exceptions
import httpx
import openai
import pytest

from harness import canned, clouds, sdks

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-invoke"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PING = [{"role": "user", "content": "ping"}]


CALL = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "calls",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
            },
            "finish_reason": "tool_calls",
        }
    ],
}


cloud = clouds.serving()


def answer(request):
    """Anthropic and OpenAI themselves."""
    body = request.json()
    if request.path == "/v1/messages":
        return clouds.messages(body)
    if body["model"] == "breaks" and body.get("stream"):
        return 200, canned.chat_events([clouds.PONG], done=False), canned.EVENT_STREAM
    if body["model"] == "calls" and "tool" not in [message["role"] for message in body["messages"]]:
        return 200, CALL
    return clouds.completions(body)


others = canned.serving(answer)


@pytest.fixture(scope="module")
def gateway(cloud, others, tmp_path_factory):
    connections = [
        cloud.bedrock(name="invoke", api="invoke"),
        cloud.bedrock(name="converse"),
        {"name": "anthropic", "provider": "anthropic", "endpoint": others.url, "api_key": "canary-upstream"},
        {"name": "openai", "provider": "openai", "endpoint": others.url, "api_key": "canary-upstream"},
    ]
    models = [
        {"name": "claude", "connection": "invoke", "remote": CLAUDE},
        {"name": "converse", "connection": "converse", "remote": CLAUDE},
        {"name": "nova", "connection": "invoke", "remote": "amazon.nova-pro-v1:0"},
        {"name": "claude-itself", "connection": "anthropic", "remote": "claude-sonnet-4-5"},
        {"name": "gpt", "connection": "openai", "remote": "gpt-4o"},
        {"name": "breaks", "connection": "openai"},
        {"name": "calls", "connection": "openai"},
    ]
    with canned.gateway(tmp_path_factory.mktemp("invoke"), KEY, connections, models) as running:
        yield running


@pytest.fixture
def messages(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk:
        yield sdk.beta.messages


def test_messages_pass_in_the_envelope(messages, cloud):
    known_to_nobody = {"invented_member": {"a": [1, 2.50]}}
    betas = ["context-1m-2025-08-07", "claude-code-20250219", "context-management-2025-06-27"]
    raw = messages.with_raw_response.create(
        model="claude", max_tokens=9, messages=PING, betas=betas, extra_body=known_to_nobody
    )
    made = raw.parse()
    assert made.content[0].text == "pong" and made.usage.input_tokens == 5
    told = raw.headers["x-llm-gateway-warnings"]
    assert 'dropped;field="anthropic-beta"' in told and betas[1] in told and betas[0] not in told
    seen = cloud.last("/invoke")
    assert seen.path.endswith("/invoke") and "claude-sonnet-4-5" in seen.path
    assert b'{"a":[1,2.5]}' in seen.body.replace(b" ", b"")
    body = seen.json()
    assert body.pop("anthropic_version") == "bedrock-2023-05-31" and body.pop("anthropic_beta") == [betas[0], betas[2]]
    assert body == {"max_tokens": 9, "messages": PING} | known_to_nobody


CONTINUED = {"thread": {"type": "continue", "previous_message_id": "msg_1"}}


@pytest.mark.parametrize("model", ["claude", "converse", "nova", "gpt"])
def test_only_anthropic_keeps_threads(messages, cloud, others, model):
    asked = len(cloud.requests), len(others.requests)
    with pytest.raises(anthropic.BadRequestError) as refused:
        messages.create(model=model, max_tokens=9, messages=PING, extra_body=CONTINUED)
    error = refused.value.body["error"]
    assert error["details"] == {"error_code": "thread_unsupported_request"} and "`thread`" in error["message"]
    assert (len(cloud.requests), len(others.requests)) == asked


def test_anthropic_gets_the_thread(messages, others):
    messages.create(model="claude-itself", max_tokens=9, messages=PING, extra_body=CONTINUED)
    assert others.requests[-1].json()["thread"] == CONTINUED["thread"]


def test_a_tool_loop_ends_where_there_are_no_threads(messages, others):
    ran = []

    @anthropic.beta_tool
    def weather() -> str:
        """The weather."""
        ran.append("weather")
        return "sunny"

    runner = messages.tool_runner(model="calls", max_tokens=9, tools=[weather], messages=PING, max_iterations=5)
    answers = list(runner)
    assert ran == ["weather"] and [answer.stop_reason for answer in answers] == ["tool_use", "end_turn"]
    last = others.requests[-1].json()
    assert [message["role"] for message in last["messages"]] == ["user", "assistant", "tool"] and last["tools"]


def test_streams_are_unwrapped(messages, cloud):
    with messages.stream(model="claude", max_tokens=9, messages=PING) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert final.content[0].text == "pong" and final.stop_reason == "end_turn"
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    seen = cloud.last("/invoke")
    assert seen.path.endswith("/invoke-with-response-stream") and "stream" not in seen.json()


def test_clients_of_other_protocols(gateway, cloud):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0) as sdk:
        made = sdk.chat.completions.create(model="claude", messages=PING)
        assert made.choices[0].message.content == "pong" and made.usage.prompt_tokens == 5
        body = cloud.last("/invoke").json()
        assert body["anthropic_version"] == "bedrock-2023-05-31" and "model" not in body
        assert body["messages"][0]["role"] == "user" and body["max_tokens"] > 0
        chunks = sdk.chat.completions.create(model="claude", messages=PING, stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "pong"
        assert cloud.last("/invoke").path.endswith("/invoke-with-response-stream")


def test_other_models_stay_with_converse(gateway, cloud):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0) as sdk:
        for model in ("nova", "converse"):
            assert sdk.chat.completions.create(model=model, messages=PING).choices[0].message.content == "pong"
            assert cloud.requests[-1].path.endswith("/converse")


def runtime(gateway):
    return sdks.bedrock_runtime(gateway.url, KEY)


BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": PING}


@pytest.mark.parametrize("model", ["claude", "claude-itself", "gpt", "nova"])
def test_boto3_invokes_every_provider(gateway, model):
    made = json.loads(runtime(gateway).invoke_model(modelId=model, body=json.dumps(BODY))["body"].read())
    # What a model on Bedrock takes is its own business: its body passes as it came.
    assert made["content"][0]["text"] == "pong" and made["stop_reason"] == "end_turn"


@pytest.mark.parametrize("model", ["claude", "claude-itself", "gpt", "nova"])
def test_boto3_streams_from_every_provider(gateway, model):
    stream = runtime(gateway).invoke_model_with_response_stream(modelId=model, body=json.dumps(BODY))
    events = [json.loads(each["chunk"]["bytes"]) for each in stream["body"]]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "pong"


def test_a_stream_that_breaks_ends_with_an_exception(gateway):
    stream = runtime(gateway).invoke_model_with_response_stream(modelId="breaks", body=json.dumps(BODY))["body"]
    events = []
    with pytest.raises(botocore.exceptions.EventStreamError) as failure:
        events += (json.loads(each["chunk"]["bytes"]) for each in stream)
    assert "modelStreamErrorException" in str(failure.value)
    assert not any(event["type"] == "message_stop" for event in events)


@pytest.mark.parametrize("model", ["claude", "claude-itself", "gpt"])
def test_anthropics_sdk_for_bedrock(gateway, model):
    with anthropic.AnthropicBedrock(
        base_url=gateway.url, aws_access_key=KEY, aws_secret_key=KEY, aws_region="us-east-1", max_retries=0
    ) as sdk:
        made = sdk.messages.create(model=model, max_tokens=9, messages=PING)
        assert made.content[0].text == "pong"
        with sdk.messages.stream(model=model, max_tokens=9, messages=PING) as stream:
            assert stream.get_final_text() == "pong"


def test_betas_of_a_converted_call_are_chosen_alike(gateway, cloud):
    """InvokeModel answers any other with 400."""
    betas = {"anthropic-beta": "context-1m-2025-08-07,claude-code-20250219"}
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0) as sdk:
        raw = sdk.chat.completions.with_raw_response.create(model="claude", messages=PING, extra_headers=betas)
    assert cloud.last("/invoke").json()["anthropic_beta"] == ["context-1m-2025-08-07"]
    assert 'dropped;field="anthropic-beta"' in raw.headers["x-llm-gateway-warnings"]


def warnings_of(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"].get("x-llm-gateway-warnings", "")


def test_betas_in_the_body_are_told(gateway, others):
    body = json.dumps(BODY | {"anthropic_beta": ["one"]})
    answer = runtime(gateway).invoke_model(modelId="gpt", body=body)
    assert 'dropped;field="anthropic_beta"' in warnings_of(answer)
    assert "anthropic_beta" not in others.requests[-1].json()


BETA = "context-1m-2025-08-07"


def test_betas_of_every_envelope_reach_anthropic(gateway, others):
    managed = {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    body = json.dumps(BODY | managed | {"anthropic_beta": ["one", BETA]})
    answer = runtime(gateway).invoke_model(modelId="claude-itself", body=body)
    assert "beta" not in warnings_of(answer)
    seen = others.requests[-1]
    assert seen.headers["anthropic-beta"] == f"one,{BETA}" and "anthropic_beta" not in seen.json()
    assert seen.json()["context_management"] == managed["context_management"]
    answer = runtime(gateway).converse(
        modelId="claude-itself",
        messages=[{"role": "user", "content": [{"text": "ping"}]}],
        additionalModelRequestFields={"anthropic_beta": [BETA]},
    )
    assert "beta" not in warnings_of(answer)
    assert others.requests[-1].headers["anthropic-beta"] == BETA


def test_betas_of_the_head_reach_converse(messages, cloud):
    betas = [BETA, "claude-code-20250219"]
    raw = messages.with_raw_response.create(model="converse", max_tokens=9, messages=PING, betas=betas)
    assert cloud.last("/converse").json()["additionalModelRequestFields"] == {"anthropic_beta": [BETA]}
    warnings = raw.headers["x-llm-gateway-warnings"]
    assert 'dropped;field="anthropic-beta"' in warnings and betas[1] in warnings and BETA not in warnings
    raw = messages.with_raw_response.create(model="nova", max_tokens=9, messages=PING, betas=betas)
    assert "additionalModelRequestFields" not in cloud.last("/converse").json()
    assert 'dropped;field="anthropic-beta"' in raw.headers["x-llm-gateway-warnings"]


def invoke(gateway, model, headers):
    head = {"authorization": f"Bearer {KEY}"} | headers
    return httpx.post(f"{gateway.url}/model/{model}/invoke", json=BODY, headers=head, timeout=60)


def test_a_guardrail_of_the_head_is_never_lost(gateway, cloud, others):
    guarded = {"guardrailIdentifier": "gr-1", "guardrailVersion": "1", "trace": "ENABLED"}
    asked = len(others.requests)
    for model in ("gpt", "claude-itself"):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            runtime(gateway).invoke_model(modelId=model, body=json.dumps(BODY), **guarded)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert "X-Amzn-Bedrock-GuardrailIdentifier" in str(refused.value)
        with pytest.raises(botocore.exceptions.ClientError):
            runtime(gateway).invoke_model_with_response_stream(modelId=model, body=json.dumps(BODY), **guarded)
        refused = invoke(gateway, model, {"X-Amzn-Bedrock-GuardrailVersion": "1"})
        assert refused.status_code == 400 and "X-Amzn-Bedrock-GuardrailVersion" in refused.text
    assert len(others.requests) == asked
    runtime(gateway).invoke_model(modelId="claude", body=json.dumps(BODY), **guarded)
    assert cloud.last("/invoke").headers["x-amzn-bedrock-guardrailidentifier"] == "gr-1"


def test_other_settings_of_the_head(gateway, others):
    asked = {"X-Amzn-Bedrock-Service-Tier": "flex", "X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized"}
    answer = invoke(gateway, "gpt", asked | {"X-Amzn-Bedrock-Trace": "ENABLED"})
    assert others.requests[-1].json()["service_tier"] == "flex"
    warnings = answer.headers["x-llm-gateway-warnings"]
    assert 'dropped;field="X-Amzn-Bedrock-PerformanceConfig-Latency"' in warnings
    assert 'dropped;field="X-Amzn-Bedrock-Trace"' in warnings and "Tier" not in warnings
    answer = invoke(gateway, "claude-itself", asked)
    assert "service_tier" not in others.requests[-1].json()
    assert 'dropped;field="X-Amzn-Bedrock-Service-Tier"' in answer.headers["x-llm-gateway-warnings"]
    usual = {"X-Amzn-Bedrock-Service-Tier": "default", "X-Amzn-Bedrock-PerformanceConfig-Latency": "standard"}
    assert "x-llm-gateway-warnings" not in invoke(gateway, "claude-itself", usual).headers
