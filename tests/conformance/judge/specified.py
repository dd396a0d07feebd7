"""Answers, every event of every stream, against the schemas of OpenAI's own specification. Nothing is sampled: what has
been seen in the same shape is not looked at again."""

import functools
import gzip
import json

import cases as recordings
from wire import frames

CHAT, RESPONSES = recordings.CHAT, recordings.RESPONSES
PROBLEMS_MAX = 4
SCHEMAS = {(CHAT, False): "CreateChatCompletionResponse", (CHAT, True): "CreateChatCompletionStreamResponse",
           (RESPONSES, False): "Response"}
# Texts that schemas list the values of; of all others only the kind counts.
WORDS = ("type", "status", "role", "finish_reason", "object", "service_tier", "effort", "truncation", "code", "reason",
         "mode", "summary", "verbosity", "phase", "detail", "tool_choice", "prompt_cache_retention", "format", "syntax",
         "search_context_size", "ranker", "environment", "action", "execution")
# What the specification lists as required in answers of its own models and the service itself leaves out: none.


def nullable(schema):
    """`nullable` is left of version 3.0; a validator of 2020-12 does not know it."""
    if isinstance(schema, list):
        return [nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: nullable(each) for key, each in schema.items() if key != "nullable"}
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") is True else found


def shape(value, name=""):
    if isinstance(value, dict):
        return tuple(sorted((key, shape(each, key)) for key, each in value.items()))
    if isinstance(value, list):
        return tuple(sorted({repr(shape(each, name)) for each in value}))
    if isinstance(value, str):
        return value if name in WORDS else "text"
    if isinstance(value, bool) or value is None:
        return str(value)
    return f"{type(value).__name__}{value < 0}{name in ('index', 'sequence_number')}"


class Specification:
    def __init__(self, folder):
        self.file, self.seen = folder / "openai-openapi.json.gz", {}

    @functools.cached_property
    def components(self):
        return nullable(json.loads(gzip.decompress(self.file.read_bytes()))["components"])

    @functools.cached_property
    def events(self):
        """{type: name of its schema}"""
        names = [each["$ref"].rsplit("/", 1)[1] for each in self.components["schemas"]["ResponseStreamEvent"]["anyOf"]]
        found = {}
        for name in names:
            kind = self.components["schemas"][name]["properties"]["type"]
            for word in kind.get("enum") or [kind.get("const")]:
                found[word] = name
        return found

    @functools.cache
    def validator(self, name):
        import jsonschema

        document = {"$ref": f"#/components/schemas/{name}", "components": self.components}
        return jsonschema.Draft202012Validator(document)

    def check(self, name, value):
        key = name, shape(value)
        if key not in self.seen:
            found = []
            for error in self.validator(name).iter_errors(value):
                found.append(f"{name}: {deepest(error)}")
                if len(found) == PROBLEMS_MAX:
                    break
            self.seen[key] = found
        return self.seen[key]

    def problems(self, dialect, body, stream):
        if dialect == CHAT:
            values = [json.loads(body)] if not stream else [
                event.json() for event in frames.sse(body)[0] if event.data.strip() != "[DONE]"]
            named = [(SCHEMAS[CHAT, stream] if "error" not in each else "ErrorResponse", each) for each in values]
        elif dialect == RESPONSES:
            values = [json.loads(body)] if not stream else [event.json() for event in frames.sse(body)[0]]
            named = [(self.events.get(each.get("type")) if stream else "Response", each) for each in values]
        else:
            return []
        found = []
        for name, value in named:
            found += self.check(name, value) if name else [f"event type {value.get('type')}"]
        return list(dict.fromkeys(found))[:PROBLEMS_MAX]


def deepest(error):
    """The branch of an anyOf that came furthest says most."""
    while error.context:
        error = max(error.context, key=lambda each: (len(each.absolute_path), each.validator != "type"))
    return f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
