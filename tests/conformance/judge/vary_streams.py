"""More variations of recorded answers (see vary_answers): the same words in another order, framing, size and number."""

import copy
import json

import cases as recordings
from wire import frames

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK = recordings.GEMINI, recordings.BEDROCK

# What belongs to the model or its user: its order is its own.
FREE = {"args", "input", "arguments", "response", "metadata", "bytes", "partial_json", "schema", "parameters", "json"}
LONG = "Zwölf Boxkämpfer 一二三 \U0001f600 \\ \" \t\u2028 </think> " * 4000  # some 260 KB: more than any buffer


def shuffled(value, rng):
    if isinstance(value, list):
        return [shuffled(each, rng) for each in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    rng.shuffle(keys)
    return {key: value[key] if key in FREE else shuffled(value[key], rng) for key in keys}


def reordered(body, rng):
    """Members in another order: none has to come before another."""
    return body.each(lambda document: shuffled(document, rng))


def odd_framing(body, rng):
    """All that server-sent events allow: comments, ids, other line ends, data in several lines, no blank behind colons,
    the name behind the data, a byte order mark, no blank line at the end."""
    if body.wire != "sse":
        return None
    end = rng.choice(["\n", "\r\n", "\r"])
    text = ["\ufeff" if body.case.number % 2 else "", ": hello", end, end]
    for number, event in enumerate(body.events):
        data = event.data
        if data.strip() != "[DONE]" and number % 3 == 0:
            data = json.dumps(event.json(), ensure_ascii=False, indent=1)
        blank = " " if number % 2 else ""
        lines = [f"data:{blank}{line}" for line in data.split("\n")]
        if event.name:
            lines.insert(len(lines) if number % 2 else 0, f"event:{blank}{event.name}")
        lines[0:0] = {0: [f"id: {number}", ": still here"], 1: ["retry: 3000"]}.get(number % 4, [])
        text += [line + end for line in lines] + [end] * (1 + number % 2)
    while text[-1] == end:
        text.pop()
    return "".join(text).encode()


def text_holder(dialect, document):
    """(object, member) of the first text in a document; None if it has none."""
    if dialect == CHAT:
        found = [choice.get("delta") or choice.get("message") or {} for choice in document.get("choices") or []]
        name = "content"
    elif dialect == ANTHROPIC:
        delta = document.get("delta") or {}
        found = [delta] if delta.get("type") == "text_delta" else document.get("content") or []
        name = "text"
    elif dialect == GEMINI:
        found = [part for each in document.get("candidates") or []
                 for part in (each.get("content") or {}).get("parts") or [] if not part.get("thoughtSignature")]
        name = "text"
    elif dialect == BEDROCK:
        content = ((document.get("output") or {}).get("message") or {}).get("content") or []
        found = [document["delta"]] if "text" in (document.get("delta") or {}) else content
        name = "text"
    else:
        return None
    plain = [each for each in found if isinstance(each.get(name), str) and each[name]]
    return (plain[0], name) if plain else None


def long_text(body, _):
    """A quarter of a megabyte in one piece, in front of the first words; ends of words are where they were."""
    for event, document in body.documents():
        place = text_holder(body.case.dialect, document)
        if place:
            holder, name = place
            holder[name] = LONG + holder[name]
            event.data = json.dumps(document, ensure_ascii=False)
            return body.bytes()
    return None


def two_choices(body, _):
    """The same again as a second choice, in one piece with the first or behind it."""
    dialect = body.case.dialect
    if dialect not in (CHAT, GEMINI):
        return None
    name = "choices" if dialect == CHAT else "candidates"
    for event, document in body.documents():
        if len(document.get(name) or []) != 1 or document[name][0].get("index", 0) != 0:
            if document.get(name):
                return None
            continue
        second = copy.deepcopy(document[name][0])
        document[name] = [document[name][0] | {"index": 0}, second | {"index": 1}]
        event.data = json.dumps(document)
    return body.bytes()


FINISHES = {CHAT: "finish_reason", ANTHROPIC: "stop_reason", GEMINI: "finishReason", BEDROCK: "stopReason"}


def strange_finish(body, _):
    """A reason that nobody knows yet."""
    name, done = FINISHES.get(body.case.dialect), []

    def fill(value):
        if isinstance(value, list):
            for each in value:
                fill(each)
        elif isinstance(value, dict):
            if isinstance(value.get(name), str):
                value[name] = "OF_TOMORROW" if body.case.dialect == GEMINI else "of_tomorrow"
                done.append(1)
            for key, each in value.items():
                if key not in FREE:
                    fill(each)

    made = body.each(fill)
    return made if done else None


def usage_everywhere(body, _):
    """Counts in every piece, growing (vLLM's continuous_usage_stats, xAI), none of its own behind."""
    if body.case.dialect != CHAT or body.wire != "sse":
        return None
    told = [document["usage"] for _, document in body.documents() if document.get("usage")]
    pieces = [event for event, document in body.documents() if document.get("choices")]
    if not told or not pieces:
        return None
    kept = []
    for event in body.events:
        if event.data.strip() == "[DONE]":
            kept.append(event)
            continue
        document = event.json()
        if not document.get("choices"):
            continue
        document["usage"] = copy.deepcopy(told[-1])
        if event is not pieces[-1]:
            document["usage"]["completion_tokens"] = len(kept)
        event.data = json.dumps(document)
        kept.append(event)
    body.events = kept
    return body.bytes()


EMPTY = {
    CHAT: [{"choices": [{"index": 0, "delta": {}, "finish_reason": None}]},
           {"choices": [{"index": 0, "delta": {"content": "", "tool_calls": []}, "finish_reason": None}]},
           {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}, "logprobs": None}]}],
    ANTHROPIC: [{"type": "ping"}],
    GEMINI: [{"candidates": [{"content": {"role": "model", "parts": []}, "index": 0}]},
             {"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0}]},
             {"candidates": [{"index": 0}]}],
}


def empty_events(body, _):
    """Events that say nothing between those that do."""
    dialect = body.case.dialect
    if dialect not in EMPTY or body.wire == "json" or not body.case.streaming:
        return None
    found = []
    last = max((number for number, (_, document) in enumerate(body.documents()) if document.get("choices")), default=0)
    for number, event in enumerate(body.events):
        found.append(event)
        if number == 0 or event.data.strip() == "[DONE]" or number + 1 >= (last if dialect == CHAT
                                                                           else len(body.events) - 1):
            continue
        empty = EMPTY[dialect][number % len(EMPTY[dialect])]
        head = {key: value for key, value in event.json().items() if key in ("id", "object", "created", "model",
                                                                             "modelVersion", "responseId")}
        found.append(frames.Event("ping" if dialect == ANTHROPIC else None, json.dumps(head | empty)))
    body.events = found
    return body.bytes()


VARIATIONS = {each.__name__: each for each in (
    reordered, odd_framing, long_text, two_choices, strange_finish, usage_everywhere, empty_events)}
