"""Recorded answers, changed mechanically into others that the same provider could have sent. What they say is read out
of them again by the judge's own readers. A variation returns the body, or None where it changes nothing."""

import copy
import json
import random

import cases as recordings
from wire import frames

from . import vary_streams

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK = recordings.GEMINI, recordings.BEDROCK

# What belongs to the model or its user: no member of the protocol.
FREE = {"args", "input", "arguments", "response", "metadata", "bytes", "partial_json", "schema", "parameters", "json"}
STRANGE = {"x_of_tomorrow": {"a": [1, None, "b"], "type": "new"}, "x_flag": True}
HUGE = ('{"n": 123456789012345678901234567890, "f": 1.0, "e": 1e3, "s": "\\ud83d \\u0000 \\u2028", '
        '"deep": [[[{"a": null}]]]}')


class Body:
    """An answer as a list of events, however it is framed; `events` may be changed."""

    def __init__(self, case, raw):
        self.case, self.wire = case, case.wire
        if case.wire == "json":
            self.events = [frames.Event(None, raw.decode())]
        elif case.wire == "sse":
            self.events = frames.sse(raw)[0]
        elif case.wire == "json_array":
            self.events = frames.json_array(raw)[0]
        else:
            self.events = frames.frames(raw)[0]

    def documents(self):
        for event in self.events:
            if event.data.strip() not in ("[DONE]", ""):
                yield event, event.json()

    def each(self, change):
        """`change(document)` in place, or a new one."""
        for event, document in self.documents():
            changed = change(document)
            event.data = json.dumps(document if changed is None else changed, ensure_ascii=False)
        return self.bytes()

    def bytes(self):
        if self.wire == "json":
            return encode(self.events[0].data)
        if self.wire == "json_array":
            return b"[" + b"\r\n,\r\n".join(encode(event.data) for event in self.events) + b"]"
        if self.wire == "sse":
            end = "\r\n" if self.case.dialect == GEMINI else "\n"
            text = "".join((f"event: {event.name}{end}" if event.name else "") + f"data: {event.data}{end}{end}"
                           for event in self.events)
            return encode(text)
        return b"".join(frames.frame({key: value for key, value in event.headers.items()}, encode(event.data))
                        for event in self.events)


def encode(text):
    """Lone surrogates cannot be UTF-8: they are escaped, as JSON may."""
    return "".join(f"\\u{ord(each):04x}" if 0xD800 <= ord(each) < 0xE000 else each for each in text).encode()


def everywhere(value, change):
    """Every object of the protocol."""
    if isinstance(value, dict):
        change(value)
        for key, each in value.items():
            if key not in FREE and key not in STRANGE:
                everywhere(each, change)
    elif isinstance(value, list):
        for each in value:
            everywhere(each, change)


def unknown_members(body, _):
    return body.each(lambda document: everywhere(document, lambda each: each.update(copy.deepcopy(STRANGE))))


NEW_EVENTS = {
    CHAT: (None, {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}),
    RESPONSES: ("response.tomorrow", {"type": "response.tomorrow", "sequence_number": 0, "x": {"a": 1}}),
    ANTHROPIC: ("tomorrow", {"type": "tomorrow", "index": 0, "delta": {"type": "tomorrow_delta", "a": 1}}),
    GEMINI: (None, {"tomorrow": {"a": 1}}),
    BEDROCK: ("tomorrow", {"a": 1, "p": "ab"}),
}


def unknown_events(body, _):
    if not body.case.streaming or body.wire == "json":
        return None
    name, document = NEW_EVENTS[body.case.dialect]
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    new = frames.Event(name, json.dumps(document), headers)
    ends = [number for number, event in enumerate(body.events) if event.data.strip() == "[DONE]"]
    last = ends[0] if ends else len(body.events)
    found = []
    for number, event in enumerate(body.events):
        found += [event, new] if 0 < number < last - 1 else [event]
    body.events = found
    return body.bytes()


def nulls(body, _):
    """Optional members that are not there, as null."""
    absent = {
        CHAT: ("refusal", "tool_calls", "function_call", "audio", "annotations", "reasoning_content", "logprobs",
               "system_fingerprint", "service_tier", "prompt_tokens_details", "completion_tokens_details"),
        RESPONSES: ("error", "incomplete_details", "instructions", "annotations", "logprobs", "summary", "status",
                    "encrypted_content"),
        ANTHROPIC: ("citations", "stop_sequence", "container", "cache_read_input_tokens", "server_tool_use",
                    "cache_creation_input_tokens", "cache_creation", "stop_details", "service_tier"),
        GEMINI: ("thoughtSignature", "groundingMetadata", "citationMetadata", "promptFeedback", "safetyRatings",
                 "finishMessage", "tokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount"),
        BEDROCK: ("trace", "additionalModelResponseFields", "performanceConfig", "serviceTier", "p"),
    }[body.case.dialect]
    homes = {"annotations": ("text", "content"), "tokenCount": ("content",)}

    def fill(each):
        for name in absent:
            if name not in each and (name not in homes or any(home in each for home in homes[name])):
                each[name] = None

    return body.each(lambda document: everywhere(document, fill) if "error" not in document or not document["error"]
                     else None)


