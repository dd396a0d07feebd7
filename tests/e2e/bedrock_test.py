"""boto3 and the AWS SDK for JavaScript through the gateway to Bedrock: nothing is converted, credentials are."""

import datetime
import json
import os
import pathlib
import subprocess

import boto3
import botocore
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import openai
import pytest

from harness import clouds, config, metrics, processes, raw, waiting

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-bedrock"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "ping"}]}]
SIGNED = {"access_key_id": clouds.ACCESS_KEY_ID, "secret_access_key": clouds.SECRET_ACCESS_KEY}


def settings(cloud, port, directory):
    bedrock = {"provider": "bedrock", "endpoint": cloud.url, "region": clouds.REGION}
    return {
        "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data"), "workers": 2},
        "connections": [
            bedrock | SIGNED | {"name": "signed"},
            bedrock | SIGNED | {"name": "session", "session_token": clouds.SESSION_TOKEN},
            bedrock | {"name": "bearer", "api_key": clouds.BEDROCK_API_KEY},
            bedrock | {"name": "wrong", "access_key_id": clouds.ACCESS_KEY_ID, "secret_access_key": "not-the-secret"},
            bedrock | SIGNED | {"name": "mantle", "provider": "bedrock-mantle"},
        ],
        "models": [
            {"name": "claude", "connection": "signed", "remote": CLAUDE},
            {"name": "claude-session", "connection": "session", "remote": CLAUDE},
            {"name": "claude-bearer", "connection": "bearer", "remote": CLAUDE},
            {"name": "claude-wrong", "connection": "wrong", "remote": CLAUDE},
            {"name": "nova", "connection": "signed", "remote": "us.amazon.nova-lite-v1:0"},
            {"name": "throttled", "connection": "signed"},
            {"name": "cut", "connection": "signed"},
            {"name": "arn:aws:bedrock:*", "connection": "signed"},
            {"name": "gpt-oss", "connection": "mantle", "remote": "openai.gpt-oss-120b"},
        ],
        "keys": [{"name": "client", "key": KEY}],
    }


cloud = clouds.serving()


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    directory = tmp_path_factory.mktemp("bedrock")
    (directory / "data").mkdir(mode=0o700)
    port = processes.free_ports(1)[0]
    file = directory / "gateway.toml"
    file.write_text(config.toml(settings(cloud, port, directory)))
    running = processes.Process("gateway", ["serve", "--config", str(file)], port, "/ready", directory)
    yield running
    problems = running.stop()
    text = running.text()
    secrets = [KEY, clouds.SECRET_ACCESS_KEY, clouds.SESSION_TOKEN, clouds.BEDROCK_API_KEY]
    problems += [f"the log holds {secret}" for secret in secrets if secret in text]
    problems += [
        f"the client's key reached the upstream: {request}"
        for request in cloud.requests
        if KEY in str(request.headers) or KEY in request.path
    ]
    assert not problems, "\n".join(problems)


def client_of(gateway, key_id=KEY, secret=KEY):
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=gateway.url,
        region_name="us-west-2",  # the client's own: not the upstream's
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def client(gateway):
    return client_of(gateway)


def text_of(stream):
    return "".join(each["contentBlockDelta"]["delta"]["text"] for each in stream if "contentBlockDelta" in each)


@pytest.mark.parametrize("model", ["claude", "claude-session", "claude-bearer"])
def test_converse(client, cloud, model):
    answer = client.converse(modelId=model, messages=MESSAGES)
    assert answer["output"]["message"]["content"] == [{"text": "pong"}]
    assert answer["usage"]["inputTokens"] == 7
    request = cloud.last("/converse")
    assert request.path == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    assert request.json() == {"messages": MESSAGES}
    assert ("x-amz-security-token" in request.headers) == (model == "claude-session")


def test_converse_with_an_arn(client, cloud):
    arn = "arn:aws:bedrock:eu-north-1:123456789012:application-inference-profile/abc"
    assert client.converse(modelId=arn, messages=MESSAGES)["stopReason"] == "end_turn"
    assert cloud.last("inference-profile").path.startswith("/model/arn%3Aaws%3Abedrock%3A")


