"""Cohere v2 chat answers: JSON and stream (docs.cohere.com/v2/reference/chat and /chat-stream, 2026)."""

import json

from wire import frames

from .. import neutral

FINISH = {
    "COMPLETE": neutral.STOP,
    "STOP_SEQUENCE": neutral.STOP,
    "MAX_TOKENS": neutral.LENGTH,
    "TOOL_CALL": neutral.TOOL,
    "ERROR": neutral.ERROR,
    "ERROR_TOXIC": neutral.FILTER,
    "ERROR_LIMIT": neutral.LENGTH,
    "TIMEOUT": neutral.ERROR,
}


def read_usage(found):
    if not found:
        return None
    tokens = found.get("tokens") or found.get("billed_units") or {}
    return neutral.usage(tokens.get("input_tokens"), found.get("cached_tokens"), 0, tokens.get("output_tokens"), None)


def read_call(call):
    function = call.get("function") or {}
    return neutral.Tool(call.get("id"), function.get("name"), neutral.arguments(function.get("arguments")))


def read_part(answer, part):
    if part.get("type") == "thinking":
        answer.add_reasoning(part.get("thinking") or "")
    else:
        answer.add_text(part.get("text") or "")


def finish(answer, plan, reason):
    """Beside tool calls Cohere's models say their text as a plan."""
    if answer.tools and not answer.text:
        answer.text = plan
        if plan:
            answer.blocks.insert(0, ["text", plan])
    answer.native, answer.finish, answer.choices = reason, FINISH.get(reason), [answer.text]


def check(answer):
    ids = [tool.id for tool in answer.tools]
    answer.expect(all(ids) and len(set(ids)) == len(ids), "tool call ids are absent or repeat")
    answer.expect(answer.finish is not None, f"finish_reason {answer.native}")


def decode(body, strict=True):
    answer, document = neutral.Answer(), json.loads(body)
    message = document.get("message") or {}
    answer.id = document.get("id")
    for part in message.get("content") or []:
        read_part(answer, part)
    for call in message.get("tool_calls") or []:
        answer.add_tool(read_call(call))
    answer.citations = len(message.get("citations") or [])
    answer.logprobs = sum(len(each.get("token_ids") or []) for each in document.get("logprobs") or [])
    finish(answer, message.get("tool_plan") or "", document.get("finish_reason"))
    answer.usage = read_usage(document.get("usage"))
    if strict:
        answer.expect(bool(answer.id), "no id")
        answer.expect(message.get("role") == "assistant", "message.role is not assistant")
        check(answer)
    return answer


class Stream:
    def __init__(self, answer, strict):
        self.answer, self.strict = answer, strict
        self.started, self.open, self.plan, self.call = False, None, "", None
        self.contents, self.calls, self.reason = 0, 0, None

    def expect(self, condition, problem):
        if self.strict:
            self.answer.expect(condition, problem)

    def event(self, event):
        data = event.json()
        kind = data.get("type")
        self.expect(event.name in (kind, None), "event name and type differ")
        self.expect(not self.answer.ended, "an event after message-end")
        self.expect(self.started or kind == "message-start", "message-start is not first")
        handler = getattr(self, "on_" + str(kind).replace("-", "_"), None)
        self.expect(handler is not None, f"event type {kind}")
        if handler:
            handler(data, (data.get("delta") or {}).get("message") or {})

    def on_message_start(self, data, message):
        self.expect(not self.started, "message-start twice")
        self.expect(message.get("role") == "assistant" and bool(data.get("id")), "message-start's head")
        self.started, self.answer.id = True, data.get("id")

    def on_content_start(self, data, message):
        self.expect(self.open is None, "content-start inside another part")
        self.expect(data.get("index") == self.contents, "content indices are not contiguous")
        self.contents += 1
        self.open = "content"
        read_part(self.answer, message.get("content") or {})

    def on_content_delta(self, _, message):
        self.expect(self.open == "content", "content-delta outside a content")
        content = message.get("content") or {}
        self.answer.add_reasoning(content.get("thinking") or "")
        self.answer.add_text(content.get("text") or "")

    def on_content_end(self, *_):
        self.expect(self.open == "content", "content-end without start")
        self.open = None

    def on_tool_plan_delta(self, _, message):
        self.expect(self.open is None, "tool-plan-delta inside a part")
        self.plan += message.get("tool_plan") or ""

    def on_tool_call_start(self, data, message):
        self.expect(self.open is None, "tool-call-start inside another part")
        self.expect(data.get("index") == self.calls, "tool call indices are not contiguous")
        self.calls += 1
        call = message.get("tool_calls") or {}
        function = call.get("function") or {}
        self.expect(call.get("type") == "function", "tool call type")
        self.open = "tool"
        self.call = neutral.Tool(call.get("id"), function.get("name"), function.get("arguments") or "")
        self.answer.add_tool(self.call)

    def on_tool_call_delta(self, _, message):
        self.expect(self.open == "tool", "tool-call-delta outside a tool call")
        if self.call is not None:
            self.call.args += ((message.get("tool_calls") or {}).get("function") or {}).get("arguments") or ""

    def on_tool_call_end(self, *_):
        self.expect(self.open == "tool", "tool-call-end without start")
        self.open = None

    def on_citation_start(self, *_):
        self.answer.citations += 1

    def on_citation_end(self, *_):
        pass

    def on_message_end(self, data, _):
        delta = data.get("delta") or {}
        self.expect(self.open is None, "message-end inside a part")
        self.reason, self.answer.ended = delta.get("finish_reason"), True
        self.answer.usage = read_usage(delta.get("usage"))
        if delta.get("error"):
            self.answer.error = {"message": delta["error"]}


def decode_stream(body, strict=True, **_):
    answer = neutral.Answer(ended=False)
    events, problems = frames.sse(body)
    answer.events = len(events)
    stream = Stream(answer, strict)
    for event in events:
        if event.data.strip() != "[DONE]":
            stream.event(event)
    for tool in answer.tools:
        tool.args = neutral.arguments(tool.args)
    finish(answer, stream.plan, stream.reason)
    if strict:
        answer.problems += problems
        if answer.error is None:
            answer.expect(answer.ended, "no message-end")
            check(answer)
    return answer
