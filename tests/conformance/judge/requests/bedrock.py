"""Converse requests."""

import json

from ..conversation import Definition, Part, Request, encoded, text, text_digest

# Claude's own member beside Converse's: it alone can switch parallel calls off.
CLAUDE_CHOICES = {"auto": "auto", "any": "required", "tool": "named"}
DOCUMENT_TYPES = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv"}


def source_part(kind, block, media_type):
    source = block.get("source") or {}
    if "bytes" in source:
        return encoded(kind, source["bytes"], media_type)
    if "text" in source:
        return Part(kind, media=text_digest(source["text"]), media_type="text/plain", text=source["text"])
    if "content" in source:
        words = "".join(each.get("text", "") for each in source["content"])
        return Part(kind, media=text_digest(words), media_type="text/plain", text=words)
    return Part(kind, media=str((source.get("s3Location") or {}).get("uri")), media_type=media_type)


def content_part(block):
    if "text" in block:
        return text(block["text"])
    for kind in ("image", "audio", "video"):
        if kind in block:
            return source_part(kind, block[kind], f"{kind}/{block[kind].get('format')}")
    if "document" in block:
        form = block["document"].get("format")
        return source_part("document", block["document"], DOCUMENT_TYPES.get(form, form))
    if "toolUse" in block:
        use = block["toolUse"]
        return Part("call", id=use["toolUseId"], name=use["name"], args=use.get("input"))
    if "toolResult" in block:
        result = block["toolResult"]
        parts = [content_part(each) for each in result.get("content") or []]
        return Part("result", id=result["toolUseId"], parts=parts, error=result.get("status") == "error")
    if "json" in block:
        return text(json.dumps(block["json"], ensure_ascii=False))
    if "reasoningContent" in block:
        told = block["reasoningContent"].get("reasoningText") or {}
        signature = told.get("signature") or block["reasoningContent"].get("redactedContent")
        return Part("reasoning", text=told.get("text") or "", signature=signature)
    return Part("other", name=",".join(block))


def parts(blocks):
    return [content_part(each) for each in blocks or [] if "cachePoint" not in each]


def read_tools(request, config):
    for tool in config.get("tools") or []:
        if "toolSpec" in tool:
            spec = tool["toolSpec"]
            schema = (spec.get("inputSchema") or {}).get("json") or {}
            request.tools.append(Definition(spec["name"], spec.get("description") or "", schema))
        elif "cachePoint" not in tool:
            request.tools.append(Definition(",".join(tool), "", {}, "server"))
    choice = config.get("toolChoice") or {}
    request.choice = {"auto": "auto", "any": "required", "tool": "named"}.get(next(iter(choice), None))
    request.choice_name = (choice.get("tool") or {}).get("name")


def read(body):
    request = Request()
    request.add("system", *parts(body.get("system")))
    for message in body.get("messages") or []:
        request.add(message["role"], *parts(message.get("content")))
    read_tools(request, body.get("toolConfig") or {})
    config, more = body.get("inferenceConfig") or {}, body.get("additionalModelRequestFields") or {}
    request.max_tokens, request.stop = config.get("maxTokens"), list(config.get("stopSequences") or [])
    request.temperature, request.top_p = config.get("temperature"), config.get("topP")
    nova = more.get("inferenceConfig") or {}
    request.top_k = more.get("top_k") or nova.get("topK") or config.get("topK")
    choice = more.get("tool_choice") or {}
    if choice.get("disable_parallel_tool_use") is not None:
        request.parallel = not choice["disable_parallel_tool_use"]
    if choice.get("type") in CLAUDE_CHOICES:
        request.choice, request.choice_name = CLAUDE_CHOICES[choice["type"]], choice.get("name")
    wanted = (body.get("outputConfig") or {}).get("textFormat") or {}
    if wanted.get("type") == "json_schema":
        request.format = "json_schema"
        request.schema = json.loads(wanted["structure"]["jsonSchema"]["schema"])
    thinking = more.get("thinking") or more.get("reasoning_config") or more.get("reasoningConfig") or {}
    kind = "enabled" if isinstance(thinking, str) else thinking.get("type")  # Qwen: the effort alone
    request.reasoning = {"enabled": "on", "adaptive": "adaptive", "disabled": "off"}.get(kind)
    request.effort = (more.get("output_config") or {}).get("effort") or more.get("reasoning_effort")
    if more.get("reasoning_effort") and request.reasoning is None:
        request.reasoning = "on"
    return request
