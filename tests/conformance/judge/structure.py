"""Whether a request that reached an upstream is one its API takes: OpenAI's specification, botocore's model of Bedrock,
google-genai's and Anthropic's types with nothing unknown allowed."""

import base64
import functools
import gzip
import json
import re
import typing

import cases as recordings

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE
ERRORS_MAX = 3


class Structure:
    def __init__(self, specifications):
        self.folder = specifications
        self.taken = set()  # what the specifications refuse and the providers took

    def learn(self, case):
        """A recorded request that its provider answered is right, whatever the specification says."""
        if case.request is not None and case.status < 400 and not case.invoke:
            self.taken |= {(case.dialect, shape(each)) for each in getattr(self, case.dialect)(case.request)}

    def problems(self, dialect, body):
        found = getattr(self, dialect)(body)
        return [each for each in found if (dialect, shape(each)) not in self.taken]

    # --- OpenAI -------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def openai_schemas(self):
        return json.loads(gzip.decompress((self.folder / "openai-openapi.json.gz").read_bytes()))["components"]

    @functools.cache
    def openai_validator(self, name):
        import jsonschema

        document = {"$ref": f"#/components/schemas/{name}", "components": self.openai_schemas}
        return jsonschema.Draft202012Validator(document)

    def openai(self, name, body):
        found = []
        for error in self.openai_validator(name).iter_errors(body):
            text = self.deepest(error)
            if "is valid under each of" in text:
                continue  # two branches that both fit: the specification's looseness
            found.append(text)
            if len(found) == ERRORS_MAX:
                break
        return found

    @staticmethod
    def deepest(error):
        """The branch of an anyOf that came furthest says most."""
        while error.context:
            error = max(error.context, key=lambda each: (len(each.absolute_path), each.validator != "type"))
        message = error.message
        if "is valid under each of" in message:
            message = "is valid under each of several"
        return f"{'.'.join(map(str, error.absolute_path))}: {message[:200]}"

    def openai_chat(self, body):
        return self.openai("CreateChatCompletionRequest", body) + unknown(
            body, self.openai_members("CreateChatCompletionRequest"))

    def openai_responses(self, body):
        return self.openai("CreateResponse", body) + unknown(body, self.openai_members("CreateResponse"))

    @functools.cache
    def openai_members(self, name):
        return frozenset(self.members_of({"$ref": f"#/components/schemas/{name}"}))

    def members_of(self, schema):
        if "$ref" in schema:
            return self.members_of(self.openai_schemas["schemas"][schema["$ref"].rsplit("/", 1)[1]])
        found = set(schema.get("properties") or {})
        for inner in schema.get("allOf") or []:
            found |= self.members_of(inner)
        return found

    # --- Anthropic ----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def anthropic_type(self):
        import pydantic
        from anthropic import types

        forbid = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)
        for module in (types,):
            for each in vars(module).values():
                if typing.is_typeddict(each):
                    each.__pydantic_config__ = forbid
        return pydantic.TypeAdapter(types.message_create_params.MessageCreateParamsNonStreaming)

    def anthropic(self, body):
        import pydantic

        body = {key: value for key, value in body.items() if key != "stream"}
        try:
            exhaust(self.anthropic_type.validate_python(body))
        except pydantic.ValidationError as error:
            return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:ERRORS_MAX]]
        return []

    # --- Google -------------------------------------------------------------------------------------------------------

    def gemini(self, body):
        import pydantic
        from google.genai import types

        members = {
            "contents": list[types.Content],
            "systemInstruction": types.Content,
            "tools": list[types.Tool],
            "toolConfig": types.ToolConfig,
            "safetySettings": list[types.SafetySetting],
            "generationConfig": types.GenerationConfig,
            "cachedContent": str,
            "labels": dict[str, str],
            "serviceTier": str,
        }
        found = unknown(body, members)
        for name, kind in members.items():
            if name in body:
                try:
                    adapter(kind).validate_python(body[name])
                except pydantic.ValidationError as error:
                    found += [f"{name}.{'.'.join(map(str, each['loc']))}: {each['msg']}"
                              for each in error.errors()[:ERRORS_MAX]]
                except AttributeError as error:  # the SDK's enumerations take no numbers
                    found.append(f"{name}: {error}")
        return found + self.gemini_turns(body)

    @staticmethod
    def gemini_turns(body):
        found, calls = [], 0
        contents = body.get("contents") or []
        for number, content in enumerate([contents] if isinstance(contents, dict) else contents):
            parts = content.get("parts") or []
            if content.get("role") not in ("user", "model"):
                found.append(f"contents[{number}].role {content.get('role')}")
            if not parts or any(not part for part in parts):
                found.append(f"contents[{number}] has no parts or an empty one")
            responses = sum("functionResponse" in part for part in parts)
            if calls and responses != calls:
                found.append(f"contents[{number}]: {responses} responses to {calls} calls")
            calls = sum("functionCall" in part for part in parts)
        if isinstance(contents, list) and contents and contents[0].get("role") == "model":
            found.append("the first content is the model's")
        return found

    # --- Bedrock ------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def converse_shape(self):
        import botocore.model

        document = json.loads((self.folder / "bedrock-runtime-2023-09-30.service-2.json").read_text(encoding="utf-8"))
        return botocore.model.ServiceModel(document).operation_model("Converse").input_shape

    def bedrock(self, body):
        import botocore.validate

        typed = with_bytes({"modelId": "model", **body}, self.converse_shape)
        report = botocore.validate.ParamValidator().validate(typed, self.converse_shape)
        found = report.generate_report().splitlines()[:ERRORS_MAX] if report.has_errors() else []
        found += unknown(body, self.converse_shape.members)
        return found + self.bedrock_turns(body)

    @staticmethod
    def bedrock_turns(body):
        found, messages = [], body.get("messages") or []
        roles = [each["role"] for each in messages]
        if any(left == right for left, right in zip(roles, roles[1:])):
            found.append(f"roles do not alternate: {roles}")
        blocks = [block for each in messages for block in each.get("content") or []]
        if any(not each.get("content") for each in messages):
            found.append("a message without content")
        if any("toolUse" in block or "toolResult" in block for block in blocks) and not body.get("toolConfig"):
            found.append("toolConfig is absent although the history has calls")
        for each in messages:
            kinds = {name for block in each.get("content") or [] for name in block}
            if "document" in kinds and "text" not in kinds:
                found.append("a document without a text beside it")
        return found

    # --- Cohere -------------------------------------------------------------------------------------------------------

    def cohere(self, body):
        members = (
            "model messages tools documents citation_options response_format safety_mode max_tokens stop_sequences "
            "temperature seed frequency_penalty presence_penalty k p logprobs tool_choice thinking priority stream "
            "strict_tools"
        ).split()
        found = unknown(body, members)
        for number, message in enumerate(body.get("messages") or []):
            if message.get("role") not in ("system", "user", "assistant", "tool"):
                found.append(f"messages[{number}].role {message.get('role')}")
            if message.get("role") == "tool" and not message.get("tool_call_id"):
                found.append(f"messages[{number}] has no tool_call_id")
        return found


def shape(problem):
    """A problem without its numbers and texts."""
    return re.sub(r"\d+", "#", problem)[:60]


def unknown(body, members):
    return [f"unknown member {name}" for name in body if name not in members]


@functools.cache
def adapter(kind):
    import pydantic

    return pydantic.TypeAdapter(kind)


def exhaust(value):
    """Pydantic looks into an Iterable only while it is walked."""
    if isinstance(value, dict):
        for each in value.values():
            exhaust(each)
    elif not isinstance(value, (str, bytes, int, float, type(None))):
        for each in value:
            exhaust(each)


def with_bytes(value, shape):
    """Base64 as the bytes that botocore's validator wants."""
    kind = shape.type_name
    if kind == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    if kind == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        return {key: with_bytes(each, shape.members[key]) if key in shape.members else each
                for key, each in value.items()}
    if kind == "list" and isinstance(value, list):
        return [with_bytes(each, shape.member) for each in value]
    return value
