"""Anthropic Messages requests."""

from ..conversation import Definition, Part, Request, encoded, media, text, text_digest

CHOICES = {"auto": "auto", "any": "required", "none": "none", "tool": "named"}


def source_part(kind, block):
    source = block.get("source") or {}
    how = source.get("type")
    if how == "base64":
        return encoded(kind, source.get("data") or "", source.get("media_type"))
    if how == "url":
        return media(kind, source.get("url"))
    if how == "text":
        return Part(kind, media=text_digest(source.get("data") or ""), media_type="text/plain", text=source["data"])
    if how == "content":
        inner = content_parts(source.get("content"))
        words = "".join(each.text for each in inner)
        return Part(kind, media=text_digest(words), media_type="text/plain", text=words)
    return Part(kind, media=str(source.get("file_id")))


def content_parts(content):
    if content is None:
        return []
    if isinstance(content, str):
        return [text(content)] if content else []
    return [content_part(each) for each in content]


def content_part(block):
    kind = block.get("type")
    if kind == "text":
        return text(block.get("text"))
    if kind in ("image", "document"):
        return source_part(kind, block)
    if kind == "tool_use":
        return Part("call", id=block["id"], name=block["name"], args=block.get("input"))
    if kind == "tool_result":
        parts = content_parts(block.get("content"))
        return Part("result", id=block["tool_use_id"], parts=parts, error=bool(block.get("is_error")))
    if kind == "thinking":
        return Part("reasoning", text=block.get("thinking") or "", signature=block.get("signature"))
    if kind == "redacted_thinking":
        return Part("reasoning", signature=block.get("data"))
    return Part("other", name=kind)


def read_tool(tool):
    if tool.get("type") not in (None, "custom"):
        return Definition(tool.get("name"), "", {}, "server")
    return Definition(tool["name"], tool.get("description") or "", tool.get("input_schema") or {})


def read_thinking(request, body):
    kind = (body.get("thinking") or {}).get("type")
    request.effort = (body.get("output_config") or {}).get("effort")
    request.reasoning = {"enabled": "on", "adaptive": "adaptive", "disabled": "off"}.get(kind)


def read(body):
    request = Request()
    request.add("system", *content_parts(body.get("system")))
    for message in body.get("messages") or []:
        request.add(message["role"], *content_parts(message.get("content")))
    request.tools = [read_tool(each) for each in body.get("tools") or []]
    choice = body.get("tool_choice") or {}
    request.choice, request.choice_name = CHOICES.get(choice.get("type")), choice.get("name")
    if choice.get("disable_parallel_tool_use") is not None:
        request.parallel = not choice["disable_parallel_tool_use"]
    request.max_tokens, request.stop = body.get("max_tokens"), list(body.get("stop_sequences") or [])
    request.temperature, request.top_p, request.top_k = (body.get(each) for each in ("temperature", "top_p", "top_k"))
    request.stream = bool(body.get("stream"))
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    if wanted.get("type") == "json_schema":
        request.format, request.schema = "json_schema", wanted.get("schema")
    read_thinking(request, body)
    return request
