"""Answers through the types of the providers' own SDKs: everything must validate, and nothing unknown may stand in them
but the documented extensions."""

import functools
import json

import cases as recordings
from wire import frames

from .structure import shape, with_bytes

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE

PROBLEMS_MAX = 3
# What vendors added to Chat Completions and clients know: thoughts as text and Google's place for signatures.
# OpenAI's specification wants `name` in function_call_arguments.done; its SDK does not know it.
EXTENSIONS = {"name", "reasoning_content", "reasoning", "reasoning_details", "extra_content", "obfuscation", "images"}


def extras(value, path=""):
    """Paths of members that the SDK's types do not have."""
    import pydantic

    found = []
    if isinstance(value, pydantic.BaseModel):
        found += [f"{path}.{name} is unknown" for name in value.model_extra or {} if name not in EXTENSIONS]
        for name in type(value).model_fields:
            found += extras(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for each in value:
            found += extras(each, path + "[]")
    return found


@functools.cache
def adapters(dialect):
    """(of an answer, of a stream's event)"""
    import pydantic

    if dialect == CHAT:
        from openai.types import chat

        return pydantic.TypeAdapter(chat.ChatCompletion), pydantic.TypeAdapter(chat.ChatCompletionChunk)
    if dialect == RESPONSES:
        from openai.types import responses

        return pydantic.TypeAdapter(responses.Response), pydantic.TypeAdapter(responses.ResponseStreamEvent)
    if dialect == ANTHROPIC:
        from anthropic import types

        return pydantic.TypeAdapter(types.Message), pydantic.TypeAdapter(types.RawMessageStreamEvent)
    from google.genai import types

    both = pydantic.TypeAdapter(types.GenerateContentResponse)
    return both, both


def validated(adapter, value):
    import pydantic

    try:
        return extras(adapter.validate_python(value))
    except pydantic.ValidationError as error:
        return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:PROBLEMS_MAX]]
    except AttributeError as error:  # google-genai's enumerations take no numbers
        return [str(error)]


@functools.cache
def bedrock_operation(name):
    import botocore.session

    return botocore.session.get_session().get_service_model("bedrock-runtime").operation_model(name).output_shape


def bedrock_problems(value, shape):
    import botocore.validate

    report = botocore.validate.ParamValidator().validate(with_bytes(value, shape), shape)
    return report.generate_report().splitlines()[:PROBLEMS_MAX] if report.has_errors() else []


def bedrock(body, stream):
    if not stream:
        return bedrock_problems(json.loads(body), bedrock_operation("Converse"))
    members = bedrock_operation("ConverseStream").members["stream"].members
    found = []
    for event in frames.frames(body)[0]:
        if event.headers.get(":message-type") == "event":
            if event.name in members:
                found += bedrock_problems(event.json(), members[event.name])
            else:
                found.append(f"event {event.name}")
    return found


def stream_values(dialect, body):
    if dialect == GEMINI and body.lstrip()[:1] == b"[":
        return [event.json() for event in frames.json_array(body)[0]]
    return [event.json() for event in frames.sse(body)[0]
            if event.data.strip() != "[DONE]" and event.name not in ("ping", "error")]


class Types:
    """What the recordings' own answers have is no fault, whatever the SDK's types say: looked up when first needed."""

    def __init__(self, cases):
        self.cases, self.taken = cases, {}

    def problems(self, dialect, body, stream):
        found = problems(dialect, body, stream)
        return [each for each in found if shape(each) not in self.natural(dialect)] if found else []

    def natural(self, dialect):
        if dialect not in self.taken:
            self.taken[dialect] = {
                shape(each)
                for case in self.cases
                if case.conversation and case.dialect == dialect and case.status < 400 and not case.invoke
                for each in problems(dialect, case.response, case.wire != "json")
            }
        return self.taken[dialect]


def problems(dialect, body, stream):
    if dialect == BEDROCK:
        return list(dict.fromkeys(bedrock(body, stream)))[:PROBLEMS_MAX]
    if dialect == COHERE:
        return []
    whole, part = adapters(dialect)
    if not stream:
        return validated(whole, json.loads(body))[:PROBLEMS_MAX]
    found = []
    for value in stream_values(dialect, body):
        if not value.get("error"):
            found += validated(part, value)
    return list(dict.fromkeys(found))[:PROBLEMS_MAX]
