"""langchain-openai, as an application would use it."""

import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

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


def test_embeddings(world):
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3", base_url=world.url + "/v1", api_key=world.keys.full, check_embedding_ctx_length=False
    )
    assert len(embeddings.embed_documents(["a", "b"])) == 2
