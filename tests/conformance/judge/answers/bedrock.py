"""Converse answers: JSON and event stream (grammar: facts 1.6 and 4)."""

import json

from wire import frames

from .. import neutral

FINISH = {
    "end_turn": neutral.STOP,
    "stop_sequence": neutral.STOP,
    "tool_use": neutral.TOOL,
    "max_tokens": neutral.LENGTH,
    "model_context_window_exceeded": neutral.LENGTH,
    "guardrail_intervened": neutral.FILTER,
    "content_filtered": neutral.FILTER,
    "malformed_model_output": neutral.ERROR,
    "malformed_tool_use": neutral.ERROR,
}
ORDER = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
ID_MAX = 64
ID_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-")


def read_usage(found):
    if not found:
        return None
    cached, written = found.get("cacheReadInputTokens") or 0, found.get("cacheWriteInputTokens") or 0
    return neutral.usage(
        (found.get("inputTokens") or 0) + cached + written, cached, written, found.get("outputTokens"), None
    )


def read_reasoning(answer, content):
    told = content.get("reasoningText") or {}
    answer.add_reasoning(told.get("text") or "")
    if told.get("signature"):
        answer.signatures.append(told["signature"])
    if content.get("redactedContent"):
        answer.signatures.append(content["redactedContent"])


def is_web(citation):
    return bool(((citation.get("location") or {}).get("web") or {}).get("url"))


def read_block(answer, block):
    if "text" in block:
        answer.add_text(block["text"])
    elif "toolUse" in block:
        use = block["toolUse"]
        if use.get("type") == "server_tool_use":
            answer.server_items.append("server_tool_use")
        else:
            answer.add_tool(neutral.Tool(use.get("toolUseId"), use.get("name"), use.get("input")))
    elif "reasoningContent" in block:
        read_reasoning(answer, block["reasoningContent"])
    elif "citationsContent" in block:
        cited = block["citationsContent"]
        answer.add_text("".join(each.get("text", "") for each in cited.get("content") or []))
        answer.cite(cited.get("citations") or [], is_web)
    elif "image" in block:
        answer.media += 1
    else:
        answer.server_items += list(block)


def check_tools(answer):
    ids = [tool.id for tool in answer.tools]
    answer.expect(all(ids) and len(set(ids)) == len(ids), "toolUseIds are absent or repeat")
    legal = all(len(str(each)) <= ID_MAX and set(str(each)) <= ID_CHARACTERS for each in ids)
    answer.expect(legal, "a toolUseId beyond the limits")
    answer.expect(all(isinstance(tool.args, dict) for tool in answer.tools), "toolUse.input is no object")


def decode(body, strict=True):
    answer, document = neutral.Answer(), json.loads(body)
    message = (document.get("output") or {}).get("message") or {}
    for block in message.get("content") or []:
        read_block(answer, block)
    answer.native = document.get("stopReason")
    answer.finish, answer.choices = FINISH.get(answer.native), [answer.text]
    answer.usage = read_usage(document.get("usage"))
    if strict:
        answer.expect(message.get("role") == "assistant", "message.role is not assistant")
        answer.expect(answer.finish is not None, f"stopReason {answer.native}")
        answer.expect("latencyMs" in (document.get("metrics") or {}), "no metrics.latencyMs")
        usage = document.get("usage") or {}
        answer.expect(all(isinstance(usage.get(each), int) for each in ("inputTokens", "outputTokens", "totalTokens")),
                      "usage")
        check_tools(answer)
    return answer


