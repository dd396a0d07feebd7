"""Recorded requests with other settings and another history: what clients of the same dialect could have sent."""

import copy
import json
import random

import cases as recordings

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK = recordings.GEMINI, recordings.BEDROCK
SETTINGS_MAX = 5

# Everything that subsets of JSON Schema are known to stumble over.
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "title": "Trip",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 80, "pattern": "^[A-Z]", "description": "Where to."},
        "kind": {"const": "trip"},
        "days": {"type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 60, "default": 3},
        "price": {"type": "number", "multipleOf": 0.5},
        "when": {"type": "string", "format": "date-time"},
        "at": {"type": "string", "format": "uri"},
        "stops": {"type": "array", "items": {"$ref": "#/$defs/stop"}, "minItems": 1, "maxItems": 9,
                  "uniqueItems": True},
        "mode": {"anyOf": [{"type": "string", "enum": ["rail", "road"]}, {"type": "null"}]},
        "more": {"type": "object", "additionalProperties": {"type": "string"}},
        "pair": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}]},
        "grade": {"enum": [1, 2, 3]},
    },
    "required": ["city", "kind"],
    "additionalProperties": False,
    "$defs": {"stop": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}
PLAIN = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FREE = {"type": "object", "additionalProperties": True}

# (path, values); "a.b" is a member of a member.
SETTINGS = {
    CHAT: [
        ("temperature", [0, 0.7, 1.0, 1.7, 2]), ("top_p", [0.1, 1, 0.95]), ("max_tokens", [1, 50, 100000]),
        ("max_completion_tokens", [16, 4096, 200000]), ("stop", ["x", ["a", "b", "c", "d"], [" ", "\n\n"]]),
        ("seed", [1, 9007199254740993]), ("frequency_penalty", [0, 1.5, -2]), ("presence_penalty", [0, 0.5]),
        ("logprobs", [True]), ("top_logprobs", [5]), ("logit_bias", [{"50256": -100}]), ("user", ["someone"]),
        ("metadata", [{"a": "b"}]), ("parallel_tool_calls", [True, False]), ("store", [True, False]),
        ("response_format", [{"type": "json_object"}, {"type": "text"},
                             {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}},
                             {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": PLAIN}}]),
        ("reasoning_effort", ["none", "minimal", "low", "medium", "high", "xhigh"]),
        ("service_tier", ["auto", "default", "flex", "priority"]), ("verbosity", ["low", "medium", "high"]),
        ("prompt_cache_key", ["k"]), ("safety_identifier", ["s"]), ("n", [1]), ("x_unknown", [{"a": 1}]),
    ],
    RESPONSES: [
        ("temperature", [0, 1, 1.7]), ("top_p", [0.2]), ("max_output_tokens", [16, 64000, 200000]),
        ("parallel_tool_calls", [True, False]), ("text", [
            {"format": {"type": "json_object"}}, {"format": {"type": "text"}, "verbosity": "low"},
            {"format": {"type": "json_schema", "name": "trip", "schema": SCHEMA, "strict": False}},
            {"format": {"type": "json_schema", "name": "p", "schema": PLAIN, "strict": True}}]),
        ("reasoning", [{"effort": "low"}, {"effort": "high", "summary": "detailed"}, {"effort": "none"},
                       {"effort": "minimal"}, {"summary": "auto"}, {}]),
        ("metadata", [{"a": "b"}]), ("user", ["u"]), ("truncation", ["auto", "disabled"]),
        ("service_tier", ["auto", "priority"]), ("store", [False]), ("prompt_cache_key", ["k"]),
        ("safety_identifier", ["s"]), ("top_logprobs", [3]), ("max_tool_calls", [4]),
        ("include", [["reasoning.encrypted_content"], ["message.output_text.logprobs"]]), ("x_unknown", [{"a": 1}]),
    ],
    ANTHROPIC: [
        ("temperature", [0, 0.5, 1]), ("top_p", [0.3, 0.99]), ("top_k", [1, 40]), ("max_tokens", [64, 20000, 300000]),
        ("stop_sequences", [["x"], ["a", "b", "c", "d", "e", "f"], []]),
        ("thinking", [{"type": "enabled", "budget_tokens": 1024}, {"type": "enabled", "budget_tokens": 10000},
                      {"type": "disabled"}, {"type": "adaptive"}, {"type": "adaptive", "display": "omitted"}]),
        ("output_config", [{"effort": "low"}, {"effort": "max"}, {"effort": "xhigh"},
                           {"format": {"type": "json_schema", "schema": PLAIN}}]),
        ("metadata", [{"user_id": "u"}, {}]), ("service_tier", ["auto", "standard_only"]),
        ("cache_control", [{"type": "ephemeral"}]), ("x_unknown", [{"a": 1}]),
        ("context_management", [{"edits": [{"type": "clear_tool_uses_20250919"}]}]),
    ],
    GEMINI: [
        ("generationConfig.temperature", [0, 1.5, 2]), ("generationConfig.topP", [0.5]),
        ("generationConfig.topK", [1, 40.0]), ("generationConfig.maxOutputTokens", [8, 65536, 500000]),
        ("generationConfig.stopSequences", [["a"], ["a", "b", "c", "d", "e"]]), ("generationConfig.seed", [7]),
        ("generationConfig.candidateCount", [1]), ("generationConfig.presencePenalty", [0.5]),
        ("generationConfig.frequencyPenalty", [1]), ("generationConfig.responseLogprobs", [True]),
        ("generationConfig.thinkingConfig", [{"thinkingBudget": 0}, {"thinkingBudget": -1}, {"thinkingBudget": 24576},
                                             {"thinkingLevel": "LOW"}, {"thinkingLevel": "high"},
                                             {"includeThoughts": True}]),
        ("generationConfig.responseMimeType", ["application/json", "text/plain"]),
        ("generationConfig.mediaResolution", ["MEDIA_RESOLUTION_LOW"]), ("cachedContent", ["cachedContents/abc"]),
        ("labels", [{"a": "b"}]), ("serviceTier", ["flex"]), ("xUnknown", [{"a": 1}]),
        ("safetySettings", [[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]]),
        ("systemInstruction", [{"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}]),
    ],
    BEDROCK: [
        ("inferenceConfig.temperature", [0, 0.4, 1]), ("inferenceConfig.topP", [0.9]),
        ("inferenceConfig.maxTokens", [16, 4096, 200000]), ("inferenceConfig.stopSequences", [["x"], ["a"] * 9]),
        ("additionalModelRequestFields.thinking", [{"type": "enabled", "budget_tokens": 2048},
                                                   {"type": "adaptive"}, {"type": "disabled"}]),
        ("additionalModelRequestFields.top_k", [5]), ("requestMetadata", [{"a": "b"}]),
        ("guardrailConfig", [{"guardrailIdentifier": "abc", "guardrailVersion": "1"}]),
        ("performanceConfig", [{"latency": "optimized"}]), ("serviceTier", [{"type": "priority"}]),
        ("additionalModelResponseFieldPaths", [["/stop_sequence"]]),
    ],
}


def choices(dialect, body, rng):
    """Another tool_choice, where there are tools."""
    names = tool_names(dialect, body)
    if not names or rng.random() < 0.4:
        return None
    name = rng.choice(names)
    if dialect == CHAT:
        body["tool_choice"] = rng.choice(["auto", "none", "required", {"type": "function", "function": {"name": name}}])
        body.pop("function_call", None)
    elif dialect == RESPONSES:
        body["tool_choice"] = rng.choice(["auto", "none", "required", {"type": "function", "name": name}])
    elif dialect == ANTHROPIC:
        body["tool_choice"] = rng.choice([{"type": "auto", "disable_parallel_tool_use": True}, {"type": "any"},
                                          {"type": "tool", "name": name}, {"type": "none"}])
    elif dialect == GEMINI:
        mode = rng.choice([{"mode": "ANY"}, {"mode": "NONE"}, {"mode": "AUTO"}, {"mode": "VALIDATED"},
                           {"mode": "ANY", "allowedFunctionNames": [name]}])
        body.pop("tool_config", None)
        body["toolConfig"] = {"functionCallingConfig": mode}
    else:
        body["toolConfig"]["toolChoice"] = rng.choice([{"auto": {}}, {"any": {}}, {"tool": {"name": name}}])
    return "tool_choice"


def tool_names(dialect, body):
    if dialect == CHAT:
        return [each["function"]["name"] for each in body.get("tools") or [] if "function" in each]
    if dialect == RESPONSES:
        return [each["name"] for each in body.get("tools") or [] if each.get("type") == "function"]
    if dialect == ANTHROPIC:
        return [each["name"] for each in body.get("tools") or [] if "input_schema" in each]
    if dialect == BEDROCK:
        tools = (body.get("toolConfig") or {}).get("tools") or []
        return [each["toolSpec"]["name"] for each in tools if "toolSpec" in each]
    tools = body.get("tools") or []
    return [each["name"] for tool in (tools if isinstance(tools, list) else [tools])
            for each in tool.get("functionDeclarations") or tool.get("function_declarations") or []]


def tricky_tool(dialect, body, rng):
    """One more tool, whose schema has everything."""
    names = tool_names(dialect, body)
    if not names or rng.random() < 0.6:
        return None
    schema = rng.choice([SCHEMA, FREE, PLAIN])
    if dialect == CHAT:
        body["tools"].append({"type": "function", "function": {"name": "book_trip", "parameters": schema}})
    elif dialect == RESPONSES:
        body["tools"].append({"type": "function", "name": "book_trip", "parameters": schema, "strict": False})
    elif dialect == ANTHROPIC:
        body["tools"].append({"name": "book_trip", "description": "Books.", "input_schema": schema})
    elif dialect == BEDROCK:
        body["toolConfig"]["tools"].append({"toolSpec": {"name": "book_trip", "inputSchema": {"json": schema}}})
    else:
        tools = body["tools"] if isinstance(body["tools"], list) else [body["tools"]]
        body["tools"] = tools + [{"functionDeclarations": [{"name": "book_trip", "parametersJsonSchema": schema}]}]
    return "tool"


TURNS = {
    CHAT: ("messages", lambda role, text: {"role": role, "content": text}),
    RESPONSES: ("input", lambda role, text: {"role": role, "content": text}),
    ANTHROPIC: ("messages", lambda role, text: {"role": role, "content": text}),
    GEMINI: ("contents", lambda role, text: {"role": "model" if role == "assistant" else role,
                                             "parts": [{"text": text}]}),
    BEDROCK: ("messages", lambda role, text: {"role": role, "content": [{"text": text}]}),
}


ARGUMENTS = [{}, {"city": "Z\u00fcrich \U0001f600", "\u4e00 b.c": [1.5, None, {"d": "\\\""}]},
             {"n": 9007199254740993, "f": 0.1, "deep": [[[{"a": []}]]]}, {"text": "l\u00e4nger \u2028 " * 9000}]
RESULTS = ["", "ok", "30\u00b0C \U0001f324\n", '{"a": [1.0, null]}', "[1, 2]", "x" * 150_000]


def loop(dialect, name, rng):
    """A call that the model made before, and its result."""
    arguments, result = rng.choice(ARGUMENTS), rng.choice(RESULTS)
    made = rng.choice(["call_1", "toolu_" + "x" * 30, "a-b_c", "0"])
    text = json.dumps(arguments, ensure_ascii=False)
    if dialect == CHAT:
        call = {"id": made, "type": "function", "function": {"name": name, "arguments": text}}
        return [{"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": made, "content": result}]
    if dialect == RESPONSES:
        return [{"type": "function_call", "call_id": made, "name": name, "arguments": text},
                {"type": "function_call_output", "call_id": made, "output": result}]
    if dialect == ANTHROPIC:
        return [{"role": "assistant", "content": [{"type": "tool_use", "id": made, "name": name, "input": arguments}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": made, "content": result}]}]
    if dialect == GEMINI:
        said = json.loads(result) if result.startswith("{") else {"result": result}
        return [{"role": "model", "parts": [{"functionCall": {"name": name, "args": arguments}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": name, "response": said}}]}]
    return [{"role": "assistant", "content": [{"toolUse": {"toolUseId": made, "name": name, "input": arguments}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": made, "content": [{"text": result}]}}]}]


def history(dialect, body, rng):
    """The conversation goes on, the user insists, the model said nothing, or it called a tool."""
    name, turn = TURNS[dialect]
    turns = body.get(name)
    if not isinstance(turns, list) or rng.random() < 0.4:
        return None
    names = tool_names(dialect, body)
    what = rng.choice(["goes_on", "insists", "blank", "system"] + ["loop", "loop"] * bool(names))
    if what == "goes_on":
        turns += [turn("assistant", "Well.  \n"), turn("user", "And\u2028 then? \U0001f600")]
    elif what == "insists":
        turns += [turn("user", "Please."), turn("user", "  Now! ")]
    elif what == "blank":
        turns += [turn("assistant", " " if dialect in (BEDROCK, ANTHROPIC) else ""), turn("user", "Hello?")]
    elif what == "loop":
        turns += [turn("user", "Use it."), *loop(dialect, rng.choice(names), rng), turn("user", "And now?")]
    elif dialect in (CHAT, RESPONSES):
        turns += [turn("system", "Answer in French."), turn("user", "Go on.")]
    else:
        return None
    return what


def put(body, path, value):
    *homes, name = path.split(".")
    for home in homes:
        if not isinstance(body.get(home), dict):
            body[home] = {}
        body = body[home]
    body[name] = copy.deepcopy(value)


def varied(case, target, number):
    """(body, what was changed)"""
    dialect = case.dialect
    rng = random.Random(f"{case.number} {target} {number}")
    body, changed = copy.deepcopy(case.request), []
    for name in ("output_format", "background"):  # they contradict some settings
        body.pop(name, None)
    for path, values in rng.sample(SETTINGS[dialect], rng.randint(1, SETTINGS_MAX)):
        value = rng.choice(values)
        put(body, path, value)
        changed.append(f"{path}={str(value)[:30]}")
    changed += [choices(dialect, body, rng), tricky_tool(dialect, body, rng), history(dialect, body, rng)]
    keys = list(body.items())
    rng.shuffle(keys)
    return dict(keys), " ".join(each for each in changed if each)