@pytest.mark.parametrize("model", ["claude", "claude-bearer"])
def test_converse_streamed(client, model):
    events = list(client.converse_stream(modelId=model, messages=MESSAGES)["stream"])
    assert text_of(events) == "pong"
    assert events[-1]["metadata"]["usage"] == clouds.USAGE


def test_invoke(client, cloud):
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 16, "messages": []}
    answer = client.invoke_model(modelId="claude", body=json.dumps(body))
    assert json.loads(answer["body"].read())["content"][0]["text"] == "pong"
    assert cloud.last("/invoke").json() == body


def test_invoke_streamed(client):
    answer = client.invoke_model_with_response_stream(modelId="claude", body=json.dumps({"messages": []}))
    events = [json.loads(each["chunk"]["bytes"]) for each in answer["body"]]
    assert events == clouds.MESSAGE_EVENTS


# As its own schema has it.
NOVA = {
    "schemaVersion": "messages-v1",
    "system": [{"text": "Be terse."}],
    "messages": MESSAGES,
    "inferenceConfig": {"maxTokens": 9, "topK": 20},
}


def test_novas_own_body_passes_as_it_came(gateway, client, cloud):
    made = client.invoke_model(modelId="nova", body=json.dumps(NOVA))
    assert json.loads(made["body"].read()) == clouds.CONVERSE
    assert cloud.last("/invoke").json() == NOVA and "nova-lite" in cloud.last("/invoke").path
    stream = client.invoke_model_with_response_stream(modelId="nova", body=json.dumps(NOVA))["body"]
    assert [json.loads(each["chunk"]["bytes"]) for each in stream] == clouds.NOVA_EVENTS
    assert cloud.last("/invoke-with").json() == NOVA
    for endpoint in ("invoke", "invoke_stream"):
        for kind, tokens in (("input", 7), ("output", 3)):
            labels = {"model": "nova", "endpoint": endpoint, "type": kind}
            waiting.until(
                lambda: metrics.total(metrics.scrape(gateway), "llm_tokens_total", **labels) == tokens,
                f"{kind} tokens of {endpoint}",
            )


def test_errors_of_novas_own_body(client):
    asked = {"body": json.dumps(NOVA)}
    assert refusal(lambda: client.invoke_model(modelId="throttled", **asked)) == ("ThrottlingException", 429)
    told = refusal(lambda: client.invoke_model_with_response_stream(modelId="throttled", **asked))
    assert told == ("ThrottlingException", 429)
    events = []
    with pytest.raises(botocore.exceptions.EventStreamError) as failure:
        for each in client.invoke_model_with_response_stream(modelId="cut", **asked)["body"]:
            events.append(json.loads(each["chunk"]["bytes"]))
    assert "modelStreamErrorException" in str(failure.value) and events == clouds.NOVA_EVENTS[:3]


def test_count_tokens(client):
    answer = client.count_tokens(modelId="claude", input={"converse": {"messages": MESSAGES}})
    assert answer["inputTokens"] == 9


def test_a_client_with_a_bearer(gateway):
    """As boto3 sends a Bedrock API key, which it does over HTTPS only."""
    unsigned = botocore.config.Config(signature_version=botocore.UNSIGNED)
    client = boto3.client("bedrock-runtime", endpoint_url=gateway.url, region_name="us-west-2", config=unsigned)

    def authorize(request, **_):
        request.headers["Authorization"] = f"Bearer {KEY}"

    client.meta.events.register("before-send.bedrock-runtime", authorize)
    assert client.converse(modelId="claude", messages=MESSAGES)["stopReason"] == "end_turn"
    assert text_of(client.converse_stream(modelId="claude", messages=MESSAGES)["stream"]) == "pong"