def floats(body, _):
    """Whole numbers as 12.0: some servers write nothing else."""
    def fill(each):
        for key, value in each.items():
            if isinstance(value, int) and not isinstance(value, bool) and key not in ("created", "created_at"):
                each[key] = float(value)

    return body.each(lambda document: everywhere(document, fill))


def escapes(body, _):
    """Every character that is not plain as \\uXXXX."""
    for event, document in body.documents():
        event.data = json.dumps(document, ensure_ascii=True)
    return body.bytes()


TEXTS = {
    CHAT: lambda d: [c["delta"] for c in d.get("choices") or []
                     if isinstance((c.get("delta") or {}).get("content"), str)],
    ANTHROPIC: lambda d: [d["delta"]] if (d.get("delta") or {}).get("type") == "text_delta" else [],
    GEMINI: lambda d: [p for c in d.get("candidates") or [] for p in (c.get("content") or {}).get("parts") or []
                       if "text" in p and not p.get("thoughtSignature")],
    BEDROCK: lambda d: [d["delta"]] if "text" in (d.get("delta") or {}) else [],
}


def surrogates(body, _):
    """A character outside the basic plane, cut in halves by the end of a piece, and half a character for good."""
    dialect, done = body.case.dialect, False
    if dialect == RESPONSES or body.wire == "json" or dialect not in TEXTS:
        return None
    found = []
    for event in body.events:
        if event.data.strip() in ("[DONE]", "") or done:
            found.append(event)
            continue
        document = event.json()
        places = TEXTS[dialect](document)
        name = "content" if dialect == CHAT else "text"
        if not places or not places[0].get(name):
            found.append(event)
            continue
        done = True
        for text in ("a\ud83d", "\ude00b", "\ud83d", "c"):
            places[0][name] = text
            found.append(frames.Event(event.name, json.dumps(document), event.headers))
        found.append(event)
    body.events = found
    return body.bytes() if done else None


def small_pieces(body, _):
    """Texts and arguments in pieces of one or two characters, with empty ones between."""
    dialect = body.case.dialect
    if body.wire == "json" or not body.case.streaming:
        return None
    found = []
    for event in body.events:
        pieces = [] if event.data.strip() in ("[DONE]", "") else list(split(dialect, event.json()))
        found += [frames.Event(event.name, json.dumps(each), event.headers) for each in pieces] or [event]
    body.events = found
    if dialect == RESPONSES:
        for number, (event, document) in enumerate(body.documents()):
            document["sequence_number"] = number
            event.data = json.dumps(document)
    return body.bytes()


def pieces_of(text):
    at, size = 0, 1
    while at < len(text) and at < 64:
        yield text[at : at + size]
        yield ""
        at, size = at + size, 3 - size
    if at < len(text):
        yield text[at:]


def place_of(dialect, document):
    """(object, member) of the one text that this event adds to; None if it adds none."""
    if dialect == CHAT:
        choices = document.get("choices") or []
        if len(choices) != 1 or choices[0].get("finish_reason") or choices[0].get("logprobs"):
            return None
        delta = choices[0].get("delta") or {}
        if delta.get("content") and not delta.get("tool_calls") and isinstance(delta["content"], str):
            return delta, "content"
        calls = delta.get("tool_calls") or []
        if len(calls) == 1 and not calls[0].get("id") and (calls[0].get("function") or {}).get("arguments"):
            return calls[0]["function"], "arguments"
        return None
    if dialect == RESPONSES:
        deltas = ("response.output_text.delta", "response.function_call_arguments.delta",
                  "response.reasoning_summary_text.delta")
        return (document, "delta") if document.get("type") in deltas and not document.get("logprobs") else None
    if dialect == ANTHROPIC:
        delta = document.get("delta") or {}
        name = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}.get(
            delta.get("type"))
        return (delta, name) if name else None
    if dialect == BEDROCK:
        delta = document.get("delta") or {}
        if "text" in delta:
            return delta, "text"
        return (delta["toolUse"], "input") if "input" in (delta.get("toolUse") or {}) else None
    parts = [p for c in document.get("candidates") or [] for p in (c.get("content") or {}).get("parts") or []]
    plain = len(parts) == 1 and "text" in parts[0] and "thoughtSignature" not in parts[0]
    if plain and not document["candidates"][0].get("finishReason"):
        return parts[0], "text"
    return None


def split(dialect, document):
    place = place_of(dialect, document)
    if place is None:
        return
    holder, name = place
    if len(holder[name]) < 2:
        return
    for each in pieces_of(holder[name]):
        holder[name] = each
        yield copy.deepcopy(document)


