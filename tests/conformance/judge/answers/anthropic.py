"""Anthropic Messages answers: JSON and stream (grammar: facts 1.3 and 4)."""

import json

from wire import frames

from .. import neutral

FINISH = {
    "end_turn": neutral.STOP,
    "stop_sequence": neutral.STOP,
    "compaction": neutral.STOP,
    "max_tokens": neutral.LENGTH,
    "model_context_window_exceeded": neutral.LENGTH,
    "tool_use": neutral.TOOL,
    "refusal": neutral.FILTER,
    "pause_turn": neutral.PAUSE,
}
DELTAS = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}
USES = ("tool_use", "server_tool_use", "mcp_tool_use")


def read_usage(found):
    if not found:
        return None
    cached, written = found.get("cache_read_input_tokens") or 0, found.get("cache_creation_input_tokens") or 0
    details = found.get("output_tokens_details") or {}
    fresh = found.get("input_tokens") or 0
    return neutral.usage(
        fresh + cached + written, cached, written, found.get("output_tokens"), details.get("thinking_tokens")
    )


def read_block(answer, block):
    kind = block.get("type")
    if kind == "text":
        answer.add_text(block.get("text") or "")
        answer.cite(block.get("citations") or [], lambda each: (each.get("url") or "").startswith("http"))
    elif kind == "thinking":
        answer.add_reasoning(block.get("thinking") or "")
        if block.get("signature"):
            answer.signatures.append(block["signature"])
    elif kind == "redacted_thinking":
        answer.signatures.append(block.get("data", ""))
    elif kind == "tool_use":
        answer.add_tool(neutral.Tool(block.get("id"), block.get("name"), block.get("input")))
    else:
        answer.server_items.append(kind)


def check_ids(answer):
    ids = [tool.id for tool in answer.tools]
    answer.expect(all(ids) and len(set(ids)) == len(ids), "tool_use ids are absent or repeat")
    legal = all(set(str(each)) <= ID_CHARACTERS for each in ids)
    answer.expect(legal, "a tool_use id with a character that Anthropic refuses")
    answer.expect(all(isinstance(tool.args, dict) for tool in answer.tools), "tool_use.input is no object")


ID_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def finish(answer, reason, sequence):
    answer.native, answer.finish, answer.stop_sequence = reason, FINISH.get(reason), sequence
    answer.choices = [answer.text]


def decode(body, strict=True):
    answer, document = neutral.Answer(), json.loads(body)
    answer.id, answer.model = document.get("id"), document.get("model")
    for block in document.get("content") or []:
        read_block(answer, block)
    finish(answer, document.get("stop_reason"), document.get("stop_sequence"))
    answer.usage = read_usage(document.get("usage"))
    if strict:
        answer.expect(document.get("type") == "message", "type is not message")
        answer.expect(document.get("role") == "assistant", "role is not assistant")
        answer.expect(bool(document.get("id")) and bool(document.get("model")), "id or model is absent")
        answer.expect(answer.finish is not None, f"stop_reason {answer.native}")
        usage = document.get("usage") or {}
        answer.expect(all(isinstance(usage.get(key), int) for key in ("input_tokens", "output_tokens")), "usage")
        check_ids(answer)
    return answer