class Stream:
    def __init__(self, answer, strict):
        self.answer, self.strict = answer, strict
        self.started, self.stopped, self.usage, self.open = False, False, None, None
        self.blocks = {}

    def expect(self, condition, problem):
        if self.strict:
            self.answer.expect(condition, problem)

    def event(self, event):
        kind = event.headers.get(":message-type")
        data = json.loads(event.data) if event.data else {}
        self.expect(not self.answer.ended, "an event after metadata")
        if kind != "event":
            self.answer.error = {"type": event.name, "message": data.get("message")}
            return
        self.expect(event.headers.get(":content-type") == "application/json", ":content-type")
        self.expect(event.name in ORDER, f"event {event.name}")
        self.expect(self.started or event.name == "messageStart", "messageStart is not first")
        getattr(self, event.name, lambda _: None)(data)

    def messageStart(self, data):
        self.expect(not self.started, "messageStart twice")
        self.expect(data.get("role") == "assistant", "role")
        self.started = True

    def block(self, index):
        if index not in self.blocks:
            self.expect(self.open is None, "a block starts inside another")
            self.expect(index == len(self.blocks), "block indices are not contiguous")
            self.blocks[index], self.open = {}, index
        self.expect(self.open == index, "a delta outside its block")
        return self.blocks[index]

    def contentBlockStart(self, data):
        block, start = self.block(data["contentBlockIndex"]), data.get("start") or {}
        self.expect(not block, "contentBlockStart inside a block")
        if "toolUse" in start:
            block["tool"] = dict(start["toolUse"], text="")
        elif "image" in start:
            self.answer.media += 1

    def contentBlockDelta(self, data):
        block, delta = self.block(data["contentBlockIndex"]), data["delta"]
        self.expect(len(delta) == 1, "a delta of several members")
        if "text" in delta:
            block["text"] = block.get("text", "") + delta["text"]
        if "toolUse" in delta:
            self.expect("tool" in block, "arguments outside a toolUse block")
            block.setdefault("tool", {"text": ""})["text"] += delta["toolUse"].get("input") or ""
        if "reasoningContent" in delta:
            told = delta["reasoningContent"]
            self.expect(len(told) == 1, "a reasoning delta of several members")
            for name in ("text", "signature", "redactedContent"):
                if name in told:
                    block["r:" + name] = block.get("r:" + name, "") + told[name]
        if "citation" in delta:
            self.answer.cite([delta["citation"]], is_web)
        if "toolResult" in delta:
            self.answer.server_items.append("toolResult")

    def contentBlockStop(self, data):
        self.expect(self.open == data["contentBlockIndex"], "a block stops that is not open")
        self.open = None

    def messageStop(self, data):
        self.expect(self.open is None, "messageStop inside a block")
        self.expect(not self.stopped, "messageStop twice")
        self.stopped, self.answer.native = True, data.get("stopReason")
        self.answer.finish = FINISH.get(self.answer.native)

    def metadata(self, data):
        self.expect(self.stopped, "metadata before messageStop")
        self.answer.usage, self.answer.ended = read_usage(data.get("usage")), True
        self.expect("latencyMs" in (data.get("metrics") or {}), "no metrics.latencyMs")

    def collect(self):
        for _, block in sorted(self.blocks.items()):
            self.answer.add_text(block.get("text", ""))
            self.answer.add_reasoning(block.get("r:text", ""))
            self.answer.signatures += [block[name] for name in ("r:signature", "r:redactedContent") if name in block]
            if "tool" in block:
                tool = block["tool"]
                if tool.get("type") == "server_tool_use":
                    self.answer.server_items.append("server_tool_use")
                    continue
                args = neutral.arguments(tool["text"])
                self.answer.add_tool(neutral.Tool(tool.get("toolUseId"), tool.get("name"), args))
        self.answer.choices = [self.answer.text]


def decode_stream(body, strict=True, **_):
    answer = neutral.Answer(ended=False)
    events, problems = frames.frames(body)
    answer.events = len(events)
    stream = Stream(answer, strict)
    for event in events:
        stream.event(event)
    stream.collect()
    answer.ended = stream.stopped and not problems
    if strict:
        answer.problems += problems
        if answer.error is None:
            answer.expect(stream.stopped, "no messageStop")
            answer.expect(answer.usage is not None, "no metadata")
            answer.expect(answer.finish is not None, f"stopReason {answer.native}")
            check_tools(answer)
    return answer


def unwrap_invoke(body):
    """The model's own events inside an invoke-with-response-stream answer, as SSE."""
    import base64

    events, _ = frames.frames(body)
    text = ""
    for event in events:
        if event.name == "chunk":
            inner = json.loads(base64.b64decode(json.loads(event.data)["bytes"]))
            text += f"event: {inner['type']}\ndata: {json.dumps(inner)}\n\n"
    return text.encode()
