"""Chat Completions requests."""

from ..conversation import Definition, Part, Request, arguments, encoded, media, text

AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
ROLES = {"system": "system", "developer": "system", "assistant": "assistant"}


def content_parts(content):
    if content is None:
        return []
    if isinstance(content, str):
        return [text(content)] if content else []
    return [part for each in content for part in content_part(each)]


def content_part(part):
    kind = part.get("type")
    if kind == "text":
        return [text(part.get("text"))]
    if kind == "refusal":
        return [text(part.get("refusal"))]
    if kind == "image_url":
        link = part["image_url"]
        return [media("image", link["url"] if isinstance(link, dict) else link)]
    if kind == "input_audio":
        audio = part["input_audio"]
        return [encoded("audio", audio["data"], AUDIO_TYPES.get(audio.get("format"), ""))]
    if kind == "file":
        file = part["file"]
        found = media("document", file.get("file_data") or file.get("file_id"))
        return [found]
    if kind == "thinking":
        return [Part("reasoning", text=part.get("thinking") or "")]
    return [Part("other", name=kind)]


def call_part(call):
    function = call.get("function") or call.get("custom") or {}
    args = arguments(function.get("arguments")) if "custom" not in call else function.get("input")
    return Part("call", id=call.get("id"), name=function.get("name"), args=args)


def read_message(request, message, last_legacy):
    role = message.get("role")
    if role in ("tool", "function"):
        key = message.get("tool_call_id") or last_legacy
        result = Part("result", id=key, name=message.get("name"), parts=content_parts(message.get("content")))
        request.add("user", result)
        return last_legacy
    parts = content_parts(message.get("content"))
    if message.get("refusal"):
        parts.append(text(message["refusal"]))
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str):
            parts.insert(0, Part("reasoning", text=message[name]))
    parts += [call_part(call) for call in message.get("tool_calls") or []]
    legacy = message.get("function_call")
    if legacy:
        last_legacy = f"legacy-{len(request.turns)}"
        parts.append(Part("call", id=last_legacy, name=legacy["name"], args=arguments(legacy.get("arguments"))))
    request.add(ROLES.get(role, "user"), *parts)
    return last_legacy


def read_tool(tool):
    if tool.get("type") == "custom":
        custom = tool["custom"]
        return Definition(custom["name"], custom.get("description") or "", {}, "custom")
    if tool.get("type") != "function":
        return Definition(tool.get("type"), "", {}, "server")
    function = tool["function"]
    return Definition(function["name"], function.get("description") or "", function.get("parameters") or {})


def read_choice(request, choice):
    if isinstance(choice, str):
        request.choice = choice
    elif isinstance(choice, dict):
        kind = choice.get("type")
        if kind == "allowed_tools":
            allowed = choice.get("allowed_tools", choice)
            request.choice = allowed.get("mode", "auto")
            request.allowed = [(each.get("function") or each).get("name") for each in allowed.get("tools", [])]
        else:
            request.choice, named = "named", choice.get(kind) or choice
            request.choice_name = named.get("name")


def read_format(request, wanted):
    kind = (wanted or {}).get("type")
    if kind in ("json_object", "json_schema"):
        request.format = kind
        request.schema = (wanted.get("json_schema") or wanted).get("schema")


def as_list(value):
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def read_common(request, body):
    request.temperature, request.top_p, request.top_k = (body.get(each) for each in ("temperature", "top_p", "top_k"))
    request.seed, request.stream = body.get("seed"), bool(body.get("stream"))


def read(body):
    request, legacy = Request(), None
    for message in body.get("messages") or []:
        legacy = read_message(request, message, legacy)
    request.tools = [read_tool(each) for each in body.get("tools") or []]
    request.tools += [read_tool({"type": "function", "function": each}) for each in body.get("functions") or []]
    read_choice(request, body.get("tool_choice") or body.get("function_call"))
    if isinstance(body.get("function_call"), dict):
        request.choice, request.choice_name = "named", body["function_call"]["name"]
    request.parallel = body.get("parallel_tool_calls")
    request.max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
    request.stop = as_list(body.get("stop"))
    read_common(request, body)
    read_format(request, body.get("response_format"))
    request.effort = body.get("reasoning_effort")
    if request.effort:
        request.reasoning = "off" if request.effort == "none" else "on"
    return request