def refusal(call):
    with pytest.raises(botocore.exceptions.ClientError) as failure:
        call()
    response = failure.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_refusals_have_the_names_of_aws(gateway, client, cloud):
    before = len(cloud.requests)
    ask = dict(modelId="claude", messages=MESSAGES)
    unknown = client_of(gateway, "canary-no-such-key", "canary-no-such-key")
    assert refusal(lambda: unknown.converse(**ask)) == ("UnrecognizedClientException", 403)
    wrong = client_of(gateway, KEY, "canary-another-secret")
    assert refusal(lambda: wrong.converse(**ask)) == ("InvalidSignatureException", 403)
    assert refusal(lambda: client.converse(modelId="no-such-model", messages=MESSAGES))[0] == "ValidationException"
    assert len(cloud.requests) == before
    assert refusal(lambda: client.converse(modelId="throttled", messages=MESSAGES)) == ("ThrottlingException", 429)
    # The upstream refuses the gateway's own credential, and says so in its own words.
    assert refusal(lambda: client.converse(modelId="claude-wrong", messages=MESSAGES))[1] == 403


def signed_headers(url, body, timestamp=None):
    timestamp = timestamp or datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Content-Type": "application/json", "X-Amz-Date": timestamp}
    request = botocore.awsrequest.AWSRequest("POST", url, data=body, headers=headers)
    request.context["timestamp"] = timestamp
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, KEY), "bedrock", "us-west-2")
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    credential = f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}"
    authorization = f"{credential}, SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
    return [*headers.items(), ("Authorization", authorization)]


def test_an_old_signature_and_a_changed_body_are_refused(gateway):
    path = "/model/claude/converse"
    url = "http://gateway.test" + path  # the host that raw.call names
    body = json.dumps({"messages": MESSAGES}).encode()

    def post(headers, sent):
        return raw.call(gateway.address, "POST", path, headers=headers, body=sent)

    assert post(signed_headers(url, body), body).status == 200
    changed = post(signed_headers(url, body), body.replace(b"ping", b"pong"))
    assert (changed.status, changed.header("x-amzn-errortype")) == (403, "InvalidSignatureException")
    old = post(signed_headers(url, body, "20250102T030405Z"), body)
    assert (old.status, old.header("x-amzn-errortype")) == (403, "InvalidSignatureException")
    assert "clock" in json.loads(old.body)["message"]


def test_a_stream_that_breaks_ends_with_an_exception(client):
    stream = client.converse_stream(modelId="cut", messages=MESSAGES)["stream"]
    with pytest.raises(botocore.exceptions.EventStreamError) as failure:
        text_of(stream)
    assert "modelStreamErrorException" in str(failure.value)


def test_tokens_are_counted(gateway, client):
    list(client.converse_stream(modelId="claude", messages=MESSAGES)["stream"])
    list(client.invoke_model_with_response_stream(modelId="claude", body="{}")["body"])

    def counted():
        lines = raw.call(gateway.address, "GET", "/metrics").body.decode().splitlines()
        return [line for line in lines if line.startswith("llm_tokens_total{") and 'model="claude"' in line]

    for endpoint in ("converse_stream", "invoke_stream"):
        for kind in ("input", "output"):
            # A call is settled when its client has it all already.
            waiting.until(
                lambda: any(f'endpoint="{endpoint}"' in line and f'type="{kind}"' in line for line in counted()),
                f"{kind} tokens of {endpoint}",
            )


def test_bedrocks_openai_surface_is_signed(gateway, cloud):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0) as sdk:
        messages = [{"role": "user", "content": "ping"}]
        answer = sdk.chat.completions.create(model="gpt-oss", messages=messages)
    assert answer.choices[0].message.content == "pong"
    assert "/bedrock-mantle/aws4_request" in cloud.last("/v1/chat/completions").headers["authorization"]


NODE_SECONDS = 180


def test_the_javascript_sdk_on_both_versions_of_http(gateway):
    node = processes.ROOT / "build" / "venv" / "bin" / "node"
    result = subprocess.run(
        [node, pathlib.Path(__file__).parent / "js" / "load.mjs", "bedrock"],
        cwd=processes.ROOT / "build" / "e2e-js",
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
        env=dict(os.environ) | {"GATEWAY_URL": gateway.url, "GATEWAY_KEY": KEY},
    )
    checks = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert len(checks) == 16, result.stderr
    failed = [f"{each['name']}: {each['error']}" for each in checks if each["error"]]
    assert not failed, "\n".join(failed)
