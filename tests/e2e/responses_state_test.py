"""The Responses API's memory for providers that have none: the gateway's own."""

import openai
import pytest

pytestmark = pytest.mark.xdist_group("sdk")

MODELS = ["claude-sonnet", "gemini-flash"]


@pytest.fixture
def client(world):
    with openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0, timeout=60) as client:
        yield client


@pytest.mark.parametrize("model", MODELS)
def test_a_response_is_kept_and_forgotten(client, model):
    made = client.responses.create(model=model, input="Remember me.")
    found = client.responses.retrieve(made.id)
    assert found.id == made.id and found.output_text == made.output_text
    items = client.responses.input_items.list(made.id)
    assert items.data[0].content[0].text == "Remember me."
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@pytest.mark.parametrize("model", MODELS)
def test_a_response_continues_another(client, model):
    first = client.responses.create(model=model, input="The first turn, of some length.")
    with client.responses.stream(model=model, input="The second.", previous_response_id=first.id) as stream:
        second = stream.until_done().get_final_response()
    assert second.previous_response_id == first.id
    # All that came before is paid for again: the provider has no memory.
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens
    third = client.responses.create(model=model, input="The third.", previous_response_id=second.id)
    assert third.usage.input_tokens > second.usage.input_tokens + second.usage.output_tokens


def test_what_is_said_of_a_next_turn_names_the_clients_own_request(client):
    first = client.responses.create(model="claude-sonnet", input="The first turn.")

    def go_on(part):
        content = [{"type": "input_text", "text": "The second."}, part]
        return client.responses.with_raw_response.create(
            model="claude-sonnet", input=[{"role": "user", "content": content}], previous_response_id=first.id
        )

    second = go_on({"type": "input_text", "text": "More.", "zzz": 1})
    assert 'field="input[0].content[1].zzz"' in second.headers["x-llm-gateway-warnings"]
    with pytest.raises(openai.BadRequestError) as error:
        go_on({"type": "image", "source": {"type": "base64", "data": "AAAA"}})
    assert error.value.param == "input[0].content[1]"


def test_what_is_not_kept_cannot_be_continued(client):
    made = client.responses.create(model="claude-sonnet", input="Forget me.", store=False)
    with pytest.raises(openai.APIStatusError) as error:
        client.responses.create(model="claude-sonnet", input="Go on.", previous_response_id=made.id)
    assert error.value.status_code in (400, 404)


def test_another_key_sees_nothing(world, client):
    made = client.responses.create(model="claude-sonnet", input="Mine.")
    with openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.narrow, max_retries=0) as other:
        with pytest.raises(openai.APIStatusError) as error:
            other.responses.create(model="claude-sonnet", input="Yours?", previous_response_id=made.id)
    assert error.value.status_code in (400, 404)
