"""LangChain's four packages, as an application would use them, with models of every provider."""

import functools
import operator

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_aws import ChatBedrockConverse
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import AzureChatOpenAI, ChatOpenAI, OpenAIEmbeddings

pytestmark = pytest.mark.xdist_group("sdk")


@pytest.fixture
def chat(world):
    return ChatOpenAI(model="gpt-4o-mini", base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0)


def test_invoke(chat):
    answer = chat.invoke("Hello")
    assert answer.content and answer.usage_metadata["total_tokens"] > 0


def test_stream(chat):
    chunks = list(chat.stream("Hello"))
    assert len(chunks) > 1 and "".join(chunk.content for chunk in chunks)


def test_batch(chat):
    assert all(answer.content for answer in chat.batch([f"Number {number}" for number in range(8)]))


def test_tools(chat):
    @tool
    def get_weather(town: str) -> str:
        """Weather of a town."""
        return town

    answer = chat.bind_tools([get_weather], tool_choice="required").invoke("How is the weather?")
    assert answer.tool_calls[0]["name"] == "get_weather" and set(answer.tool_calls[0]["args"]) == {"town"}


def test_responses_api(world):
    chat = ChatOpenAI(
        model="gpt-4o-mini", base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0, use_responses_api=True
    )
    assert chat.invoke("Hello").text
    assert "".join(chunk.text for chunk in chat.stream("Hello"))


@pytest.mark.parametrize("deployment", ["azure-gpt", "gpt-4o-mini", "claude-sonnet"])
def test_azure_deployments(world, deployment):
    """Its body says "model": null, since the deployment stands in the path."""
    chat = AzureChatOpenAI(
        azure_deployment=deployment,
        azure_endpoint=world.url,
        api_key=world.keys.full,
        api_version="2024-10-21",
        max_retries=0,
    )
    assert chat.invoke("Hello").content
    assert "".join(chunk.content for chunk in chat.stream("Hello"))


def test_embeddings(world):
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3", base_url=world.url + "/v1", api_key=world.keys.full, check_embedding_ctx_length=False
    )
    assert len(embeddings.embed_documents(["a", "b"])) == 2


MODELS = ["gpt-4o-mini", "claude-sonnet", "gemini-flash"]


def openai_client(world, model):
    return ChatOpenAI(model=model, base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0)


def anthropic_client(world, model):
    return ChatAnthropic(model=model, base_url=world.url, api_key=world.keys.full, max_retries=0, max_tokens=200)


def google_client(world, model):
    return ChatGoogleGenerativeAI(model=model, base_url=world.url, google_api_key=world.keys.full, max_retries=1)


def bedrock_client(world, model):
    return ChatBedrockConverse(
        model=model,
        provider="anthropic",
        disable_streaming=False,
        supports_tool_choice_values=("auto", "any", "tool"),
        endpoint_url=world.url,
        region_name="us-east-1",
        aws_access_key_id=world.keys.full,
        aws_secret_access_key=world.keys.full,
    )


CLIENTS = {"openai": openai_client, "anthropic": anthropic_client, "google": google_client, "aws": bedrock_client}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("client", CLIENTS)
def test_every_package_with_every_model(world, client, model):
    chat = CLIENTS[client](world, model)
    answer = chat.invoke("Hello")
    assert answer.text and answer.usage_metadata["input_tokens"] > 0
    assert "".join(chunk.text for chunk in chat.stream("Hello"))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("client", CLIENTS)
def test_tool_loops(world, client, model):
    @tool
    def get_weather(town: str) -> str:
        """Weather of a town."""
        return f"It rains in {town}."

    chat = CLIENTS[client](world, model)
    question = HumanMessage("How is the weather?")
    asked = chat.bind_tools([get_weather], tool_choice="any").invoke([question])
    [call] = asked.tool_calls
    assert call["name"] == "get_weather" and set(call["args"]) == {"town"}
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"], name="get_weather")
    assert chat.bind_tools([get_weather]).invoke([question, asked, result]).text


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("client", CLIENTS)
def test_tool_loops_streamed(world, client, model):
    @tool
    def get_weather(town: str) -> str:
        """Weather of a town."""
        return f"It rains in {town}."

    chat = CLIENTS[client](world, model)
    question = HumanMessage("How is the weather?")
    asked = functools.reduce(operator.add, chat.bind_tools([get_weather], tool_choice="any").stream([question]))
    [call] = asked.tool_calls
    assert call["name"] == "get_weather" and set(call["args"]) == {"town"}
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"], name="get_weather")
    history = [question, asked, result]
    assert "".join(chunk.text for chunk in chat.bind_tools([get_weather]).stream(history))
