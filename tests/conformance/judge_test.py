"""The judge judged: whole answers pass, every answer with something wrong in it is found out. Needs no recordings."""

import json
import os
import pathlib
import random
import types

import cases as recordings
import pytest
from judge import answers, canned, compare_answer, compare_request, neutral, requests, schemas, silence
from judge import specified, vary_answers
from wire import frames

STREAMED = [dialect for dialect in recordings.DIALECTS if dialect != recordings.GEMINI]  # one event is no stream


def pieces(dialect):
    """The events of a whole stream, as bytes."""
    body = canned.reply(dialect, True).body
    marks = [0, *frames.boundaries(body, "aws_eventstream" if dialect == recordings.BEDROCK else "sse")]
    return [body[start:end] for start, end in zip(marks, marks[1:])]


@pytest.mark.parametrize("dialect", recordings.DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_whole_answer_is_clean(dialect, stream):
    found = answers.decode(dialect, canned.reply(dialect, stream).body, stream)
    assert (found.text, found.finish, found.problems, found.ended) == (canned.TEXT, neutral.STOP, [], True)


@pytest.mark.parametrize("dialect", STREAMED)
def test_a_stream_without_one_of_its_events_is_not(dialect):
    events = pieces(dialect)
    for left_out in range(len(events)):
        body = b"".join(event for number, event in enumerate(events) if number != left_out)
        found = answers.decode(dialect, body, True)
        assert found.problems or found.text != canned.TEXT, f"event {left_out} of {len(events)}"


@pytest.mark.parametrize("dialect", STREAMED)
def test_a_stream_with_an_event_twice_is_not(dialect):
    events = pieces(dialect)
    for twice in range(len(events)):
        body = b"".join(event * (2 if number == twice else 1) for number, event in enumerate(events))
        found = answers.decode(dialect, body, True)
        assert found.problems or found.text != canned.TEXT, f"event {twice} of {len(events)}"


def test_a_wrong_checksum_ends_a_stream_of_frames():
    body = bytearray(canned.reply(recordings.BEDROCK, True).body)
    body[-3] ^= 1
    found = answers.decode(recordings.BEDROCK, bytes(body), True)
    assert not found.ended and found.problems


def answer(**changes):
    tool = neutral.Tool("call_1", "weather", {"town": "Ulm", "days": 3})
    usage = neutral.usage(10, 4, 0, 6, 2)
    told = neutral.Answer(text="It rains.", reasoning="Hm.", tools=[tool], finish=neutral.TOOL, usage=usage)
    told.blocks = [["text", "It rains."], ["tool", "weather"]]
    for name, value in changes.items():
        setattr(told, name, value)
    return told


DAMAGES = {
    "text": {"text": "It rains"},
    "reasoning": {"reasoning": ""},
    "tools": {"tools": []},
    "tool_args": {"tools": [neutral.Tool("call_1", "weather", {"town": "Ulm", "days": 3.0})]},
    "tool_id": {"tools": [neutral.Tool("call_2", "weather", {"town": "Ulm", "days": 3})]},
    "finish": {"finish": neutral.STOP},
    "usage": {"usage": None},
    "usage.input": {"usage": neutral.usage(14, 4, 0, 6, 2)},
    "usage.reasoning": {"usage": neutral.usage(10, 4, 0, 6, 0)},
    "order": {"blocks": [["tool", "weather"], ["text", "It rains."]]},
    "grammar": {"problems": ["message_stop twice"]},
    "error": {"error": {"message": "broken"}},
}


def test_equal_answers_are_equal():
    assert compare_answer.compare(answer(), answer(), recordings.RESPONSES, recordings.GEMINI) == []


@pytest.mark.parametrize("aspect", DAMAGES)
def test_a_damage_to_an_answer_is_found(aspect):
    found = compare_answer.compare(answer(**DAMAGES[aspect]), answer(), recordings.RESPONSES, recordings.GEMINI)
    assert aspect in [each for each, _ in found]


SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}, "days": {"type": "integer"}},
          "required": ["town"]}
REQUEST = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"town":"Ulm"}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "Rain"},
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "Tells", "parameters": SCHEMA}}],
    "tool_choice": "required",
    "max_completion_tokens": 50,
    "temperature": 0.5,
    "stop": ["END"],
}


def changed(path, value):
    request = json.loads(json.dumps(REQUEST))
    *steps, last = path
    target = request
    for step in steps:
        target = target[step]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return request


