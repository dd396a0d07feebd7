"""Responses answers: JSON and stream (grammar: facts 1.1 and 4)."""

import json

from wire import frames

from .. import neutral

TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
QUIET = {"response.created", "response.in_progress", "response.queued", "keepalive"}
# What a typed client reads of every response object.
ECHOED = ("id", "object", "created_at", "status", "model", "output", "tools", "tool_choice", "parallel_tool_calls")


def read_usage(found):
    if not found:
        return None
    received, made = found.get("input_tokens_details") or {}, found.get("output_tokens_details") or {}
    return neutral.usage(
        found.get("input_tokens"),
        received.get("cached_tokens"),
        received.get("cache_write_tokens"),
        found.get("output_tokens"),
        made.get("reasoning_tokens") or 0,
    )


def joined(parts):
    return "\n\n".join(part.get("text", "") for part in parts or [])


def read_item(answer, item):
    kind = item.get("type")
    if kind == "message":
        for part in item.get("content") or []:
            if part.get("type") == "output_text":
                answer.add_text(part.get("text") or "")
                answer.cite(part.get("annotations") or [], lambda each: (each.get("url") or "").startswith("http"))
                answer.logprobs += len(part.get("logprobs") or [])
            elif part.get("type") == "refusal":
                answer.refusal = (answer.refusal or "") + (part.get("refusal") or "")
    elif kind == "function_call":
        answer.add_tool(neutral.Tool(item.get("call_id"), item.get("name"), neutral.arguments(item.get("arguments"))))
    elif kind == "custom_tool_call":
        answer.add_tool(neutral.Tool(item.get("call_id"), item.get("name"), item.get("input"), True))
    elif kind == "reasoning":
        answer.add_reasoning(joined(item.get("summary")) + joined(item.get("content")))
        if item.get("encrypted_content"):
            answer.signatures.append(item["encrypted_content"])
    else:
        answer.server_items.append(kind)
        answer.media += kind == "image_generation_call"


def read(answer, response):
    answer.id, answer.model = response.get("id"), response.get("model")
    for item in response.get("output") or []:
        read_item(answer, item)
    status, reason = response.get("status"), (response.get("incomplete_details") or {}).get("reason")
    answer.native = f"{status}:{reason}" if reason else status
    answer.finish = neutral.STOP
    if status == "incomplete":
        answer.finish = neutral.LENGTH if reason in ("max_output_tokens", "max_tokens") else neutral.FILTER
    elif status == "failed":
        answer.finish, answer.error = neutral.ERROR, response.get("error") or {"message": "failed"}
    elif status != "completed":
        answer.finish = status
    elif answer.tools:
        answer.finish = neutral.TOOL
    answer.usage = read_usage(response.get("usage"))
    answer.choices = [answer.text]


def check(answer, response):
    absent = [name for name in ECHOED if name not in response]
    answer.expect(not absent, f"response without {', '.join(absent)}")
    answer.expect(response.get("object") == "response", "object is not response")
    ids = [item.get("id") for item in response.get("output") or []]
    answer.expect(all(ids) and len(set(ids)) == len(ids), "item ids are absent or repeat")
    calls = [tool.id for tool in answer.tools]
    answer.expect(all(calls) and len(set(calls)) == len(calls), "call_ids are absent or repeat")
    answer.expect(all(len(str(each)) <= 64 for each in calls), "a call_id longer than 64")


def decode(body, strict=True):
    answer, document = neutral.Answer(), json.loads(body)
    read(answer, document)
    if strict:
        check(answer, document)
        answer.expect(document.get("status") in ("completed", "incomplete", "failed"), "status")
    return answer


# Events inside an item, and what must be open for each: (opens, closes) name a part by its index.
PART_EVENTS = {
    "response.content_part.added": ("content", "open"),
    "response.content_part.done": ("content", "close"),
    "response.reasoning_summary_part.added": ("summary", "open"),
    "response.reasoning_summary_part.done": ("summary", "close"),
}
DELTA_EVENTS = {
    "response.output_text.delta": ("content", "text"),
    "response.refusal.delta": ("content", "refusal"),
    "response.reasoning_text.delta": ("content", "text"),
    "response.reasoning_summary_text.delta": ("summary", "text"),
}
DONE_EVENTS = {
    "response.output_text.done": ("content", "text"),
    "response.refusal.done": ("content", "refusal"),
    "response.reasoning_text.done": ("content", "text"),
    "response.reasoning_summary_text.done": ("summary", "text"),
}
ARGUMENT_EVENTS = {
    "response.function_call_arguments.delta": ("delta", None),
    "response.function_call_arguments.done": ("done", "arguments"),
    "response.custom_tool_call_input.delta": ("delta", None),
    "response.custom_tool_call_input.done": ("done", "input"),
}


