"""The smallest request of each dialect, and how a client of it calls."""

import dataclasses
import json
import urllib.parse

import cases as recordings
from wire.gateway import CLIENT_KEY

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE

QUESTION = "What does the recording say?"
OPEN_SCHEMA = {"type": "object", "additionalProperties": True}
MAX_TOKENS = 8000
THINKING_TOKENS = 2000


@dataclasses.dataclass
class Call:
    target: str
    headers: dict
    body: dict

    def data(self):
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def headers(dialect):
    common = {"Content-Type": "application/json"}
    if dialect == ANTHROPIC:
        return common | {"X-Api-Key": CLIENT_KEY, "Anthropic-Version": "2023-06-01"}
    if dialect == GEMINI:
        return common | {"X-Goog-Api-Key": CLIENT_KEY}
    return common | {"Authorization": f"Bearer {CLIENT_KEY}"}


def target(dialect, model, stream, array=False):
    name = urllib.parse.quote(model, safe="")
    if dialect == GEMINI:
        method = ("streamGenerateContent" + ("" if array else "?alt=sse")) if stream else "generateContent"
        return f"/v1beta/models/{name}:{method}"
    if dialect == BEDROCK:
        return f"/model/{name}/" + ("converse-stream" if stream else "converse")
    return {
        CHAT: "/v1/chat/completions",
        RESPONSES: "/v1/responses",
        ANTHROPIC: "/v1/messages",
        COHERE: "/v2/chat",
    }[dialect]


def call(dialect, model, body, stream, array=False):
    """`body` without its model and stream flag becomes a whole call."""
    body = dict(body)
    if dialect not in (GEMINI, BEDROCK):
        body["model"] = model
        if stream:
            body["stream"] = True
    return Call(target(dialect, model, stream, array), headers(dialect), body)


def chat(names, thinking):
    body = {"messages": [{"role": "user", "content": QUESTION}]}
    if names:
        body["tools"] = [{"type": "function", "function": {"name": each, "parameters": OPEN_SCHEMA}} for each in names]
    if thinking:
        body["reasoning_effort"] = "medium"
    return body


def responses(names, thinking):
    body = {"input": QUESTION}
    if names:
        body["tools"] = [
            {"type": "function", "name": each, "parameters": OPEN_SCHEMA, "strict": False} for each in names
        ]
    if thinking:
        body["reasoning"] = {"effort": "medium", "summary": "auto"}
        body["include"] = ["reasoning.encrypted_content"]
    return body


def anthropic(names, thinking):
    body = {"max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": QUESTION}]}
    if names:
        body["tools"] = [{"name": each, "input_schema": OPEN_SCHEMA} for each in names]
    if thinking:
        body["thinking"] = {"type": "enabled", "budget_tokens": THINKING_TOKENS}
    return body


def gemini(names, thinking):
    body = {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}
    if names:
        declared = [{"name": each, "parametersJsonSchema": OPEN_SCHEMA} for each in names]
        body["tools"] = [{"functionDeclarations": declared}]
    if thinking:
        body["generationConfig"] = {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": THINKING_TOKENS}}
    return body


def bedrock(names, thinking):
    message = {"role": "user", "content": [{"text": QUESTION}]}
    body = {"messages": [message], "inferenceConfig": {"maxTokens": MAX_TOKENS}}
    if names:
        body["toolConfig"] = {
            "tools": [{"toolSpec": {"name": each, "inputSchema": {"json": OPEN_SCHEMA}}} for each in names]
        }
    if thinking:
        settings = {"type": "enabled", "budget_tokens": THINKING_TOKENS}
        body["additionalModelRequestFields"] = {"thinking": settings}
    return body


def cohere(names, thinking):
    body = chat(names, False)
    if thinking:
        body["thinking"] = {"type": "enabled", "token_budget": THINKING_TOKENS}
    return body


SMALLEST = {
    CHAT: chat,
    RESPONSES: responses,
    ANTHROPIC: anthropic,
    GEMINI: gemini,
    BEDROCK: bedrock,
    COHERE: cohere,
}


def smallest(dialect, model, stream, names=(), thinking=False, array=False, include_usage=True):
    body = SMALLEST[dialect](list(dict.fromkeys(names)), thinking)
    if dialect == CHAT and stream and include_usage:
        body["stream_options"] = {"include_usage": True}
    return call(dialect, model, body, stream, array)
