"""Google's Python SDKs, new (google-genai) and old (google-generativeai over REST), against the simulator."""

import google.generativeai as legacy
import pytest
from google import genai
from google.api_core import exceptions
from google.genai import errors, types

pytestmark = pytest.mark.xdist_group("sdk")

TEXT = "Say something about gateways."


def new_client(world, key=None, headers=None, version=None):
    return genai.Client(
        api_key=key or world.keys.full,
        http_options=types.HttpOptions(
            base_url=world.url,
            timeout=60_000,
            headers=headers,
            api_version=version,
            retry_options=types.HttpRetryOptions(attempts=1),
        ),
    )


@pytest.fixture
def client(world):
    return new_client(world)


def declaration():
    return types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name="get_weather",
                description="Weather of a town",
                parameters=types.Schema(
                    type="OBJECT", properties={"town": types.Schema(type="STRING")}, required=["town"]
                ),
            )
        ]
    )


@pytest.mark.parametrize("model", ["gemini-flash", "gemini-any-at-all"])
def test_generate(client, model):
    answer = client.models.generate_content(model=model, contents=TEXT)
    assert answer.text and answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata.total_token_count > 0
    assert answer.model_version == ("gemini-remote" if model == "gemini-flash" else model)


def test_stream(client):
    chunks = list(client.models.generate_content_stream(model="gemini-flash", contents=TEXT))
    assert len(chunks) > 1 and "".join(chunk.text or "" for chunk in chunks)
    assert [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates[0].finish_reason] == [
        types.FinishReason.STOP
    ]


def test_tools(client):
    answer = client.models.generate_content(
        model="gemini-flash",
        contents=TEXT,
        config=types.GenerateContentConfig(
            tools=[declaration()],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY")),
        ),
    )
    [call] = answer.function_calls
    assert call.name == "get_weather" and set(call.args) == {"town"}


def test_chat(client):
    chat = client.chats.create(model="gemini-flash")
    first = chat.send_message("Hello").usage_metadata.prompt_token_count
    assert chat.send_message("And then?").usage_metadata.prompt_token_count > first


def test_count_tokens(client):
    counted = client.models.count_tokens(model="gemini-flash", contents=TEXT).total_tokens
    assert (
        counted
        == client.models.generate_content(model="gemini-flash", contents=TEXT).usage_metadata.prompt_token_count
    )


def test_embed(client):
    contents = [types.Content(parts=[types.Part(text=text)]) for text in ("a", "b")]
    one = client.models.embed_content(model="gemini-embedding", contents=contents[:1])
    many = client.models.embed_content(model="gemini-embedding", contents=contents)
    assert len(one.embeddings) == 1 and len(many.embeddings) == 2
    assert many.embeddings[0].values == one.embeddings[0].values


def test_models(client):
    names = [model.name for model in client.models.list()]
    assert "models/gemini-flash" in names and not any("*" in name for name in names)
    assert client.models.get(model="gemini-flash").name == "models/gemini-flash"


def test_models_are_those_of_the_key(world):
    client = new_client(world, world.keys.narrow)
    assert {model.name for model in client.models.list()} == {"models/gpt-4o-mini", "models/claude-sonnet"}


def test_vertex_model_for_an_ai_studio_client(client):
    assert client.models.generate_content(model="vertex-gemini", contents=TEXT).text


def test_vertex_client(world):
    client = genai.Client(
        enterprise=True,
        api_key=world.keys.full,
        http_options=types.HttpOptions(base_url=world.url, retry_options=types.HttpRetryOptions(attempts=1)),
    )
    assert client.models.generate_content(model="gemini-flash", contents=TEXT).text
    assert "".join(
        chunk.text or "" for chunk in client.models.generate_content_stream(model="vertex-gemini", contents=TEXT)
    )


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_path_and_credential_at_the_upstream(world, request_id, version):
    client = new_client(world, headers={"X-Request-ID": request_id}, version=version)
    client.models.generate_content(model="scripted-gemini", contents=TEXT)
    [seen] = world.upstream.find(request_id)
    assert seen.target == f"/{version}/models/scripted-remote:generateContent"
    assert seen.header("x-goog-api-key") == world.keys.scripted


