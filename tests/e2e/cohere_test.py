"""Cohere's own SDK: streams that break, texts before calls, and citations of documents to and from Claude."""

import anthropic
import cohere
import pytest

from harness import canned, clouds

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-cohere"
PING = [{"role": "user", "content": "ping"}]
PARAMETERS = {"type": "object", "properties": {}}
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": PARAMETERS}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def openai_events(breaks):
    call = {"index": 0} | CALL
    deltas = [{"role": "assistant", "content": "I will look."}] + ([] if breaks else [{"tool_calls": [call]}])
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    if not breaks:
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    return canned.chat_events(choices, done=not breaks)


COHERE_EVENTS = [
    {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}},
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "I will look."}}}},
]


IN_DOCUMENT = {
    "type": "char_location",
    "cited_text": "Deep.",
    "document_index": 1,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 5,
}
OF_DOCUMENT = {
    "start": 0,
    "end": 4,
    "text": "pong",
    "sources": [{"type": "document", "id": "doc:1", "document": {"id": "doc:1", "text": "Deep."}}],
    "type": "TEXT_CONTENT",
}


def citing(body):
    """The second document, as the provider of that model does it."""
    if "cohere" in body["model"]:
        message = {"role": "assistant", "content": [{"type": "text", "text": "pong"}], "citations": [OF_DOCUMENT]}
        if not body.get("stream"):
            return 200, {"id": "1", "finish_reason": "COMPLETE", "message": message}
        events = [
            *COHERE_EVENTS[:2],
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "pong"}}}},
            {"type": "citation-start", "index": 0, "delta": {"message": {"citations": OF_DOCUMENT}}},
            {"type": "citation-end", "index": 0},
            {"type": "content-end", "index": 0},
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
        ]
        return 200, canned.named_events(events), canned.EVENT_STREAM
    if not body.get("stream"):
        return 200, clouds.MESSAGE | {"content": [{"type": "text", "text": "pong", "citations": [IN_DOCUMENT]}]}
    cited = {"type": "citations_delta", "citation": IN_DOCUMENT}
    events = [*clouds.MESSAGE_EVENTS]
    events.insert(3, {"type": "content_block_delta", "index": 0, "delta": cited})
    return 200, canned.named_events(events), canned.EVENT_STREAM


def answer(request):
    body = request.json()
    if body["model"].startswith("cites"):
        return citing(body)
    breaks = body["model"].startswith("breaks")
    if request.path == "/v2/chat":
        return 200, (piece for piece in [canned.named_events(COHERE_EVENTS)])
    if body.get("stream"):
        return 200, openai_events(breaks), canned.EVENT_STREAM
    message = {"role": "assistant", "content": "I will look.", "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return 200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


upstream = canned.serving(answer)


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    at = {"endpoint": upstream.url, "api_key": "canary-upstream"}
    connections = [at | {"name": name, "provider": name} for name in ("openai", "cohere", "anthropic")]
    models = [
        {"name": "cites-cohere", "connection": "cohere"},
        {"name": "cites-claude", "connection": "anthropic"},
        {"name": "gpt", "connection": "openai"},
        {"name": "breaks", "connection": "openai"},
        {"name": "breaks-itself", "connection": "cohere"},
    ]
    with canned.gateway(tmp_path_factory.mktemp("cohere"), KEY, connections, models) as running:
        yield running


@pytest.fixture
def sdk(gateway):
    return cohere.ClientV2(base_url=gateway.url, api_key=KEY, timeout=60)


@pytest.mark.parametrize("model", ["breaks", "breaks-itself"])
def test_a_stream_that_breaks_ends_as_cohere_says_it(sdk, model):
    events = list(sdk.chat_stream(model=model, messages=PING))
    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert text == "I will look."
    last = events[-1]
    assert last.type == "message-end" and last.delta.finish_reason == "ERROR"
    assert last.delta.error.endswith("was complete")
    assert [event.type for event in events].count("message-end") == 1


def test_text_before_calls_is_the_same_streamed_and_not(sdk):
    made = sdk.chat(model="gpt", messages=PING, tools=[TOOL])
    assert [part.text for part in made.message.content] == ["I will look."] and made.message.tool_plan is None
    assert [call.function.name for call in made.message.tool_calls] == ["look"]
    events = list(sdk.chat_stream(model="gpt", messages=PING, tools=[TOOL]))
    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert text == "I will look." and not any(event.type == "tool-plan-delta" for event in events)
    assert events[-1].delta.finish_reason == made.finish_reason == "TOOL_CALL"


def test_the_text_goes_back_with_its_calls(sdk, upstream):
    made = sdk.chat(model="gpt", messages=PING, tools=[TOOL])
    result = {"role": "tool", "tool_call_id": made.message.tool_calls[0].id, "content": "sunny"}
    sdk.chat(model="gpt", messages=[*PING, made.message, result], tools=[TOOL])
    said = upstream.requests[-1].json()["messages"][1]
    assert said["content"] == "I will look." and said["tool_calls"][0]["function"]["name"] == "look"


def test_citations_of_documents_reach_anthropics_clients(gateway, upstream):
    """All of the document, since Cohere does not say where in it."""

    def document(text):
        source = {"type": "text", "media_type": "text/plain", "data": text}
        return {"type": "document", "citations": {"enabled": True}, "source": source}

    content = [document("High."), document("Deep."), {"type": "text", "text": "ping"}]
    asked = {"model": "cites-cohere", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk:
        raw = sdk.messages.with_raw_response.create(**asked)
        with sdk.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
    assert [each["id"] for each in upstream.requests[-1].json()["documents"]] == ["doc:0", "doc:1"]
    assert 'changed;field="messages[0].content[0].citations"' in raw.headers["x-llm-gateway-warnings"]
    for made in (raw.parse(), streamed):
        (cited,) = made.content[0].citations
        assert cited.to_dict() == IN_DOCUMENT | {"cited_text": "pong"} | {
            key: value for key, value in cited.to_dict().items() if key not in IN_DOCUMENT
        }


def test_citations_of_claude_reach_coheres_clients(sdk):
    own = {"id": "own", "data": {"title": "Sea", "snippet": "Deep."}}
    asked = {"model": "cites-claude", "messages": PING, "documents": ["High.", cohere.Document(**own)]}
    made = sdk.chat(**asked).message.citations
    streamed = [
        event.delta.message.citations for event in sdk.chat_stream(**asked) if event.type == "citation-start"
    ]
    for (cited,) in (made, streamed):
        assert (cited.start, cited.end, cited.text) == (0, 4, "pong")
        (source,) = cited.sources
        assert (source.type, source.id) == ("document", "own")
        assert source.document == {"id": "own", "title": "Sea", "snippet": "Deep."}
