"""A short, whole answer of each dialect, for checks that look at requests alone."""

import json

import cases as recordings
from wire import frames
from wire.upstream import Reply

TEXT = "Yes."
JSON_HEADERS = {"content-type": "application/json"}
SSE_HEADERS = {"content-type": "text/event-stream"}
AWS_HEADERS = {"content-type": "application/vnd.amazon.eventstream"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def openai_chat():
    head = {"id": "chatcmpl-1", "created": 1, "model": "m"}
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    whole = head | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
    deltas = [({"role": "assistant", "content": TEXT}, None), ({}, "stop")]
    events = [
        head
        | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in deltas
    ]
    return whole, [(None, each) for each in events]


def openai_responses():
    content = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [content]}
    usage = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "error": None, "tools": [],
            "incomplete_details": None, "tool_choice": "auto", "parallel_tool_calls": True, "metadata": {}}
    whole = head | {"status": "completed", "output": [item], "usage": usage}
    started = head | {"status": "in_progress", "output": [], "usage": None}
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    empty = content | {"text": ""}
    events = [
        {"type": "response.created", "response": started},
        {"type": "response.output_item.added", "output_index": 0,
         "item": item | {"status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **where, "part": empty},
        {"type": "response.output_text.delta", **where, "delta": TEXT, "logprobs": []},
        {"type": "response.output_text.done", **where, "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": content},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return whole, [(each["type"], each | {"sequence_number": n}) for n, each in enumerate(events)]


def anthropic():
    usage = {"input_tokens": 5, "output_tokens": 2}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    whole = head | {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn", "usage": usage}
    events = [
        {"type": "message_start", "message": head | {"content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return whole, [(each["type"], each) for each in events]


def gemini():
    candidate = {"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    whole = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}
    return whole, [(None, whole)]


def bedrock():
    usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
    message = {"role": "assistant", "content": [{"text": TEXT}]}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}
    events = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
    ]
    return whole, events


def cohere():
    usage = {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 5, "output_tokens": 2}}
    content = {"type": "text", "text": TEXT}
    whole = {"id": "c1", "message": {"role": "assistant", "content": [content]}, "finish_reason": "COMPLETE",
             "usage": usage}
    events = [
        {"id": "c1", "type": "message-start", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": content | {"text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": TEXT}}}},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    return whole, [(each["type"], each) for each in events]


MAKERS = {
    recordings.CHAT: openai_chat,
    recordings.RESPONSES: openai_responses,
    recordings.ANTHROPIC: anthropic,
    recordings.GEMINI: gemini,
    recordings.BEDROCK: bedrock,
    recordings.COHERE: cohere,
}


def aws_frame(name, payload):
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frames.frame(headers, json.dumps(payload).encode())


def reply(dialect, stream):
    whole, events = MAKERS[dialect]()
    if not stream:
        return Reply(200, JSON_HEADERS, json.dumps(whole).encode())
    if dialect == recordings.BEDROCK:
        return Reply(200, AWS_HEADERS, b"".join(aws_frame(*each) for each in events), True)
    lines = [(f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n" for name, data in events]
    if dialect == recordings.CHAT:
        lines.append("data: [DONE]\n\n")
    return Reply(200, SSE_HEADERS, "".join(lines).encode(), True)