# --- errors -----------------------------------------------------------------------------------------------------------


def test_bad_key(world):
    client = new_client(world, "wrong-key-wrong-key")
    with pytest.raises(errors.ClientError) as error:
        client.models.generate_content(model="gemini-flash", contents=TEXT)
    assert error.value.code in (400, 401)


def test_unknown_model_names_those_there_are(client):
    with pytest.raises(errors.ClientError) as error:
        client.models.generate_content(model="no-such-model", contents=TEXT)
    assert error.value.code == 404 and error.value.status == "NOT_FOUND"
    assert "no-such-model" in error.value.message and "gemini-flash" in error.value.message


@pytest.mark.parametrize(
    "status, expected",
    [
        (400, errors.ClientError),
        (403, errors.ClientError),
        (429, errors.ClientError),
        (500, errors.ServerError),
        (503, errors.ServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_upstream_status(world, status, expected, stream):
    client = new_client(world, headers={"x-simulate": f"status={status}"})
    with pytest.raises(expected) as error:
        if stream:
            list(client.models.generate_content_stream(model="gemini-flash", contents=TEXT))
        else:
            client.models.generate_content(model="gemini-flash", contents=TEXT)
    assert error.value.code == status


@pytest.mark.parametrize("plan", ["cut=after:4", "reset=after:4", "error-event=after:4"])
def test_broken_stream_raises(world, plan):
    client = new_client(world, headers={"x-simulate": plan})
    chunks = []
    with pytest.raises(Exception) as error:
        for chunk in client.models.generate_content_stream(model="gemini-flash", contents=TEXT):
            chunks.append(chunk)
    assert not isinstance(error.value, (AssertionError, TypeError, AttributeError))
    assert not any(chunk.candidates and chunk.candidates[0].finish_reason for chunk in chunks)


@pytest.mark.parametrize("plan", ["cut", "reset", "garbage"])
def test_broken_answer_raises(world, plan):
    client = new_client(world, headers={"x-simulate": plan})
    with pytest.raises(errors.ServerError) as error:
        client.models.generate_content(model="gemini-flash", contents=TEXT)
    assert error.value.code == 502


# --- the old SDK ------------------------------------------------------------------------------------------------------


@pytest.fixture
def old(world):
    def model(name="gemini-flash", key=None):
        legacy.configure(api_key=key or world.keys.full, transport="rest", client_options={"api_endpoint": world.url})
        return legacy.GenerativeModel(name)

    return model


def test_old_sdk_generate(old):
    answer = old().generate_content(TEXT)
    assert answer.text and answer.usage_metadata.total_token_count > 0


def test_old_sdk_stream(old):
    answer = old().generate_content(TEXT, stream=True)
    pieces = [chunk.text for chunk in answer]
    assert len(pieces) > 1 and "".join(pieces) == answer.text


def test_old_sdk_count_and_chat(old):
    assert old().count_tokens(TEXT).total_tokens > 0
    chat = old().start_chat()
    assert chat.send_message("Hello").text and chat.send_message("More").text


def test_old_sdk_embed_and_models(old):
    old()
    assert legacy.embed_content(model="models/gemini-embedding", content="a")["embedding"]
    assert "models/gemini-flash" in [model.name for model in legacy.list_models()]


def test_old_sdk_errors(old):
    with pytest.raises(exceptions.NotFound):
        old("no-such-model").generate_content(TEXT, request_options={"retry": None})
    with pytest.raises(exceptions.BadRequest, match="API_KEY_INVALID"):
        old(key="wrong-key-wrong-key").generate_content(TEXT, request_options={"retry": None})