def odd_calls(body, rng):
    """Calls as vendors of Chat Completions stream them: the id again on every piece, the whole call at once, no index,
    arguments null, interleaved."""
    if body.case.dialect != CHAT or body.wire != "sse":
        return None
    calls, at, head = {}, None, None
    for number, event in enumerate(body.events):
        if event.data.strip() == "[DONE]":
            continue
        document = event.json()
        for choice in document.get("choices") or []:
            for call in (choice.get("delta") or {}).get("tool_calls") or []:
                at, head = number if at is None else at, head or document
                known = calls.setdefault(call.get("index", 0), {"id": None, "name": "", "arguments": ""})
                known["id"] = call.get("id") or known["id"]
                function = call.get("function") or {}
                known["name"] += function.get("name") or ""
                known["arguments"] += function.get("arguments") or ""
    if not calls or any(not call["name"] for call in calls.values()):
        return None
    kept = []
    for event in body.events:
        if event.data.strip() != "[DONE]" and '"tool_calls": [' in json.dumps(event.json()):
            document = event.json()
            for choice in document["choices"]:
                choice["delta"].pop("tool_calls", None)
            event.data = json.dumps(document)
        kept.append(event)
    made = rng.choice([interleaved, at_once, repeated])(calls)
    new = []
    for call in made:
        choice = {"index": 0, "delta": {"tool_calls": call}, "finish_reason": None}
        new.append(frames.Event(None, json.dumps({**head, "choices": [choice], "usage": None})))
    body.events = kept[:at] + new + kept[at:]
    return body.bytes()


def interleaved(calls):
    yield [{"index": index, "id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": ""}}
           for index, call in calls.items()]
    longest = max(len(call["arguments"]) for call in calls.values())
    step = max(1, longest // 7)
    for start in range(0, longest, step):
        for index, call in calls.items():
            piece = call["arguments"][start : start + step]
            if piece:
                yield [{"index": index, "function": {"arguments": piece}}]


def at_once(calls):
    for call in calls.values():
        yield [{"id": call["id"], "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]}}] if len(calls) == 1 else [
                    {"index": number, "id": each["id"], "type": "function",
                     "function": {"name": each["name"], "arguments": each["arguments"]}}
                    for number, each in enumerate(calls.values())]
        return


def repeated(calls):
    for index, call in calls.items():
        yield [{"index": index, "id": call["id"], "type": "function",
                "function": {"name": call["name"], "arguments": None}}]
        for piece in pieces_of(call["arguments"]):
            yield [{"index": index, "id": call["id"], "type": "function", "function": {"arguments": piece}}]


def huge_arguments(body, _):
    """Arguments with numbers and texts that a careless program changes."""
    dialect, done = body.case.dialect, []

    def fill(document):
        everywhere(document, replace)

    def replace(each):
        if dialect == CHAT and "arguments" in (each.get("function") or {}) and body.wire == "json":
            each["function"]["arguments"] = HUGE
            done.append(1)
        elif dialect == RESPONSES and each.get("type") == "function_call" and body.wire == "json":
            each["arguments"] = HUGE
            done.append(1)
        elif dialect == ANTHROPIC and each.get("type") == "tool_use" and body.wire == "json":
            each["input"] = json.loads(HUGE)
            done.append(1)
        elif dialect == GEMINI and "args" in (each.get("functionCall") or {}):
            each["functionCall"]["args"] = json.loads(HUGE)
            done.append(1)
        elif dialect == BEDROCK and "toolUse" in each and body.wire == "json":
            each["toolUse"]["input"] = json.loads(HUGE)
            done.append(1)

    made = body.each(fill)
    return made if done else None


def bare(body, _):
    """Without what names, dates and fingerprints an answer."""
    gone = {"id", "object", "created", "created_at", "system_fingerprint", "model", "service_tier", "logprobs",
            "modelVersion", "responseId", "metrics", "role", "sequence_number", "item_id", "safetyRatings", "p",
            "obfuscation", "avgLogprobs"}
    dialect = body.case.dialect
    if dialect in (ANTHROPIC, RESPONSES):
        gone -= {"id", "item_id", "role", "logprobs"}

    def strip(each):
        called = "function" in each or "functionCall" in each or each.get("type") == "function"
        named = "name" in each and "args" in each
        for name in gone:
            if name in each and not (name == "id" and (called or named)):
                del each[name]

    return body.each(lambda document: everywhere(document, strip))


def no_usage(body, _):
    def strip(each):
        for name in ("usage", "usageMetadata"):
            each.pop(name, None)

    return body.each(lambda document: everywhere(document, strip))


VARIATIONS = {each.__name__: each for each in (
    unknown_members, unknown_events, nulls, floats, escapes, surrogates, small_pieces, odd_calls, huge_arguments, bare,
    no_usage)} | vary_streams.VARIATIONS


def varied(case, name):
    """The changed body, or None."""
    return VARIATIONS[name](Body(case, case.response), random.Random(case.number))
