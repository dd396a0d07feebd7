"""Conversations of a client that goes on: its requests, and how it puts an answer back into its history, as its SDK
does, whole and unread."""

import json

import cases as recordings
from wire import frames

from . import asks
from .neutral import arguments

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE


class Loop:
    """`asked` is the first request (conversation.Request); settings and tools stay the same."""

    history = "messages"

    def __init__(self, asked):
        self.items, self.system = [], "\n\n".join(asked.system())
        self.tools = [tool for tool in asked.tools if tool.kind == "function"]
        self.thinking = asked.reasoning == "on"
        self.begin()
        for turn in asked.merged():
            self.turn(turn)
        if not asked.merged():
            self.user(["Begin."], [])  # Gemini goes by the system instruction alone; others do not

    def begin(self):
        if self.system:
            self.items.append({"role": "system", "content": self.system})

    def turn(self, turn):
        """A turn of the recorded history, its texts, calls and results."""
        texts = [part.text for part in turn.parts if part.kind == "text"]
        calls = [part for part in turn.parts if part.kind == "call"]
        results = [part for part in turn.parts if part.kind == "result"]
        if turn.role == "assistant":
            self.said(texts, calls)
        else:
            told = [(part.id, part.name, "".join(each.text for each in part.parts)) for part in results]
            self.user(texts, told)

    def body(self):
        names = [tool.name for tool in self.tools]
        body = asks.SMALLEST[self.dialect](list(dict.fromkeys(names)), self.thinking)
        body[self.history] = self.items
        self.describe(body)
        return body

    def describe(self, body):
        pass


class Chat(Loop):
    dialect = CHAT

    def said(self, texts, calls):
        message = {"role": "assistant", "content": "".join(texts) or None}
        if calls:
            message["tool_calls"] = [chat_call(part) for part in calls]
        self.items.append(message)

    def user(self, texts, results):
        self.items += [{"role": "tool", "tool_call_id": key, "content": text} for key, _, text in results]
        if texts:
            self.items.append({"role": "user", "content": "".join(texts)})

    def absorb(self, body, stream):
        message = self.streamed(body) if stream else json.loads(body)["choices"][0]["message"]
        self.items.append(message)
        return [(each["id"], each["function"]["name"]) for each in message.get("tool_calls") or []]

    @staticmethod
    def streamed(body):
        message = {"role": "assistant", "content": None}
        for event in frames.sse(body)[0]:
            if event.data.strip() == "[DONE]":
                continue
            for choice in event.json().get("choices") or []:
                merge(message, choice.get("delta") or {})
        for call in message.get("tool_calls") or []:
            call.pop("index", None)
        return message


def chat_call(part):
    function = {"name": part.name, "arguments": json.dumps(part.args)}
    return {"id": part.id or part.name, "type": "function", "function": function}


FIXED = ("role", "type", "id", "index", "name", "format", "signature")


def merge(into, delta):
    """As the SDKs put deltas together: texts join, lists by index, what is not known is kept."""
    for key, value in delta.items():
        old = into.get(key)
        if key == "tool_calls" or (isinstance(value, list) and value and isinstance(value[0], dict)
                                   and "index" in value[0]):
            known = into.setdefault(key, [])
            for each in value:
                slot = next((one for one in known if one.get("index") == each.get("index")), None)
                if slot is None:
                    known.append(dict(each, function=dict(each.get("function") or {})) if "function" in each
                                 else dict(each))
                else:
                    merge(slot, each)
        elif isinstance(value, list):
            into[key] = (old or []) + value
        elif isinstance(value, str) and isinstance(old, str) and key not in FIXED:
            into[key] = old + value
        elif isinstance(value, dict) and isinstance(old, dict):
            merge(old, value)
        elif value is not None or key not in into:
            into[key] = value


class Responses(Loop):
    dialect, history = RESPONSES, "input"

    def said(self, texts, calls):
        if texts:
            self.items.append({"role": "assistant", "content": "".join(texts)})
        for part in calls:
            args = json.dumps(part.args)
            self.items.append({"type": "function_call", "call_id": part.id or part.name, "name": part.name,
                               "arguments": args})

    def user(self, texts, results):
        self.items += [{"type": "function_call_output", "call_id": key, "output": text} for key, _, text in results]
        if texts:
            self.items.append({"role": "user", "content": "".join(texts)})

    def absorb(self, body, stream):
        if stream:
            output = next(event.json()["response"]["output"] for event in frames.sse(body)[0]
                          if event.name in ("response.completed", "response.incomplete"))
        else:
            output = json.loads(body)["output"]
        self.items += output
        return [(each["call_id"], each["name"]) for each in output if each["type"] == "function_call"]


class Anthropic(Loop):
    dialect = ANTHROPIC

    def begin(self):
        pass

    def describe(self, body):
        if self.system:
            body["system"] = self.system

    def said(self, texts, calls):
        blocks = [{"type": "text", "text": each} for each in texts]
        blocks += [{"type": "tool_use", "id": part.id or part.name, "name": part.name, "input": part.args}
                   for part in calls]
        self.items.append({"role": "assistant", "content": blocks})

    def user(self, texts, results):
        blocks = [{"type": "tool_result", "tool_use_id": key, "content": text} for key, _, text in results]
        self.items.append({"role": "user", "content": blocks + [{"type": "text", "text": each} for each in texts]})

    def absorb(self, body, stream):
        content = self.streamed(body) if stream else json.loads(body)["content"]
        self.items.append({"role": "assistant", "content": content})
        return [(each["id"], each["name"]) for each in content if each["type"] == "tool_use"]

    @staticmethod
    def streamed(body):
        blocks, texts = {}, {}
        for event in frames.sse(body)[0]:
            data = event.json()
            if data["type"] == "content_block_start":
                blocks[data["index"]], texts[data["index"]] = dict(data["content_block"]), ""
            elif data["type"] == "content_block_delta":
                block, delta = blocks[data["index"]], data["delta"]
                for name in ("text", "thinking", "signature"):
                    block.update({name: block.get(name, "") + delta[name]} if name in delta else {})
                texts[data["index"]] += delta.get("partial_json", "")
        for index, block in blocks.items():
            if block["type"] == "tool_use":
                block["input"] = arguments(texts[index])
        return [blocks[index] for index in sorted(blocks)]


