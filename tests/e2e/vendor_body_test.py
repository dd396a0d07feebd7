"""Bodies of OpenAI's clients that go to vendors' copies of its API: as they came, but for what a vendor refuses."""

import openai
import pytest

from harness import canned, clouds

KEY = "canary-client-key-of-vendors"
FUNCTION = {"name": "f", "arguments": "{}"}
MESSAGES = [
    {"role": "user", "content": "q"},
    {"role": "assistant", "tool_calls": [{"id": "toolu_01", "type": "function", "function": FUNCTION}]},
    {"role": "tool", "tool_call_id": "toolu_01", "content": "1"},
]


@pytest.fixture(scope="module")
def vendors(tmp_path_factory):
    site = canned.Canned(lambda request: (200, clouds.COMPLETION))
    connections = [
        {"name": name, "provider": "openai", "endpoint": site.url, "api_key": "canary-upstream"} | vendor
        for name, vendor in {"mistral": {"vendor": "mistral"}, "openai": {}}.items()
    ]
    models = [{"name": name, "connection": name, "remote": "m"} for name in ("mistral", "openai")]
    with canned.gateway(tmp_path_factory.mktemp("vendors"), KEY, connections, models) as gateway:
        yield gateway, site
    site.stop()


def ask(vendors, model, **more):
    gateway, site = vendors
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0) as sdk:
        answer = sdk.chat.completions.with_raw_response.create(
            model=model, messages=MESSAGES, max_completion_tokens=7, temperature=0.5, **more
        )
    return site.last("completions").json(), answer.headers.get("x-llm-gateway-warnings", "")


def test_a_vendor_gets_its_own_name_of_max_tokens_and_its_own_ids(vendors):
    sent, warnings = ask(vendors, "mistral")
    assert not warnings
    assert sent["max_tokens"] == 7 and "max_completion_tokens" not in sent
    call = sent["messages"][1]["tool_calls"][0]
    assert len(call["id"]) == 9 and call["id"].isalnum()
    assert call["function"] == FUNCTION
    assert sent["messages"][2]["tool_call_id"] == call["id"]
    assert sent["model"] == "m" and sent["temperature"] == 0.5


SAMPLING = {"seed": 5, "user": "u", "logit_bias": {"1": 2}, "store": False}


def test_what_a_vendor_refuses_is_left_out_and_told_of(vendors):
    sent, warnings = ask(vendors, "mistral", **SAMPLING)
    assert sent["random_seed"] == 5
    assert sorted(sent) == ["max_tokens", "messages", "model", "random_seed", "temperature"]
    assert 'dropped;field="user"' in warnings and 'dropped;field="logit_bias"' in warnings
    assert "store" not in warnings and "seed" not in warnings


def test_openai_gets_what_the_client_said(vendors):
    sent, warnings = ask(vendors, "openai", **SAMPLING)
    assert sent == {"model": "m", "messages": MESSAGES, "max_completion_tokens": 7, "temperature": 0.5} | SAMPLING
    assert not warnings
