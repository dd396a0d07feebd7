"""AzureOpenAI of OpenAI's Python SDK."""

import openai
import pytest

pytestmark = pytest.mark.xdist_group("sdk")

MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def client(world):
    with openai.AzureOpenAI(
        azure_endpoint=world.url, api_key=world.keys.full, api_version="2024-10-21", max_retries=0
    ) as client:
        yield client


def test_chat(client):
    assert client.chat.completions.create(model="azure-gpt", messages=MESSAGES).choices[0].message.content


def test_chat_streamed(client):
    chunks = client.chat.completions.create(model="azure-gpt", messages=MESSAGES, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_deployment_fixed_by_the_client(world):
    with openai.AzureOpenAI(
        azure_endpoint=world.url,
        azure_deployment="azure-gpt",
        api_key=world.keys.full,
        api_version="2024-10-21",
        max_retries=0,
    ) as client:
        assert client.chat.completions.create(model="ignored", messages=MESSAGES).choices[0].message.content


def test_azure_client_on_an_openai_connection(client):
    assert client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES).choices[0].message.content


def test_openai_client_on_an_azure_connection(world):
    with openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0) as client:
        assert client.chat.completions.create(model="azure-gpt", messages=MESSAGES).choices[0].message.content


def test_v1_api(world):
    with openai.OpenAI(base_url=world.url + "/openai/v1", api_key=world.keys.full, max_retries=0) as client:
        assert client.chat.completions.create(model="azure-gpt", messages=MESSAGES).choices[0].message.content
        assert client.responses.create(model="azure-gpt", input="Hello").output_text


def test_embeddings(client):
    assert client.embeddings.create(model="text-embedding-3", input="a").data[0].embedding


def test_path_and_version_at_the_upstream(world, client, request_id):
    client.chat.completions.create(
        model="scripted-azure", messages=MESSAGES, extra_headers={"X-Request-ID": request_id}
    )
    [seen] = world.upstream.find(request_id)
    assert seen.target == "/openai/deployments/scripted-deployment/chat/completions?api-version=2024-10-21"
    assert seen.header("api-key") == world.keys.scripted


def test_bad_key(world):
    with openai.AzureOpenAI(
        azure_endpoint=world.url, api_key="wrong-key-wrong", api_version="2024-10-21", max_retries=0
    ) as client:
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model="azure-gpt", messages=MESSAGES)


def test_unknown_deployment(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-deployment", messages=MESSAGES)


def test_upstream_status(client):
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(
            model="azure-gpt", messages=MESSAGES, extra_headers={"x-simulate": "status=429"}
        )


@pytest.mark.parametrize(
    "model, upstream", [("scripted-azure", "/openai/deployments/scripted-deployment/"), ("scripted", "/v1/")]
)
def test_forms(world, client, request_id, model, upstream):
    """Transcriptions, translations and edits of images are forms; the SDK has the deployment in the path."""
    sound = ("a.wav", b"RIFF\x00\xff")
    audio, images = client.audio.with_raw_response, client.images.with_raw_response
    calls = {
        "audio/transcriptions": lambda more: audio.transcriptions.create(model=model, file=sound, **more),
        "audio/translations": lambda more: audio.translations.create(model=model, file=sound, **more),
        "images/edits": lambda more: images.edit(model=model, image=b"\x89PNG", prompt="a door", **more),
    }
    for path, call in calls.items():
        own = f"{request_id}-{path.replace('/', '-')}"
        assert call({"extra_headers": {"X-Request-ID": own}}).status_code == 200
        [seen] = world.upstream.find(own)
        assert seen.target.startswith(upstream + path)
        remote = b"scripted-remote" if model == "scripted" else b"scripted-azure"
        assert b'name="model"\r\n\r\n' + remote + b"\r\n" in seen.body
