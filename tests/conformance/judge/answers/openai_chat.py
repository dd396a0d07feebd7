"""Chat Completions answers: JSON and stream (grammar: facts 1.1 and 4)."""

import json

from wire import frames

from .. import neutral

FINISH = {
    "stop": neutral.STOP,
    "length": neutral.LENGTH,
    "tool_calls": neutral.TOOL,
    "function_call": neutral.TOOL,
    "content_filter": neutral.FILTER,
    "error": neutral.ERROR,
}


def read_usage(found):
    if not found:
        return None
    prompt = found.get("prompt_tokens_details") or {}
    completion = found.get("completion_tokens_details") or {}
    return neutral.usage(
        found.get("prompt_tokens"),
        prompt.get("cached_tokens"),
        prompt.get("cache_write_tokens"),
        found.get("completion_tokens"),
        completion.get("reasoning_tokens") or 0,
    )


def content_text(content):
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content or ""


def is_web(annotation):
    return (annotation.get("url_citation") or {}).get("url", "").startswith("http")


def read_call(call):
    if call.get("type") == "custom":
        return neutral.Tool(call.get("id"), call["custom"]["name"], call["custom"].get("input"), True)
    function = call.get("function") or {}
    return neutral.Tool(call.get("id"), function.get("name"), neutral.arguments(function.get("arguments")))


def read_message(answer, message):
    answer.add_reasoning(message.get("reasoning_content") or message.get("reasoning") or "")
    answer.add_text(content_text(message.get("content")))
    answer.refusal = message.get("refusal")
    for call in message.get("tool_calls") or []:
        answer.add_tool(read_call(call))
    legacy = message.get("function_call") or {}
    if legacy.get("name"):
        answer.add_tool(neutral.Tool(None, legacy["name"], neutral.arguments(legacy.get("arguments"))))
    answer.media += bool(message.get("audio")) + len(message.get("images") or [])
    answer.cite(message.get("annotations") or [], is_web)


def logprob_count(choice):
    return len((choice.get("logprobs") or {}).get("content") or [])


def decode(body, strict=True):
    answer, document = neutral.Answer(), json.loads(body)
    answer.id, answer.model = document.get("id"), document.get("model")
    for choice in document.get("choices") or []:
        message = choice.get("message") or {}
        answer.choices.append(content_text(message.get("content")) + (message.get("refusal") or ""))
        if choice.get("index", 0) == 0:
            read_message(answer, message)
            answer.native = choice.get("finish_reason")
            answer.finish = FINISH.get(answer.native)
            answer.logprobs += logprob_count(choice)
        if strict:
            answer.expect(message.get("role") == "assistant", "message.role is not assistant")
            answer.expect("content" in message, "message without content")
            answer.expect(choice.get("finish_reason") in FINISH, f"finish_reason {choice.get('finish_reason')}")
    answer.usage = read_usage(document.get("usage"))
    if strict:
        answer.expect(document.get("object") == "chat.completion", "object")
        answer.expect(isinstance(document.get("created"), int), "created")
        answer.expect(bool(document.get("id")), "id")
        answer.expect(bool(document.get("choices")), "no choices")
        check_ids(answer)
    return answer


def check_ids(answer):
    ids = [tool.id for tool in answer.tools]
    answer.expect(all(ids), "a tool call without an id")
    answer.expect(len(set(ids)) == len(ids), "tool call ids repeat")


