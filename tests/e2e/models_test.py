"""Lists of models in the three shapes they have: who offers each, and only what the key may use.

`owned_by` is OpenAI's; neither Anthropic's nor Gemini's API has a field that says who offers a model. It stands in
their shapes all the same, as one more member, since whoever may choose between providers wants to know. Their SDKs take
members that their types do not have: Anthropic's keeps them, Google's drop them, so those are read off the wire."""

import anthropic
import google.generativeai as legacy
import openai
import pytest
from google import genai
from google.genai import types

from harness import raw

pytestmark = pytest.mark.xdist_group("sdk")

# Of the configuration's models: said there; the provider's; of a name at two connections, the preferred one's.
OWNERS = {
    "renamed-gpt": "the-house",
    "gpt-4o-mini": "openai",
    "claude-sonnet": "anthropic",
    "gemini-flash": "google",
    "both": "anthropic",
}
NARROW = {"gpt-4o-mini", "claude-sonnet"}
PATHS = {"openai": "/v1/models", "anthropic": "/v1/models", "gemini": "/v1beta/models"}


def headers(shape, key):
    return {
        "openai": [("Authorization", f"Bearer {key}")],
        "anthropic": [("x-api-key", key), ("anthropic-version", "2023-06-01")],
        "gemini": [("x-goog-api-key", key)],
    }[shape]


def get(world, shape, key, path):
    answer = raw.call(world.gateway.address, "GET", path, headers(shape, key))
    return answer.status, answer.json()


def listed(world, shape, key):
    """Name → what stands in the list about it, as it comes over the wire."""
    status, body = get(world, shape, key, PATHS[shape])
    assert status == 200
    if shape == "gemini":
        return {each["name"].removeprefix("models/"): each for each in body["models"]}
    return {each["id"]: each for each in body["data"]}


@pytest.mark.parametrize("shape", PATHS)
def test_who_offers_a_model(world, shape):
    found = listed(world, shape, world.keys.full)
    assert {name: found[name]["owned_by"] for name in OWNERS} == OWNERS
    assert all(each["owned_by"] for each in found.values())
    for name, owner in OWNERS.items():
        status, one = get(world, shape, world.keys.full, f"{PATHS[shape]}/{name}")
        assert status == 200 and one == found[name] and one["owned_by"] == owner


@pytest.mark.parametrize("shape", PATHS)
def test_a_key_sees_its_own_models_and_no_other(world, shape):
    assert set(listed(world, shape, world.keys.narrow)) == NARROW
    everything = set(listed(world, shape, world.keys.full))
    assert everything > NARROW and "renamed-gpt" in everything
    assert get(world, shape, world.keys.narrow, f"{PATHS[shape]}/claude-sonnet")[0] == 200
    status, error = get(world, shape, world.keys.narrow, f"{PATHS[shape]}/renamed-gpt")
    assert status == 404 and "the-house" not in str(error) and "scripted" not in str(error)


@pytest.mark.parametrize("shape", PATHS)
def test_a_pattern_is_no_model(world, shape):
    assert get(world, shape, world.keys.full, f"{PATHS[shape]}/gpt-9")[0] == 200
    for pattern in ("gpt-*", "gpt-%2A"):
        status, error = get(world, shape, world.keys.full, f"{PATHS[shape]}/{pattern}")
        assert status == 404 and "the model 'gpt-*' does not exist" in str(error)


def test_gemini_is_told_what_embeds(world):
    for name, methods in (("text-embedding-9", "embedContent"), ("gemini-9", "generateContent")):
        status, model = get(world, "gemini", world.keys.full, f"/v1beta/models/{name}")
        assert status == 200 and model["supportedGenerationMethods"][0] == methods


def test_an_unknown_model_is_told_with_what_there_is(world):
    def told(key, model):
        return get(world, "openai", key, f"/v1/models/{model}")[1]["error"]["message"]

    assert "; this key may use: gpt-4o-mini, " in told(world.keys.narrow, "gtp-4o-mini") + ", "
    assert "this key may use: " in told(world.keys.narrow, "zzzz")
    assert told(world.keys.narrow, "zzzz").count("claude-*") == 1
    assert "claude-sonnet" in told(world.keys.narrow, "zzzz")
    assert "renamed-gpt" not in told(world.keys.narrow, "renamed-gp")


def test_every_shape_lists_the_same(world):
    assert len({frozenset(listed(world, shape, world.keys.full)) for shape in PATHS}) == 1


def openai_models(world, key):
    with openai.OpenAI(base_url=world.url + "/v1", api_key=key, max_retries=0) as client:
        return {model.id: model.owned_by for model in client.models.list()}


def anthropic_models(world, key):
    with anthropic.Anthropic(base_url=world.url, api_key=key, max_retries=0) as client:
        models = list(client.models.list(limit=3))  # a page at a time
        assert all(model.type == "model" and model.lifecycle == "active" and model.created_at for model in models)
        return {model.id: model.model_extra["owned_by"] for model in models}


def gemini_models(world, key):
    options = types.HttpOptions(base_url=world.url, retry_options=types.HttpRetryOptions(attempts=1))
    client = genai.Client(api_key=key, http_options=options)
    models = list(client.models.list(config={"page_size": 1}))  # so that each has been the first of a page
    assert "owned_by" not in types.Model.model_fields
    assert all(model.display_name and model.supported_actions for model in models)
    return {model.name.removeprefix("models/"): None for model in models}


def legacy_gemini_models(world, key):
    legacy.configure(api_key=key, transport="rest", client_options={"api_endpoint": world.url})
    return {model.name.removeprefix("models/"): None for model in legacy.list_models(page_size=3)}


@pytest.mark.parametrize("read", [openai_models, anthropic_models, gemini_models, legacy_gemini_models])
def test_the_sdks_read_it(world, read):
    assert set(read(world, world.keys.narrow)) == NARROW
    found = read(world, world.keys.full)
    assert set(found) == set(listed(world, "openai", world.keys.full))
    assert {name: found[name] or OWNERS[name] for name in OWNERS} == OWNERS
