"""Cohere v2 chat requests: OpenAI's messages and tools with other settings."""

from ..conversation import Part, Request, text, text_digest
from . import openai_chat

CHOICES = {"REQUIRED": "required", "NONE": "none"}


def read(body):
    request = Request()
    for message in body.get("messages") or []:
        role = message.get("role")
        parts = []
        if message.get("tool_plan"):
            parts.append(text(message["tool_plan"]))
        if role == "tool":
            inner = []
            for part in message["content"] if isinstance(message.get("content"), list) else []:
                if part.get("type") == "document":
                    data = (part.get("document") or {}).get("data")
                    inner.append(text(data if isinstance(data, str) else str(data)))
                else:
                    inner += openai_chat.content_part(part)
            if isinstance(message.get("content"), str):
                inner = [text(message["content"])]
            request.add("user", Part("result", id=message.get("tool_call_id"), parts=inner))
            continue
        parts += openai_chat.content_parts(message.get("content"))
        parts += [openai_chat.call_part(call) for call in message.get("tool_calls") or []]
        request.add(openai_chat.ROLES.get(role, "user"), *parts)
    for document in body.get("documents") or []:
        data = document.get("data") or {}
        words = data if isinstance(data, str) else data.get("text") or ""
        request.turns[-1].parts.append(Part("document", media=text_digest(words), text=words))
    request.tools = [openai_chat.read_tool(each) for each in body.get("tools") or []]
    request.choice = CHOICES.get(body.get("tool_choice"))
    request.max_tokens, request.stop = body.get("max_tokens"), list(body.get("stop_sequences") or [])
    request.temperature, request.top_p, request.top_k = body.get("temperature"), body.get("p"), body.get("k")
    request.seed, request.stream = body.get("seed"), bool(body.get("stream"))
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object":
        request.schema = wanted.get("json_schema") or wanted.get("schema")
        request.format = "json_schema" if request.schema else "json_object"
    kind = (body.get("thinking") or {}).get("type")
    request.reasoning = {"enabled": "on", "disabled": "off"}.get(kind)
    return request
