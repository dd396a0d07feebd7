"""generateContent requests; member names in either spelling."""

import json

from ..conversation import Definition, Part, Request, encoded, kind_of, media, text

CHOICES = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none"}
WRAPPERS = ({"result"}, {"output"}, {"error"}, {"content"}, {"response"})


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(each[:1].upper() + each[1:] for each in rest)


def camelled(value):
    """Member names in camel case; what the user named stays."""
    if isinstance(value, list):
        return [camelled(each) for each in value]
    if not isinstance(value, dict):
        return value
    keep = ("args", "response", "properties", "parametersJsonSchema", "responseJsonSchema", "labels", "$defs", "defs")
    return {camel(key): each if camel(key) in keep else camelled(each) for key, each in value.items()}


def content_part(part):
    if part.get("thought") and "text" in part:
        return Part("reasoning", text=part["text"], signature=part.get("thoughtSignature"))
    if "functionCall" in part:
        call = part["functionCall"]
        args = call.get("args") if call.get("args") is not None else {}
        signature = part.get("thoughtSignature")
        return Part("call", id=call.get("id"), name=call["name"], args=args, signature=signature)
    if "functionResponse" in part:
        return result_part(part["functionResponse"])
    if "inlineData" in part:
        data = part["inlineData"]
        return encoded(kind_of(data.get("mimeType")), data.get("data") or "", data.get("mimeType"))
    if "fileData" in part:
        data = part["fileData"]
        return media(kind_of(data.get("mimeType")), data.get("fileUri"), data.get("mimeType"))
    if "text" in part:
        return Part("text", text=part["text"], signature=part.get("thoughtSignature"))
    return Part("other", name=",".join(sorted(part)))


def result_part(found):
    response = found.get("response")
    inner = response
    error = False
    if isinstance(response, dict) and set(response) in WRAPPERS:
        [(key, inner)] = response.items()
        error = key == "error"
    words = inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
    parts = [text(words)] + [content_part(each) for each in found.get("parts") or []]
    return Part("result", id=found.get("id"), name=found.get("name"), parts=parts, error=error)


def read_tools(tools):
    tools = [tools] if isinstance(tools, dict) else tools or []
    found = []
    for tool in tools:
        for each in tool.get("functionDeclarations") or []:
            schema = each.get("parametersJsonSchema") or each.get("parameters") or {}
            found.append(Definition(each["name"], each.get("description") or "", schema))
        found += [Definition(name, "", {}, "server") for name in tool if name != "functionDeclarations"]
    return found


def number(value):
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value


def read(body):
    body, request = camelled(body), Request()
    system = body.get("systemInstruction") or {}
    parts = [{"text": system}] if isinstance(system, str) else system.get("parts") or []
    parts = [parts] if isinstance(parts, dict) else parts
    request.add("system", *[text(each.get("text")) for each in parts])
    contents = body.get("contents") or []
    for content in [contents] if isinstance(contents, dict) else contents:
        role = "assistant" if content.get("role") == "model" else "user"
        given = content.get("parts") or []
        request.add(role, *[content_part(each) for each in ([given] if isinstance(given, dict) else given)])
    request.tools = read_tools(body.get("tools"))
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    request.choice = CHOICES.get((calling.get("mode") or "").upper())
    request.allowed = calling.get("allowedFunctionNames")
    if request.choice == "required" and request.allowed and len(request.allowed) == 1:
        request.choice, request.choice_name, request.allowed = "named", request.allowed[0], None
    read_config(request, body.get("generationConfig") or {})
    return request


def read_config(request, config):
    request.max_tokens, request.stop = number(config.get("maxOutputTokens")), list(config.get("stopSequences") or [])
    request.temperature, request.top_p, request.top_k = (config.get(each) for each in ("temperature", "topP", "topK"))
    request.seed = config.get("seed")
    request.schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if request.schema is not None:
        request.format = "json_schema"
    elif config.get("responseMimeType") == "application/json":
        request.format = "json_object"
    thinking = config.get("thinkingConfig") or {}
    budget = number(thinking.get("thinkingBudget"))
    if budget is not None or thinking.get("thinkingLevel"):
        request.reasoning = "off" if budget == 0 else "adaptive" if budget == -1 else "on"
    request.effort = (thinking.get("thinkingLevel") or "").lower() or None
