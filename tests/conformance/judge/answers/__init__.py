"""Decoders: what a client reads out of an answer's bytes, and whether the dialect's grammar was kept."""

import json

import cases as recordings

from . import anthropic, bedrock, cohere, gemini, openai_chat, openai_responses

MODULES = {
    recordings.CHAT: openai_chat,
    recordings.RESPONSES: openai_responses,
    recordings.ANTHROPIC: anthropic,
    recordings.GEMINI: gemini,
    recordings.BEDROCK: bedrock,
    recordings.COHERE: cohere,
}


def decode(dialect, body, stream, strict=True, **options):
    module = MODULES[dialect]
    return module.decode_stream(body, strict, **options) if stream else module.decode(body, strict)


def origin(case, body=None):
    """The recording's own answer, or `body` instead of it, read leniently: what the provider said."""
    body = case.response if body is None else body
    if case.invoke and case.wire == "aws_eventstream":
        return decode(recordings.ANTHROPIC, bedrock.unwrap_invoke(body), True, False)
    if case.dialect == recordings.GEMINI and case.wire == "json" and case.streaming:
        return decode(recordings.GEMINI, b"[" + body + b"]", True, False)
    return decode(case.dialect, body, case.streaming, False)


def self_check(case):
    """Where these decoders and the recording's own reading disagree."""
    found, expected, wrong = origin(case), case.expected, []

    def same(name, left, right):
        if left != right:
            wrong.append(f"{name}: {json.dumps(left, default=str)[:200]} is not {json.dumps(right, default=str)[:200]}")

    same("text", found.text, expected.get("text"))
    same("reasoning", found.reasoning, expected.get("reasoning_text"))
    same("tools", [[tool.name, tool.args] for tool in found.tools],
         [[tool["name"], tool["args"]] for tool in expected.get("tool_calls") or []])
    same("finish", found.finish, (expected.get("finish") or {}).get("canonical"))
    same("citations", found.citations, expected.get("citations"))
    usage = expected.get("usage")
    if usage and found.usage:
        same("input", found.usage["input"], usage.get("input_total"))
        same("cached", found.usage["cached"], usage.get("input_cached") or 0)
        same("output", found.usage["output"], usage.get("output_total"))
    else:
        same("usage", bool(found.usage and found.usage.get("input")), bool(usage and usage.get("input_total")))
    return wrong