REQUEST_DAMAGES = [
    (["messages", 0], None, "system"),
    (["messages", 1, "content"], "Whether?", "text"),
    (["messages", 3], None, "results"),
    (["messages", 3, "content"], "Sun", "results"),
    (["messages", 3, "tool_call_id"], "c2", "pairing"),
    (["messages", 2, "tool_calls", 0, "function", "arguments"], "{}", "calls"),
    (["tools", 0, "function", "description"], "", "tool_description"),
    (["tools", 0, "function", "parameters", "required"], [], "tool_schema"),
    (["tools"], None, "tools"),
    (["tool_choice"], "auto", "tool_choice"),
    (["max_completion_tokens"], 51, "max_tokens"),
    (["temperature"], None, "temperature"),
    (["stop"], None, "stop"),
]


def test_equal_requests_are_equal():
    read = requests.read(recordings.CHAT, REQUEST)
    assert compare_request.compare(read, read, recordings.CHAT, "") == []


@pytest.mark.parametrize("path, value, aspect", REQUEST_DAMAGES)
def test_a_damage_to_a_request_is_found(path, value, aspect):
    asked = requests.read(recordings.CHAT, REQUEST)
    sent = requests.read(recordings.CHAT, changed(path, value))
    assert aspect in [each for each, _ in compare_request.compare(asked, sent, recordings.CHAT, "")]


def test_schemas_differ_by_what_they_take():
    upper = {"type": "OBJECT", "properties": {"town": {"type": "STRING"}, "days": {"type": "INTEGER"}},
             "required": ["town"]}
    assert schemas.differences(SCHEMA, upper) == ""
    assert schemas.differences(SCHEMA, {**SCHEMA, "required": []}) != ""
    assert schemas.differences(SCHEMA, {**SCHEMA, "properties": {"town": {"type": "number"}}}) != ""


def test_texts_must_come_letter_by_letter():
    assert compare_request.remainder(["a b", "c"], "<x>a b\n\nc").strip() == "<x>"
    assert compare_request.remainder([" a "], "a") == ""
    assert compare_request.remainder(["a  b"], "a b") is None
    assert compare_request.remainder(["a", "b"], "b a") is None


def test_what_is_said_in_silence():
    body = {"messages": [], "service_tier": "flex", "user": "u", "logit_bias": {}}
    assert silence.silent(recordings.CHAT, body, {"metadata": {"user_id": "u"}}, "") == [
        "service_tier is neither sent nor in the warnings"
    ]
    assert silence.silent(recordings.CHAT, body, {"x": "u"}, 'dropped;field="service_tier"') == []
    gemini = {"contents": [], "generation_config": {"media_resolution": "LOW", "top_p": 1}}
    assert silence.silent(recordings.GEMINI, gemini, {}, "") == ["mediaResolution is neither sent nor in the warnings"]


def test_answers_are_held_against_the_specification():
    folder = pathlib.Path(os.environ.get("LLMGW_CASES", "../shared/cases")) / "_specs"
    if not folder.is_dir():
        pytest.skip("no specifications here")
    specification = specified.Specification(folder)
    _, events = canned.openai_responses()
    [delta] = [data for name, data in events if name == "response.output_text.delta"]
    for told, right in ((delta, True), (delta | {"delta": 7}, False), ({**delta, "type": "response.tomorrow"}, False)):
        body = f"event: {told['type']}\ndata: {json.dumps(told)}\n\n".encode()
        assert (specification.problems(recordings.RESPONSES, body, True) == []) is right
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
             "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]}
    assert specification.problems(recordings.CHAT, f"data: {json.dumps(chunk)}\n\n".encode(), True) == []
    chunk["choices"][0]["finish_reason"] = "tomorrow"
    assert specification.problems(recordings.CHAT, f"data: {json.dumps(chunk)}\n\n".encode(), True)


ENDS = {"strange_finish": (None, "unknown")}


@pytest.mark.parametrize("name", vary_answers.VARIATIONS)
def test_variations_say_the_same_or_what_they_mean_to(name):
    """A variation of an answer is still one that the judge's own reader takes, streamed and not."""
    made = 0
    for dialect in (recordings.CHAT, recordings.ANTHROPIC, recordings.GEMINI, recordings.BEDROCK, recordings.RESPONSES):
        for stream in (False, True):
            reply = canned.reply(dialect, stream)
            wire = "json" if not stream else "aws_eventstream" if dialect == recordings.BEDROCK else "sse"
            case = types.SimpleNamespace(dialect=dialect, streaming=stream, wire=wire, number=1)
            body = vary_answers.VARIATIONS[name](vary_answers.Body(case, reply.body), random.Random(1))
            if body is None or body == reply.body:
                continue
            made += 1
            found = answers.decode(dialect, body, stream, strict=False)
            assert found.text.endswith(canned.TEXT) and found.finish in ENDS.get(name, ("stop",))
    assert made or name in ("odd_calls", "huge_arguments", "usage_everywhere")
