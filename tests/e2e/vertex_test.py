"""Vertex AI by a service account: tokens fetched, shared, renewed after a 401; Gemini's and Claude's publishers."""

import concurrent.futures
import json

import anthropic
import cryptography.hazmat.primitives.asymmetric.rsa as rsa
import cryptography.hazmat.primitives.serialization as serialization
import pytest

from harness import clouds, config, processes, raw, waiting

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-vertex"
GENERATE = json.dumps({"contents": [{"role": "user", "parts": [{"text": "ping"}]}]}).encode()


def service_account(cloud):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "house-project",
            "private_key_id": "k1",
            "private_key": pem.decode(),
            "client_email": "gateway@house-project.iam.gserviceaccount.com",
            "token_uri": cloud.url + "/token",
        }
    )


cloud = clouds.serving("function")


@pytest.fixture
def workers():
    return 1


@pytest.fixture
def gateway(cloud, tmp_path, workers):
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "account.json").write_text(service_account(cloud))
    port = processes.free_ports(1)[0]
    file = tmp_path / "gateway.toml"
    vertex = {"name": "vertex", "provider": "vertex", "endpoint": cloud.url, "location": "europe-west4"}
    file.write_text(
        config.toml(
            {
                "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(tmp_path / "data"), "workers": workers},
                "connections": [vertex | {"service_account_file": "account.json"}],
                "models": [
                    {"name": "gemini", "connection": "vertex", "remote": "gemini-3-pro"},
                    {"name": "claude", "connection": "vertex", "remote": "claude-opus-4-5@20251101"},
                ],
                "keys": [{"name": "client", "key": KEY}],
            }
        )
    )
    running = processes.Process("gateway", ["serve", "--config", str(file)], port, "/ready", tmp_path)
    yield running
    problems = running.stop()
    secrets = (KEY, "canary-token", "PRIVATE KEY")
    problems += [f"the log holds {secret}" for secret in secrets if secret in running.text()]
    assert not problems, "\n".join(problems)


def generate(gateway):
    path = "/v1beta/models/gemini:generateContent"
    headers = [("x-goog-api-key", KEY), ("Content-Type", "application/json")]
    return raw.call(gateway.address, "POST", path, headers=headers, body=GENERATE)


def test_one_token_serves_many_calls(gateway, cloud):
    for _ in range(3):
        answer = generate(gateway)
        assert answer.status == 200, answer.body
    assert len(cloud.grants) == 1
    assert cloud.grants[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    request = cloud.last("gemini-3-pro")
    scope = "/v1beta1/projects/house-project/locations/europe-west4"
    assert request.path == scope + "/publishers/google/models/gemini-3-pro:generateContent"
    assert request.headers["authorization"] == "Bearer canary-token-1"
    assert "x-goog-api-key" not in request.headers


@pytest.mark.parametrize("workers", [4])
def test_one_token_serves_all_workers(gateway, cloud, workers):
    # Each call has a connection of its own, so that all four workers get some.
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: generate(gateway), range(64)))
    assert [answer.status for answer in answers] == [200] * 64
    assert len(cloud.grants) == 1


def test_a_revoked_token_is_renewed_and_the_call_repeated(gateway, cloud):
    assert generate(gateway).status == 200
    cloud.tokens.clear()
    # A token just fetched is not blamed for a 401; soon it is, and then no client sees one any more.
    waiting.until(lambda: generate(gateway).status == 200, "a new token", 30)
    assert len(cloud.grants) == 2
    assert cloud.last("gemini-3-pro").headers["authorization"] == "Bearer canary-token-2"


def test_claude_goes_in_its_envelope(gateway, cloud):
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk:
        ask = dict(model="claude", max_tokens=16, messages=[{"role": "user", "content": "ping"}])
        assert sdk.messages.create(**ask).content[0].text == "pong"
        request = cloud.last("/anthropic/")
        root = "/v1/projects/house-project/locations/europe-west4/publishers/anthropic/models/"
        assert request.path == root + "claude-opus-4-5%4020251101:rawPredict"
        body = request.json()
        assert body.pop("anthropic_version") == "vertex-2023-10-16"
        assert body == {"max_tokens": 16, "messages": ask["messages"]}
        with sdk.messages.stream(**ask) as stream:
            assert stream.get_final_text() == "pong"
        request = cloud.last("/anthropic/")
        assert request.path.endswith(":streamRawPredict")
        assert request.json()["stream"] is True
        assert sdk.messages.count_tokens(model="claude", messages=ask["messages"]).input_tokens == 9
        request = cloud.last("count-tokens")
        assert request.json()["model"] == "claude-opus-4-5@20251101"