class Stream:
    """Follows the pairs of events, and collects what the deltas say."""

    def __init__(self, answer, strict):
        self.answer, self.strict = answer, strict
        self.sequence, self.started, self.final = 0, False, None
        self.open, self.items, self.parts, self.arguments, self.done = {}, {}, {}, {}, []

    def expect(self, condition, problem):
        if self.strict:
            self.answer.expect(condition, problem)

    def event(self, event):
        data = event.json()
        kind = data.get("type")
        self.expect(event.name == kind, "event name and type differ")
        self.expect(data.get("sequence_number") == self.sequence, "sequence_number is not 0, 1, 2, ...")
        self.sequence += 1
        self.expect(not self.answer.ended, "an event after the terminal one")
        if kind == "error":
            self.answer.error = data.get("error") or data
        elif kind in TERMINAL:
            self.final, self.answer.ended = data["response"], True
            self.expect(not self.open, "the response ends inside an item")
        elif kind in QUIET:
            self.expect(self.started or kind == "response.created", "response.created is not first")
            self.started = True
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self.item(kind, data)
        else:
            self.inside(kind, data)

    def item(self, kind, data):
        index, item = data["output_index"], data["item"]
        if kind.endswith("added"):
            self.expect(index == len(self.items), "output_index is not contiguous")
            self.open[index] = self.items[index] = item
            return
        opened = self.open.pop(index, None)
        self.expect(opened is not None, "output_item.done without added")
        if opened is not None:
            self.expect(opened.get("id") == item.get("id"), "an item's id changes")
            self.check_item(index, item)
        self.done.append(item)

    def check_item(self, index, item):
        if item.get("type") in ("function_call", "custom_tool_call"):
            told = item.get("arguments") if "arguments" in item else item.get("input")
            self.expect(self.arguments.get(index, "") == told, "argument deltas and the item differ")
        for kind in ("content", "summary"):
            parts = item.get(kind) or []
            if item.get("type") not in ("message", "reasoning"):
                continue
            for number, part in enumerate(parts):
                told = part.get("text", part.get("refusal"))
                said = self.parts.get((index, kind, number), {}).get("text")
                self.expect(said == told, f"deltas of {kind} and the item differ")

    def inside(self, kind, data):
        index = data.get("output_index")
        if kind in PART_EVENTS:
            which, what = PART_EVENTS[kind]
            key = (index, which, data[which + "_index"])
            self.expect(index in self.open, f"{kind} outside an item")
            if what == "open":
                self.expect(key not in self.parts, f"{kind} twice")
                self.parts[key] = {"text": "", "open": True}
            else:
                self.expect(self.parts.get(key, {}).get("open", False), f"{kind} without added")
                self.parts.setdefault(key, {"text": ""})["open"] = False
        elif kind in DELTA_EVENTS:
            which, _ = DELTA_EVENTS[kind]
            part = self.parts.setdefault((index, which, data[which + "_index"]), {"text": ""})
            self.expect(part.get("open", False), f"{kind} outside a part")
            part["text"] += data["delta"]
        elif kind in DONE_EVENTS:
            which, member = DONE_EVENTS[kind]
            part = self.parts.get((index, which, data[which + "_index"]), {})
            self.expect(part.get("text") == data.get(member), f"{kind} and its deltas differ")
        elif kind in ARGUMENT_EVENTS:
            what, member = ARGUMENT_EVENTS[kind]
            self.expect(index in self.open, f"{kind} outside an item")
            if what == "delta":
                self.arguments[index] = self.arguments.get(index, "") + data["delta"]
            else:
                self.expect(self.arguments.get(index, "") == data.get(member), f"{kind} and its deltas differ")

    def text(self):
        return "".join(part["text"] for key, part in sorted(self.parts.items(), key=lambda each: each[0][::2])
                       if key[1] == "content" and self.items.get(key[0], {}).get("type") == "message")


def decode_stream(body, strict=True, **_):
    answer = neutral.Answer(ended=False)
    events, problems = frames.sse(body)
    answer.events = len(events)
    stream = Stream(answer, strict)
    for event in events:
        if event.data.strip() == "[DONE]":
            stream.expect(False, "[DONE] in a Responses stream")
            continue
        stream.event(event)
    error = answer.error
    if stream.final is not None:
        final = dict(stream.final)
        if not final.get("output") and stream.done:
            stream.expect(False, "the terminal event has no output")
            final["output"] = stream.done
        read(answer, final)
        answer.error = error or answer.error
    if strict:
        answer.problems += problems
        if answer.error is None:
            check_end(answer, stream)
    return answer


def check_end(answer, stream):
    answer.expect(stream.final is not None, "no terminal event")
    answer.expect(stream.started, "no response.created")
    if stream.final is None:
        return
    check(answer, stream.final)
    final = stream.final.get("output") or []
    answer.expect(len(stream.done) == len(final), "items of the stream and of the end differ")
    if answer.refusal is None:
        answer.expect(stream.text() == answer.text, "text deltas and the final output differ")
