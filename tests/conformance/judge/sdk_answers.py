"""Answers as the providers' own Python SDKs give them to a program, written back as bytes that the decoders read. So
what an SDK drops, refuses or misreads is seen. Blocking; any thread."""

import base64
import json

import cases as recordings
import sdk
from judge import asks
from wire import frames

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE


def dumped(value):
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return value.dict()


def encode(value):
    return json.dumps(value, default=plain, ensure_ascii=False).encode("utf-8", "surrogatepass")


def plain(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def lines(events, name=None):
    out = b""
    for event in events:
        data = dumped(event)
        out += (f"event: {data.get('type')}\n".encode() if name else b"") + b"data: " + encode(data) + b"\n\n"
    return out


def chat(port, model, body, stream):
    client = sdk.openai_client(port).chat.completions
    if not stream:
        return encode(dumped(client.create(model=model, **body)))
    return lines(client.create(model=model, stream=True, **body)) + b"data: [DONE]\n\n"


def responses(port, model, body, stream):
    client = sdk.openai_client(port).responses
    if not stream:
        return encode(dumped(client.create(model=model, **body)))
    return lines(client.create(model=model, stream=True, **body), name=True)


def anthropic(port, model, body, stream):
    """Streams are put together by the SDK's own accumulator."""
    client = sdk.anthropic_client(port).messages
    if not stream:
        return encode(dumped(client.create(model=model, **body)))
    with client.stream(model=model, **body) as events:
        return encode(dumped(events.get_final_message()))


def gemini(port, model, body, stream):
    config = {"tools": body.get("tools"), "automatic_function_calling": {"disable": True}}
    thinking = (body.get("generationConfig") or {}).get("thinkingConfig")
    if thinking:
        config["thinking_config"] = thinking
    models = sdk.gemini_client(port).models
    arguments = {"model": model, "contents": body["contents"], "config": config}
    if not stream:
        return encode(answer_of(models.generate_content(**arguments)))
    chunks = [answer_of(chunk) for chunk in models.generate_content_stream(**arguments)]
    return b"".join(b"data: " + encode(chunk) + b"\n\n" for chunk in chunks)


def answer_of(response):
    found = dumped(response)
    return {key: value for key, value in found.items() if key not in ("sdkHttpResponse", "parsed")}


def bedrock(port, model, body, stream):
    client = sdk.bedrock_client(port)
    if not stream:
        answer = client.converse(modelId=model, **body)
        answer.pop("ResponseMetadata")
        return encode(answer)
    out = b""
    for event in client.converse_stream(modelId=model, **body)["stream"]:
        [(name, data)] = event.items()
        headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
        out += frames.frame(headers, encode(data))
    return out


def cohere(port, model, body, stream):
    client = sdk.cohere_client(port)
    thinking = {"thinking": body["thinking"]} if "thinking" in body else {}
    tools = {"tools": body["tools"]} if "tools" in body else {}
    arguments = {"model": model, "messages": body["messages"], "request_options": sdk.ONCE, **tools, **thinking}
    if not stream:
        return encode(dumped(client.chat(**arguments)))
    return lines(client.chat_stream(**arguments), name=True)


CALLS = {
    CHAT: chat,
    RESPONSES: responses,
    ANTHROPIC: anthropic,
    GEMINI: gemini,
    BEDROCK: bedrock,
    COHERE: cohere,
}


def ask(dialect, port, model, stream, names, thinking):
    """(bytes for the decoders, whether they are a stream)"""
    body = asks.SMALLEST[dialect](list(dict.fromkeys(names)), thinking)
    if dialect == CHAT and stream:
        body["stream_options"] = {"include_usage": True}
    data = CALLS[dialect](port, model, body, stream)
    return data, stream and dialect != ANTHROPIC
