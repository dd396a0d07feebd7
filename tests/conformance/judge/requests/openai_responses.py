"""Responses requests."""

import json

from ..conversation import Definition, Part, Request, arguments, encoded, media, text
from .openai_chat import AUDIO_TYPES, read_choice, read_common, read_format

ROLES = {"system": "system", "developer": "system", "assistant": "assistant"}


def content_parts(content):
    if isinstance(content, str):
        return [text(content)] if content else []
    return [content_part(each) for each in content or []]


def content_part(part):
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text", "reasoning_text", "summary_text"):
        return text(part.get("text"))
    if kind == "refusal":
        return text(part.get("refusal"))
    if kind in ("input_image", "image_url"):
        link = part.get("image_url")
        return media("image", (link.get("url") if isinstance(link, dict) else link) or part.get("file_id"))
    if kind == "input_file":
        found = media("document", part.get("file_data") or part.get("file_url") or part.get("file_id"))
        return found
    if kind == "input_audio":
        audio = part["input_audio"]
        return encoded("audio", audio["data"], AUDIO_TYPES.get(audio.get("format"), ""))
    return Part("other", name=kind)


def read_item(request, item):
    kind = item.get("type") or "message"
    if kind == "message":
        request.add(ROLES.get(item.get("role"), "user"), *content_parts(item.get("content")))
    elif kind == "function_call":
        call = Part("call", id=item["call_id"], name=item["name"], args=arguments(item.get("arguments")))
        request.add("assistant", call)
    elif kind == "custom_tool_call":
        request.add("assistant", Part("call", id=item["call_id"], name=item["name"], args=item.get("input")))
    elif kind in ("function_call_output", "custom_tool_call_output"):
        output = item.get("output")
        parts = content_parts(output) if isinstance(output, (str, list)) else [text(json.dumps(output))]
        request.add("user", Part("result", id=item["call_id"], parts=parts))
    elif kind == "reasoning":
        words = "".join(each.get("text", "") for each in item.get("summary") or [])
        reasoning = Part("reasoning", text=words, id=item.get("id"), signature=item.get("encrypted_content"))
        request.add("assistant", reasoning)
    else:
        request.add("assistant" if "output" not in kind else "user", Part("other", name=kind))


def read_tool(tool):
    kind = tool.get("type")
    if kind == "function":
        return Definition(tool["name"], tool.get("description") or "", tool.get("parameters") or {})
    if kind == "custom":
        return Definition(tool["name"], tool.get("description") or "", {}, "custom")
    return Definition(kind, "", {}, "server")


def read(body):
    request = Request()
    if body.get("instructions"):
        request.add("system", text(body["instructions"]))
    given = body.get("input")
    if isinstance(given, str):
        request.add("user", text(given))
    for item in given if isinstance(given, list) else []:
        read_item(request, item)
    request.tools = [read_tool(each) for each in body.get("tools") or []]
    read_choice(request, body.get("tool_choice"))
    request.parallel = body.get("parallel_tool_calls")
    request.max_tokens = body.get("max_output_tokens")
    read_common(request, body)
    read_format(request, (body.get("text") or {}).get("format"))
    request.effort = (body.get("reasoning") or {}).get("effort")
    if request.effort:
        request.reasoning = "off" if request.effort == "none" else "on"
    return request