class Choice:
    """One choice of a stream, and its grammar."""

    def __init__(self, answer, index, strict):
        self.answer, self.index, self.strict = answer, index, strict
        self.text, self.role, self.finished = "", None, None
        self.calls = {}

    def expect(self, condition, problem):
        if self.strict:
            self.answer.expect(condition, f"choice {self.index}: {problem}")

    def chunk(self, choice):
        delta = choice.get("delta") or {}
        self.expect(self.finished is None, "a chunk after finish_reason")
        if self.role is None:
            self.expect(delta.get("role") == "assistant", "the first chunk has no role")
            self.role = delta.get("role") or "assistant"
        if self.index == 0:
            self.first(delta, choice)
        self.text += content_text(delta.get("content")) + (delta.get("refusal") or "")
        for call in delta.get("tool_calls") or []:
            self.call(call)
        legacy = delta.get("function_call")
        if legacy:
            found = self.calls.setdefault("legacy", {"id": None, "name": "", "arguments": ""})
            found["name"] += legacy.get("name") or ""
            found["arguments"] += legacy.get("arguments") or ""
        if choice.get("finish_reason"):
            self.finished = choice["finish_reason"]
            self.expect(self.finished in FINISH, f"finish_reason {self.finished}")

    def first(self, delta, choice):
        self.answer.add_reasoning(delta.get("reasoning_content") or delta.get("reasoning") or "")
        self.answer.add_text(content_text(delta.get("content")))
        if delta.get("refusal"):
            self.answer.refusal = (self.answer.refusal or "") + delta["refusal"]
        self.answer.cite(delta.get("annotations") or [], is_web)
        self.answer.media += len(delta.get("images") or [])
        self.answer.logprobs += logprob_count(choice)

    def call(self, call):
        index, function = call.get("index", 0), call.get("function") or call.get("custom") or {}
        text = function.get("arguments") or function.get("input") or ""
        if index not in self.calls:
            self.expect(index == len(self.calls), "tool call indices are not contiguous")
            self.expect(bool(call.get("id")), "a tool call starts without an id")
            self.expect(call.get("type") in ("function", "custom"), "a tool call starts without a type")
            self.expect(bool(function.get("name")), "a tool call starts without a name")
            self.expect(isinstance(function.get("arguments", ""), str), "arguments are not text")
            self.calls[index] = {"id": call.get("id"), "name": "", "arguments": "", "custom": "custom" in call}
            if self.index == 0:
                self.answer.add("tool", function.get("name"))
        else:
            self.expect(not function.get("name"), "a tool call's name comes again")
            self.expect(call.get("id") in (None, self.calls[index]["id"]), "a tool call's id changes")
        found = self.calls[index]
        found["id"] = found["id"] or call.get("id")
        found["name"] += function.get("name") or ""
        found["arguments"] += text if isinstance(text, str) else json.dumps(text)

    def end(self):
        for key, call in self.calls.items():
            custom = call.get("custom", False)
            args = call["arguments"] if custom else neutral.arguments(call["arguments"])
            if key == "legacy" and self.index == 0:
                self.answer.add("tool", call["name"])
            if self.index == 0:
                self.answer.tools.append(neutral.Tool(call["id"], call["name"], args, custom))


def decode_stream(body, strict=True, include_usage=True, **_):
    answer = neutral.Answer(ended=False)
    events, problems = frames.sse(body)
    answer.events = len(events)
    choices, same, usage_chunks = {}, {}, 0
    for event in events:
        answer.expect(not answer.ended, "an event after [DONE]")
        if event.data.strip() == "[DONE]":
            answer.ended = True
            continue
        chunk = event.json()
        if chunk.get("error"):
            answer.error = chunk["error"]
            continue
        answer.model, answer.id = answer.model or chunk.get("model"), answer.id or chunk.get("id")
        if strict:
            check_chunk(answer, event, chunk, same)
        if chunk.get("usage"):
            answer.usage = read_usage(chunk["usage"])
            usage_chunks += not chunk.get("choices")
            if strict:
                answer.expect(not chunk.get("choices"), "usage in a chunk with choices")
                answer.expect(all(each.finished for each in choices.values()), "usage before finish_reason")
        for choice in chunk.get("choices") or []:
            index = choice.get("index", 0)
            choices.setdefault(index, Choice(answer, index, strict)).chunk(choice)
    for _, choice in sorted(choices.items()):
        choice.end()
        answer.choices.append(choice.text)
    if 0 in choices:
        answer.native = choices[0].finished
        answer.finish = FINISH.get(answer.native)
    if strict:
        answer.problems += problems
        if answer.error is None:
            check_end(answer, choices, usage_chunks, include_usage)
    return answer


def check_chunk(answer, event, chunk, same):
    answer.expect(event.name is None, "a chunk with an event name")
    answer.expect(chunk.get("object") == "chat.completion.chunk", "object of a chunk")
    answer.expect("choices" in chunk, "a chunk without choices")
    for name in ("id", "created", "model"):
        value = same.setdefault(name, chunk.get(name))
        answer.expect(value == chunk.get(name) and value is not None, f"{name} differs between chunks or is absent")


def check_end(answer, choices, usage_chunks, include_usage):
    answer.expect(answer.ended, "no [DONE]")
    answer.expect(bool(choices), "no choice")
    for choice in choices.values():
        choice.expect(choice.finished is not None, "no finish_reason")
    answer.expect(usage_chunks <= int(include_usage), f"{usage_chunks} usage chunks, include_usage {include_usage}")
    check_ids(answer)
