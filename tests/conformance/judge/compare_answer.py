"""Compares what a client of one dialect reads with what the provider said in another: findings are (aspect, text)."""

import json
import re

import cases as recordings

from . import neutral
from .neutral import ERROR, FILTER, LENGTH, PAUSE, STOP, TOOL

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE

# What a client may read for each reason (facts 3), in the neutral words of its own dialect.
FINISH = {
    STOP: dict.fromkeys(recordings.DIALECTS, {STOP}),
    LENGTH: dict.fromkeys(recordings.DIALECTS, {LENGTH}),
    TOOL: dict.fromkeys(recordings.DIALECTS, {TOOL}),
    FILTER: dict.fromkeys(recordings.DIALECTS, {FILTER}) | {COHERE: {FILTER, ERROR}},
    PAUSE: dict.fromkeys(recordings.DIALECTS, {STOP, PAUSE}),
    # Never a clean stop.
    ERROR: dict.fromkeys(recordings.DIALECTS, {ERROR, FILTER}) | {GEMINI: {ERROR, FILTER, "unknown"}},
}
ORDERED = (RESPONSES, ANTHROPIC, GEMINI, BEDROCK)  # keep the order of text and calls
REASONING_COUNTED = (CHAT, RESPONSES, GEMINI)
WRITES_COUNTED = (ANTHROPIC, BEDROCK)
ID_RULES = {
    CHAT: lambda text: len(text) <= 40,
    RESPONSES: lambda text: len(text) <= 64,
    ANTHROPIC: lambda text: re.fullmatch(r"[a-zA-Z0-9_-]+", text) is not None,
    BEDROCK: lambda text: re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", text) is not None,
    GEMINI: bool,
    COHERE: bool,
}


def short(value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 300 else text[:200] + " ... " + text[-80:]


def differ(findings, aspect, found, wanted):
    if found != wanted:
        findings.append((aspect, f"{short(found)} instead of {short(wanted)}"))


def without_joints(text):
    return text.replace("\n\n", "")


def compare_tools(findings, answer, told, client):
    differ(findings, "tools", [tool.name for tool in answer.tools], [tool.name for tool in told.tools])
    if len(answer.tools) != len(told.tools):
        return
    for found, wanted in zip(answer.tools, told.tools):
        if wanted.custom and not found.custom:
            if not contains(found.args, wanted.args):
                findings.append(("tool_args", f"{short(found.args)} does not hold {short(wanted.args)}"))
        elif not neutral.same_json(found.args, object_of(wanted.args, client)):
            findings.append(("tool_args", f"{short(found.args)} instead of {short(wanted.args)}"))
        if wanted.id and ID_RULES[client](wanted.id) and found.id != wanted.id:
            findings.append(("tool_id", f"{found.id} instead of {wanted.id}"))
    ids = [tool.id for tool in answer.tools if tool.id]
    if len(ids) != len(set(ids)) and len(told.tools) == len({tool.id for tool in told.tools}):
        findings.append(("tool_id", f"ids repeat: {ids}"))


def object_of(args, client):
    """Arguments that are no object have to be wrapped where the dialect takes only objects."""
    return args


def contains(value, text):
    if isinstance(value, dict):
        return any(contains(each, text) for each in value.values())
    return value == text


def compare_usage(findings, answer, told, client):
    wanted, found = told.usage, answer.usage
    if wanted is None or not (wanted["input"] or wanted["output"]):
        if found and (found["input"] or found["output"]):
            findings.append(("usage", f"{short(found)} although the provider told none"))
        return
    if found is None:
        findings.append(("usage", f"none instead of {short(wanted)}"))
        return
    differ(findings, "usage.input", found["input"], wanted["input"])
    if wanted["cached"] <= wanted["input"] or found["cached"]:  # more cached than read: a count nobody can pass on
        differ(findings, "usage.cached", found["cached"], wanted["cached"])
    if client in WRITES_COUNTED or found["written"]:
        differ(findings, "usage.written", found["written"], wanted["written"])
    reasoning = wanted["reasoning"] or 0
    outputs = {wanted["output"]}
    if wanted["output"] is not None and reasoning > wanted["output"]:
        outputs.add(wanted["output"] + reasoning)  # xAI counts reasoning apart
    if found["output"] not in outputs:
        findings.append(("usage.output", f"{found['output']} instead of {wanted['output']}"))
    if client in REASONING_COUNTED or found["reasoning"]:
        differ(findings, "usage.reasoning", found["reasoning"] or 0, reasoning)


def compare_order(findings, answer, told, client, dialect):
    if client not in ORDERED or dialect not in ORDERED:
        return

    def order(each):
        return [block for block in merged(each.blocks) if block[0] != "reasoning"]

    if order(answer) != order(told) and answer.text == told.text:
        findings.append(("order", f"{short(order(answer))} instead of {short(order(told))}"))


def merged(blocks):
    """Blocks without reasoning, neighbours of text joined."""
    found = []
    for kind, value in blocks:
        if kind == "reasoning":
            continue
        if kind == "text" and found and found[-1][0] == "text":
            found[-1][1] += value
        else:
            found.append([kind, value])
    return found


def compare_finish(findings, answer, told, client):
    if told.finish is None:
        return
    if told.refusal is not None and told.finish == STOP:
        if answer.refusal is None and answer.finish != FILTER and told.refusal not in answer.text:
            findings.append(("refusal", f"finish {answer.native} and no refusal instead of {short(told.refusal)}"))
        return
    allowed = FINISH.get(told.finish, {}).get(client, {told.finish})
    if told.finish == FILTER and answer.refusal is not None:
        return
    if answer.finish not in allowed:
        findings.append(("finish", f"{answer.native} ({answer.finish}) instead of {told.native} ({told.finish})"))


def compare_texts(findings, answer, told, client):
    refused = told.refusal or ""
    silent = refused and not answer.refusal and not answer.text and answer.finish != FILTER
    if answer.text not in {told.text, told.text + refused} or silent:
        findings.append(("text", f"{short(answer.text)} instead of {short(told.text)}"))
    if without_joints(answer.reasoning) != without_joints(told.reasoning):
        findings.append(("reasoning", f"{short(answer.reasoning)} instead of {short(told.reasoning)}"))
    if len(told.choices) > 1 and client in (CHAT, GEMINI):
        differ(findings, "choices", answer.choices, told.choices)


def compare(answer, told, client, dialect):
    findings = []
    if answer.problems:
        findings.append(("grammar", "; ".join(answer.problems)))
    if told.finish == ERROR and (answer.error or answer.finish in FINISH[ERROR][client]):
        return findings
    if answer.error:
        findings.append(("error", short(answer.error)))
        return findings
    compare_texts(findings, answer, told, client)
    compare_tools(findings, answer, told, client)
    compare_finish(findings, answer, told, client)
    compare_usage(findings, answer, told, client)
    compare_order(findings, answer, told, client, dialect)
    if told.citations:
        aspect = "citations" if told.web == told.citations else "citations.other"
        differ(findings, aspect, answer.citations, told.citations)
    if told.media:
        differ(findings, "media", answer.media, told.media)
    if told.logprobs and client in (CHAT, RESPONSES, GEMINI):
        differ(findings, "logprobs", answer.logprobs, told.logprobs)
    return findings