class Gemini(Loop):
    dialect, history = GEMINI, "contents"

    def begin(self):
        self.names = {}

    def describe(self, body):
        if self.system:
            body["systemInstruction"] = {"parts": [{"text": self.system}]}

    def said(self, texts, calls):
        parts = [{"text": each} for each in texts]
        parts += [{"functionCall": {"name": part.name, "args": part.args}} for part in calls]
        self.names.update({part.id: part.name for part in calls})
        self.items.append({"role": "model", "parts": parts})

    def user(self, texts, results):
        parts = []
        for key, name, text in results:
            response = {"name": name or self.names.get(key) or key, "response": {"result": text}}
            if key and key in self.ids():
                response["id"] = key
            parts.append({"functionResponse": response})
        parts += [{"text": each} for each in texts]
        self.items.append({"role": "user", "parts": parts})

    def ids(self):
        return {part["functionCall"].get("id") for item in self.items for part in item["parts"]
                if "functionCall" in part}

    def absorb(self, body, stream):
        if stream:
            array = body.lstrip()[:1] == b"["
            events = (frames.json_array(body) if array else frames.sse(body))[0]
            chunks = [event.json() for event in events]
        else:
            chunks = [json.loads(body)]
        parts = []
        for chunk in chunks:
            for candidate in chunk.get("candidates") or []:
                parts += (candidate.get("content") or {}).get("parts") or []
        self.items.append({"role": "model", "parts": parts})
        return [(each["functionCall"].get("id"), each["functionCall"]["name"]) for each in parts
                if "functionCall" in each]


class Bedrock(Loop):
    dialect = BEDROCK

    def begin(self):
        pass

    def describe(self, body):
        if self.system:
            body["system"] = [{"text": self.system}]

    def said(self, texts, calls):
        blocks = [{"text": each} for each in texts]
        blocks += [{"toolUse": {"toolUseId": part.id or part.name, "name": part.name, "input": part.args}}
                   for part in calls]
        self.items.append({"role": "assistant", "content": blocks})

    def user(self, texts, results):
        blocks = [{"toolResult": {"toolUseId": key, "content": [{"text": text}]}} for key, _, text in results]
        self.items.append({"role": "user", "content": blocks + [{"text": each} for each in texts]})

    def absorb(self, body, stream):
        content = self.streamed(body) if stream else json.loads(body)["output"]["message"]["content"]
        self.items.append({"role": "assistant", "content": content})
        return [(each["toolUse"]["toolUseId"], each["toolUse"]["name"]) for each in content if "toolUse" in each]

    @staticmethod
    def streamed(body):
        blocks = {}
        for event in frames.frames(body)[0]:
            if event.name not in ("contentBlockStart", "contentBlockDelta"):
                continue
            data = event.json()
            block = blocks.setdefault(data["contentBlockIndex"], {})
            if event.name == "contentBlockStart" and "toolUse" in data["start"]:
                block["toolUse"] = dict(data["start"]["toolUse"], input="")
            delta = data.get("delta") or {}
            if "text" in delta:
                block["text"] = block.get("text", "") + delta["text"]
            if "toolUse" in delta:
                block["toolUse"]["input"] += delta["toolUse"]["input"]
            for name, value in (delta.get("reasoningContent") or {}).items():
                if name == "redactedContent":
                    block["reasoningContent"] = {name: value}
                else:
                    told = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {"text": ""})
                    told[name] = told.get(name, "") + value
        for block in blocks.values():
            if "toolUse" in block:
                block["toolUse"]["input"] = arguments(block["toolUse"]["input"])
        return [blocks[index] for index in sorted(blocks) if blocks[index]]


class Cohere(Chat):
    dialect = COHERE

    def said(self, texts, calls):
        message = {"role": "assistant"}
        if texts:
            message["tool_plan" if calls else "content"] = "".join(texts)
        if calls:
            message["tool_calls"] = [chat_call(part) for part in calls]
        self.items.append(message)

    def absorb(self, body, stream):
        message = self.streamed(body) if stream else json.loads(body)["message"]
        self.items.append(message)
        return [(each["id"], each["function"]["name"]) for each in message.get("tool_calls") or []]

    @staticmethod
    def streamed(body):
        message = {"role": "assistant"}
        for event in frames.sse(body)[0]:
            data = event.json()
            told = (data.get("delta") or {}).get("message") or {}
            kind = data["type"]
            if kind == "content-start":
                message.setdefault("content", []).append(dict(told["content"]))
            elif kind == "content-delta":
                merge(message["content"][-1], told["content"])
            elif kind == "tool-plan-delta":
                message["tool_plan"] = message.get("tool_plan", "") + told["tool_plan"]
            elif kind == "tool-call-start":
                call = dict(told["tool_calls"])
                call["function"] = dict(call["function"])
                message.setdefault("tool_calls", []).append(call)
            elif kind == "tool-call-delta":
                merge(message["tool_calls"][-1], told["tool_calls"])
        return message


LOOPS = {each.dialect: each for each in (Chat, Responses, Anthropic, Gemini, Bedrock, Cohere)}