class Stream:
    def __init__(self, answer, strict):
        self.answer, self.strict = answer, strict
        self.blocks, self.texts, self.open = {}, {}, None
        self.usage, self.stop, self.started, self.deltas = {}, {}, 0, 0

    def expect(self, condition, problem):
        if self.strict:
            self.answer.expect(condition, problem)

    def event(self, event):
        data = event.json()
        kind = data.get("type")
        self.expect(event.name == kind, "event name and type differ")
        self.expect(not self.answer.ended, "an event after message_stop")
        if kind not in ("message_start", "ping", "error"):
            self.expect(self.started == 1, f"{kind} before message_start")
        handler = getattr(self, "on_" + str(kind), None)
        if handler:
            handler(data)
        else:
            self.expect(kind == "ping", f"event type {kind}")

    def on_message_start(self, data):
        self.started += 1
        self.expect(self.started == 1, "message_start twice")
        if self.started > 1:
            return
        message = data["message"]
        self.answer.id, self.answer.model = message.get("id"), message.get("model")
        self.merge(message)
        self.expect(message.get("content") == [] and message.get("stop_reason") is None, "message_start is not empty")
        self.expect(message.get("role") == "assistant" and message.get("type") == "message", "message_start's head")
        usage = message.get("usage") or {}
        self.expect(isinstance(usage.get("input_tokens"), int), "message_start without usage.input_tokens")
        self.expect(isinstance(usage.get("output_tokens"), int), "message_start without usage.output_tokens")
        if message.get("stop_reason"):
            self.stop["stop_reason"] = message["stop_reason"]
        for index, block in enumerate(message.get("content") or []):
            self.blocks[index] = dict(block)

    def merge(self, holder):
        self.usage.update({key: value for key, value in (holder.get("usage") or {}).items() if value is not None})

    def on_content_block_start(self, data):
        index, block = data["index"], dict(data["content_block"])
        self.expect(self.open is None, "a block starts inside another")
        self.expect(index == len(self.blocks), "block indices are not contiguous")
        if block.get("type") == "tool_use":
            self.expect(block.get("input") == {}, "tool_use starts with an input")
        self.open, self.blocks[index], self.texts[index] = index, block, ""

    def on_content_block_delta(self, data):
        index, delta = data["index"], data["delta"]
        block, kind = self.blocks.get(index), delta.get("type")
        self.expect(index == self.open, "a delta outside its block")
        if block is None:
            return
        wanted, found = DELTAS.get(kind), block.get("type")
        self.expect(wanted == found or (wanted == "tool_use" and found in USES), f"{kind} in a block of {found}")
        if kind == "text_delta":
            block["text"] = (block.get("text") or "") + delta["text"]
        elif kind == "thinking_delta":
            block["thinking"] = (block.get("thinking") or "") + (delta.get("thinking") or "")
        elif kind == "signature_delta":
            block["signature"] = delta["signature"]
        elif kind == "input_json_delta":
            self.texts[index] += delta["partial_json"]
        elif kind == "citations_delta":
            block["citations"] = (block.get("citations") or []) + [delta["citation"]]

    def on_content_block_stop(self, data):
        index = data["index"]
        self.expect(index == self.open, "a block stops that is not open")
        self.open = None
        if self.blocks.get(index, {}).get("type") in USES and self.texts.get(index):
            self.blocks[index]["input"] = neutral.arguments(self.texts[index])

    def on_message_delta(self, data):
        self.expect(self.open is None, "message_delta inside a block")
        self.deltas += 1
        again = data["delta"].get("stop_reason") and self.stop.get("stop_reason")
        self.expect(not again, "stop_reason twice")
        self.stop.update({key: value for key, value in data["delta"].items() if value is not None})
        self.merge(data)

    def on_message_stop(self, _):
        self.expect(self.open is None and self.deltas > 0, "message_stop without message_delta, or inside a block")
        self.answer.ended = True

    def on_error(self, data):
        self.answer.error = data.get("error")


def decode_stream(body, strict=True, **_):
    answer = neutral.Answer(ended=False)
    events, problems = frames.sse(body)
    answer.events = len(events)
    stream = Stream(answer, strict)
    for event in events:
        stream.event(event)
    for _, block in sorted(stream.blocks.items()):
        read_block(answer, block)
    finish(answer, stream.stop.get("stop_reason"), stream.stop.get("stop_sequence"))
    answer.usage = read_usage(stream.usage)
    if strict:
        answer.problems += problems
        if answer.error is None:
            answer.expect(answer.ended, "no message_stop")
            answer.expect(answer.finish is not None, f"stop_reason {answer.native}")
            check_ids(answer)
    return answer
