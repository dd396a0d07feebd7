"""generateContent answers: JSON, SSE and JSON-array streams (grammar: facts 1.4 and 4)."""

import json
import re

from wire import frames

from .. import neutral

FILTERS = (
    "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT "
    "IMAGE_RECITATION NO_IMAGE MODEL_ARMOR"
).split()
FINISH = {
    "STOP": neutral.STOP,
    "OTHER": neutral.STOP,
    "IMAGE_OTHER": neutral.STOP,
    "FINISH_REASON_UNSPECIFIED": neutral.STOP,
    "MAX_TOKENS": neutral.LENGTH,
    "MALFORMED_FUNCTION_CALL": neutral.ERROR,
    "UNEXPECTED_TOOL_CALL": neutral.ERROR,
    "TOO_MANY_TOOL_CALLS": neutral.ERROR,
    "MALFORMED_RESPONSE": neutral.ERROR,
    "MISSING_THOUGHT_SIGNATURE": neutral.ERROR,
} | dict.fromkeys(FILTERS, neutral.FILTER)
NUMBERS = ["FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST"]
NUMBERS += ["PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL"]
STEP = re.compile(r"\.([\w\-]+)|\[(\d+)\]|\['([^']+)'\]")


def read_usage(found):
    if not found:
        return None
    thoughts = found.get("thoughtsTokenCount") or 0
    return neutral.usage(
        (found.get("promptTokenCount") or 0) + (found.get("toolUsePromptTokenCount") or 0),
        found.get("cachedContentTokenCount"),
        0,
        (found.get("candidatesTokenCount") or 0) + thoughts,
        thoughts,
    )


def set_path(root, partial):
    """Applies one of Vertex's partialArgs."""
    steps = [name or (int(index) if index else quoted) for name, index, quoted in STEP.findall(partial["jsonPath"])]
    value = next((partial[key] for key in ("stringValue", "numberValue", "boolValue") if key in partial), None)
    current = root
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        if isinstance(step, int):
            current.extend([None] * (step + 1 - len(current)))
            old = current[step]
        else:
            old = current.get(step)
        if last:
            current[step] = old + value if isinstance(old, str) and "stringValue" in partial else value
        elif old is None:
            current[step] = [] if isinstance(steps[number + 1], int) else {}
        current = current[step]


def source_address(chunk):
    source = chunk.get("web") or chunk.get("maps") or chunk.get("retrievedContext") or {}
    return source.get("uri") or ""


def backed(support, addresses):
    """Whether a source with an address backs this part of the text."""
    return any(number < len(addresses) and addresses[number].startswith("http")
               for number in support.get("groundingChunkIndices") or [])


class Reader:
    def __init__(self, answer, strict):
        self.answer, self.strict = answer, strict
        self.usage, self.texts, self.blocked, self.finished = {}, {}, None, None

    def expect(self, condition, problem):
        if self.strict:
            self.answer.expect(condition, problem)

    def chunk(self, chunk):
        if "error" in chunk:
            self.answer.error = chunk["error"]
            return
        answer = self.answer
        self.usage.update(chunk.get("usageMetadata") or {})
        answer.model = chunk.get("modelVersion") or answer.model
        answer.id = chunk.get("responseId") or answer.id
        self.blocked = (chunk.get("promptFeedback") or {}).get("blockReason") or self.blocked
        for candidate in chunk.get("candidates") or []:
            index = candidate.get("index", 0)
            parts = (candidate.get("content") or {}).get("parts") or []
            text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
            self.texts[index] = self.texts.get(index, "") + text
            if index == 0:
                self.candidate(candidate, parts)

    def candidate(self, candidate, parts):
        answer = self.answer
        self.expect(self.finished is None or not parts, "parts after finishReason")
        if candidate.get("content"):
            self.expect(candidate["content"].get("role") in ("model", None), "role of a content")
        for part in parts:
            self.part(part)
        if candidate.get("finishReason"):
            reason = candidate["finishReason"]
            reason = NUMBERS[reason] if isinstance(reason, int) and reason < len(NUMBERS) else reason
            self.expect(self.finished is None, "finishReason twice")
            self.finished = answer.native = reason
            answer.finish = FINISH.get(reason, "unknown")
        grounding = candidate.get("groundingMetadata") or {}
        addresses = [source_address(chunk) for chunk in grounding.get("groundingChunks") or []]
        answer.cite(grounding.get("groundingSupports") or [], lambda each: backed(each, addresses))
        cited = candidate.get("citationMetadata") or {}
        answer.cite(cited.get("citationSources") or cited.get("citations") or [], lambda each: each.get("uri"))
        answer.logprobs += len((candidate.get("logprobsResult") or {}).get("chosenCandidates") or [])

    def part(self, part):
        answer = self.answer
        if part.get("thoughtSignature"):
            answer.signatures.append(part["thoughtSignature"])
        if "functionCall" in part:
            self.call(part["functionCall"] or {})
        elif "text" in part:
            (answer.add_reasoning if part.get("thought") else answer.add_text)(part["text"])
        elif "inlineData" in part:
            answer.media += 1
        else:
            answer.server_items += [name for name in part if name not in ("thought", "thoughtSignature")]

    def call(self, call):
        self.expect("partialArgs" not in call, "partialArgs without being asked for")
        args = call.get("args") if call.get("args") is not None else {}
        if call.get("name"):
            self.answer.add_tool(neutral.Tool(call.get("id"), call["name"], args))
        elif self.answer.tools:
            self.answer.tools[-1].args.update(args)
        for partial in call.get("partialArgs") or []:
            if self.answer.tools:
                set_path(self.answer.tools[-1].args, partial)

    def end(self):
        answer = self.answer
        answer.usage = read_usage(self.usage)
        answer.choices = [self.texts[index] for index in sorted(self.texts)]
        if self.blocked and not self.finished:
            answer.native, answer.finish = f"promptFeedback.blockReason={self.blocked}", neutral.FILTER
        elif answer.tools and answer.finish == neutral.STOP:
            answer.finish = neutral.TOOL
        if self.strict and answer.error is None:
            answer.expect(answer.finish is not None, "no finishReason")
            answer.expect(bool(answer.model), "no modelVersion")
            answer.expect(all(isinstance(tool.args, dict) for tool in answer.tools), "args are no object")
            ids = [tool.id for tool in answer.tools if tool.id]
            answer.expect(len(set(ids)) == len(ids), "functionCall ids repeat")


def decode(body, strict=True):
    answer, document = neutral.Answer(), json.loads(body)
    reader = Reader(answer, strict)
    reader.chunk(document)
    reader.end()
    return answer


def decode_stream(body, strict=True, array=None, **_):
    if array is None:
        array = body.lstrip()[:1] in (b"[", b"{")
    events, problems = frames.json_array(body) if array else frames.sse(body)
    # After a failure the live service writes a bare object that no SSE field introduces.
    answer = neutral.Answer(events=len(events))
    reader = Reader(answer, strict)
    for event in events:
        if strict:
            answer.expect(event.name is None, "a chunk with an event name")
        chunk = event.json()
        reader.chunk(chunk)
    reader.end()
    answer.ended = answer.finish is not None
    if strict:
        answer.problems += problems
    return answer
