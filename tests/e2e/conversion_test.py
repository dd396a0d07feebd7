"""Every SDK against every provider's model: what one protocol asks, another answers (the simulator, so words vary).

The SDK's own types judge: an answer that is not of its protocol does not parse.
"""

import json

import anthropic
import cohere
import httpx
import openai
import pytest
from google import genai
from google.genai import types as gemini_types
from harness import sdks

pytestmark = pytest.mark.xdist_group("sdk")

MODELS = ["gpt-4o-mini", "azure-gpt", "claude-sonnet", "gemini-flash", "vertex-gemini"]
QUESTION = "Say something about gateways."
SYSTEM = "You are terse."
PARAMETERS = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
TOOL = ("get_weather", "Weather of a town", PARAMETERS)


class Reply:
    """What an SDK made of an answer, in one form for all."""

    def __init__(self, text="", calls=(), finish="", tokens=(0, 0)):
        self.text = text
        self.calls = list(calls)  # (id, name, arguments)
        self.finish = finish
        self.tokens = tokens


class Chat:
    """OpenAI's Chat Completions."""

    finishes = {"stop": "stop", "tool_calls": "tool"}

    def __init__(self, world):
        self.client = openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0, timeout=60)
        self.tool = {"type": "function", "function": dict(zip(("name", "description", "parameters"), TOOL))}

    def ask(self, model, history=(), tools=False):
        answer = self.client.chat.completions.create(**self.request(model, history, tools))
        choice = answer.choices[0]
        calls = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls or []]
        usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
        self.last = choice.message
        return Reply(choice.message.content or "", calls, self.finishes[choice.finish_reason], usage)

    def stream(self, model, history=(), tools=False):
        reply, arguments = Reply(), {}
        request = self.request(model, history, tools) | {"stream": True, "stream_options": {"include_usage": True}}
        for chunk in self.client.chat.completions.create(**request):
            if chunk.usage:
                reply.tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
            for choice in chunk.choices:
                reply.text += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    known = arguments.setdefault(call.index, ["", "", ""])
                    known[0] += call.id or ""
                    known[1] += call.function.name or ""
                    known[2] += call.function.arguments or ""
                reply.finish = self.finishes.get(choice.finish_reason, reply.finish)
        reply.calls = [(i, n, json.loads(a)) for i, n, a in arguments.values()]
        made = [
            {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in arguments.values()
        ]
        self.last = {"role": "assistant", "content": reply.text or None, "tool_calls": made}
        return reply

    def request(self, model, history, tools):
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}, *history]
        forced = {"tools": [self.tool], "tool_choice": "required"} if tools else {}
        if history:
            forced = {"tools": [self.tool]}
        return {"model": model, "messages": messages, "max_tokens": 300} | forced

    def answered(self, reply):
        return [self.last, *({"role": "tool", "tool_call_id": i, "content": "sunny"} for i, _, _ in reply.calls)]


class Responses(Chat):
    """OpenAI's Responses, without state."""

    def __init__(self, world):
        super().__init__(world)
        self.tool = {"type": "function", "strict": False} | dict(zip(("name", "description", "parameters"), TOOL))

    @staticmethod
    def read(answer):
        calls = [(o.call_id, o.name, json.loads(o.arguments)) for o in answer.output if o.type == "function_call"]
        finish = "tool" if calls else "stop" if answer.status == "completed" else answer.status
        return Reply(answer.output_text, calls, finish, (answer.usage.input_tokens, answer.usage.output_tokens))

    def ask(self, model, history=(), tools=False):
        answer = self.client.responses.create(**self.request(model, history, tools))
        self.last = answer.output
        return self.read(answer)

    def stream(self, model, history=(), tools=False):
        deltas = ""
        with self.client.responses.stream(**self.request(model, history, tools)) as stream:
            for event in stream:
                deltas += event.delta if event.type == "response.output_text.delta" else ""
            answer = stream.get_final_response()
        assert deltas == answer.output_text
        self.last = answer.output
        return self.read(answer)

    def request(self, model, history, tools):
        forced = {"tools": [self.tool], "tool_choice": "required"} if tools else {}
        if history:
            forced = {"tools": [self.tool]}
        items = [{"role": "user", "content": QUESTION}, *history]
        return {"model": model, "instructions": SYSTEM, "input": items, "store": False} | forced

    def answered(self, reply):
        results = [{"type": "function_call_output", "call_id": i, "output": "sunny"} for i, _, _ in reply.calls]
        return [*(item.model_dump(exclude_none=True) for item in self.last), *results]


class Messages:
    """Anthropic's Messages."""

    finishes = {"end_turn": "stop", "tool_use": "tool"}

    def __init__(self, world):
        self.client = anthropic.Anthropic(base_url=world.url, api_key=world.keys.full, max_retries=0, timeout=60)
        self.tool = dict(zip(("name", "description", "input_schema"), TOOL))

    def read(self, answer):
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [(b.id, b.name, b.input) for b in answer.content if b.type == "tool_use"]
        usage = (answer.usage.input_tokens, answer.usage.output_tokens)
        return Reply(text, calls, self.finishes[answer.stop_reason], usage)

    def ask(self, model, history=(), tools=False):
        answer = self.client.messages.create(**self.request(model, history, tools))
        self.last = answer.content
        return self.read(answer)

    def stream(self, model, history=(), tools=False):
        with self.client.messages.stream(**self.request(model, history, tools)) as stream:
            deltas = "".join(stream.text_stream)
            answer = stream.get_final_message()
        reply, self.last = self.read(answer), answer.content
        assert deltas == reply.text
        return reply

    def request(self, model, history, tools):
        forced = {"tools": [self.tool], "tool_choice": {"type": "any"}} if tools else {}
        if history:
            forced = {"tools": [self.tool]}
        messages = [{"role": "user", "content": QUESTION}, *history]
        return {"model": model, "max_tokens": 300, "system": SYSTEM, "messages": messages} | forced

    def answered(self, reply):
        results = [{"type": "tool_result", "tool_use_id": i, "content": "sunny"} for i, _, _ in reply.calls]
        return [{"role": "assistant", "content": self.last}, {"role": "user", "content": results}]


class VertexMessages(Messages):
    """Anthropic's Messages as Vertex AI has them."""

    def __init__(self, world):
        super().__init__(world)
        self.client = sdks.anthropic_vertex(world.url, world.keys.full)


class Gemini:
    """Google's generateContent."""

    def __init__(self, world):
        self.client = genai.Client(
            api_key=world.keys.full, http_options=gemini_types.HttpOptions(base_url=world.url, timeout=60000)
        )
        declaration = gemini_types.FunctionDeclaration(
            name=TOOL[0], description=TOOL[1], parameters_json_schema=TOOL[2]
        )
        self.tool = gemini_types.Tool(function_declarations=[declaration])

    @staticmethod
    def read(chunks):
        reply = Reply()
        for chunk in chunks:
            for part in (chunk.candidates[0].content and chunk.candidates[0].content.parts) or []:
                if part.function_call:
                    reply.calls.append((part.function_call.id, part.function_call.name, dict(part.function_call.args)))
                elif part.text and not part.thought:
                    reply.text += part.text
            if chunk.candidates[0].finish_reason:
                assert chunk.candidates[0].finish_reason == gemini_types.FinishReason.STOP
                reply.finish = "tool" if reply.calls else "stop"
            if chunk.usage_metadata:
                usage = chunk.usage_metadata
                reply.tokens = (usage.prompt_token_count, usage.candidates_token_count)
        return reply

    def ask(self, model, history=(), tools=False):
        answer = self.client.models.generate_content(**self.request(model, history, tools))
        self.last = answer.candidates[0].content
        return self.read([answer])

    def stream(self, model, history=(), tools=False):
        chunks = list(self.client.models.generate_content_stream(**self.request(model, history, tools)))
        contents = [chunk.candidates[0].content for chunk in chunks if chunk.candidates[0].content]
        parts = [part for content in contents for part in content.parts or []]
        self.last = gemini_types.Content(role="model", parts=parts)
        return self.read(chunks)

    def request(self, model, history, tools):
        config = {"system_instruction": SYSTEM, "max_output_tokens": 300}
        if tools or history:
            config["tools"] = [self.tool]
        if tools:
            config["tool_config"] = {"function_calling_config": {"mode": "ANY"}}
        contents = [gemini_types.Content(role="user", parts=[gemini_types.Part(text=QUESTION)]), *history]
        automatic = gemini_types.AutomaticFunctionCallingConfig(disable=True)
        return {
            "model": model,
            "contents": contents,
            "config": gemini_types.GenerateContentConfig(**config, automatic_function_calling=automatic),
        }

    def answered(self, reply):
        parts = [
            gemini_types.Part(
                function_response=gemini_types.FunctionResponse(id=i, name=n, response={"result": "sunny"})
            )
            for i, n, _ in reply.calls
        ]
        return [self.last, gemini_types.Content(role="user", parts=parts)]


class Converse:
    """Bedrock's Converse, signed with the key as both halves of an AWS credential."""

    finishes = {"end_turn": "stop", "tool_use": "tool"}

    def __init__(self, world):
        self.client = sdks.bedrock_runtime(world.url, world.keys.full)
        self.tool = {"toolSpec": {"name": TOOL[0], "description": TOOL[1], "inputSchema": {"json": TOOL[2]}}}

    def ask(self, model, history=(), tools=False):
        answer = self.client.converse(**self.request(model, history, tools))
        self.last = answer["output"]["message"]
        content = self.last["content"]
        calls = [
            (c["toolUse"]["toolUseId"], c["toolUse"]["name"], c["toolUse"]["input"]) for c in content if "toolUse" in c
        ]
        text = "".join(c.get("text", "") for c in content)
        usage = (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"])
        return Reply(text, calls, self.finishes[answer["stopReason"]], usage)

    def stream(self, model, history=(), tools=False):
        reply, calls = Reply(), []
        for event in self.client.converse_stream(**self.request(model, history, tools))["stream"]:
            if "contentBlockStart" in event:
                start = event["contentBlockStart"]["start"]["toolUse"]
                calls.append([start["toolUseId"], start["name"], ""])
            elif "contentBlockDelta" in event:
                delta = event["contentBlockDelta"]["delta"]
                reply.text += delta.get("text", "")
                if "toolUse" in delta:
                    calls[-1][2] += delta["toolUse"]["input"]
            elif "messageStop" in event:
                reply.finish = self.finishes[event["messageStop"]["stopReason"]]
            elif "metadata" in event:
                usage = event["metadata"]["usage"]
                reply.tokens = (usage["inputTokens"], usage["outputTokens"])
        reply.calls = [(i, n, json.loads(a or "{}")) for i, n, a in calls]
        content = [{"text": reply.text}] if reply.text else []
        content += [{"toolUse": {"toolUseId": i, "name": n, "input": a}} for i, n, a in reply.calls]
        self.last = {"role": "assistant", "content": content}
        return reply

    def request(self, model, history, tools):
        request = {
            "modelId": model,
            "system": [{"text": SYSTEM}],
            "messages": [{"role": "user", "content": [{"text": QUESTION}]}, *history],
            "inferenceConfig": {"maxTokens": 300},
        }
        if tools or history:
            request["toolConfig"] = {"tools": [self.tool]}
        if tools:
            request["toolConfig"]["toolChoice"] = {"any": {}}
        return request

    def answered(self, reply):
        results = [{"toolResult": {"toolUseId": i, "content": [{"text": "sunny"}]}} for i, _, _ in reply.calls]
        return [self.last, {"role": "user", "content": results}]


class Cohere(Chat):
    """Cohere's v2 chat."""

    finishes = {"COMPLETE": "stop", "TOOL_CALL": "tool"}

    def __init__(self, world):
        super().__init__(world)
        self.client = cohere.ClientV2(base_url=world.url, api_key=world.keys.full, timeout=60)

    def ask(self, model, history=(), tools=False):
        answer = self.client.chat(**self.request(model, history, tools))
        self.last = answer.message
        calls = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in answer.message.tool_calls or []]
        text = "".join(part.text for part in answer.message.content or [] if part.type == "text")
        usage = answer.usage.tokens
        return Reply(text, calls, self.finishes[answer.finish_reason], (usage.input_tokens, usage.output_tokens))

    def stream(self, model, history=(), tools=False):
        reply, calls = Reply(), []
        for event in self.client.chat_stream(**self.request(model, history, tools)):
            if event.type == "content-delta":
                reply.text += event.delta.message.content.text or ""
            elif event.type == "tool-call-start":
                call = event.delta.message.tool_calls
                calls.append([call.id, call.function.name, call.function.arguments or ""])
            elif event.type == "tool-call-delta":
                calls[-1][2] += event.delta.message.tool_calls.function.arguments or ""
            elif event.type == "message-end":
                reply.finish, usage = self.finishes[event.delta.finish_reason], event.delta.usage.tokens
                reply.tokens = (usage.input_tokens, usage.output_tokens)
        reply.calls = [(i, n, json.loads(a)) for i, n, a in calls]
        made = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
        self.last = {"role": "assistant"} | ({"tool_calls": made} if made else {"content": reply.text})
        return reply

    def request(self, model, history, tools):
        request = super().request(model, history, tools)
        if tools:
            request["tool_choice"] = "REQUIRED"
        return request


CLIENTS = {
    "chat": Chat,
    "responses": Responses,
    "messages": Messages,
    "vertex-messages": VertexMessages,
    "gemini": Gemini,
    "converse": Converse,
    "cohere": Cohere,
}


@pytest.fixture(params=CLIENTS)
def client(request, world):
    return CLIENTS[request.param](world)


@pytest.mark.parametrize("model", MODELS)
def test_text(client, model):
    reply = client.ask(model)
    assert reply.text and reply.finish == "stop" and not reply.calls
    assert all(count > 0 for count in reply.tokens)


@pytest.mark.parametrize("model", MODELS)
def test_stream(client, model):
    reply = client.stream(model)
    assert reply.text and reply.finish == "stop" and not reply.calls
    assert all(count > 0 for count in reply.tokens)


@pytest.mark.parametrize("model", MODELS)
def test_tool_loop(client, model):
    reply = client.ask(model, tools=True)
    assert [name for _, name, _ in reply.calls] == ["get_weather"] and reply.finish == "tool"
    assert set(reply.calls[0][2]) == {"town"}
    final = client.ask(model, history=client.answered(reply))
    assert final.text and final.finish == "stop"


@pytest.mark.parametrize("model", MODELS)
def test_tool_loop_streamed(client, model):
    reply = client.stream(model, tools=True)
    assert [name for _, name, _ in reply.calls] == ["get_weather"] and reply.finish == "tool"
    assert set(reply.calls[0][2]) == {"town"}
    final = client.stream(model, history=client.answered(reply))
    assert final.text and final.finish == "stop"


def test_what_is_lost_inside_a_message_is_told(world):
    client = openai.OpenAI(base_url=world.url + "/v1", api_key=world.keys.full, max_retries=0, timeout=60)
    message = {"role": "user", "name": "ann", "content": QUESTION, "mood": "good"}
    tool = {"type": "function", "function": {"name": "look", "parameters": PARAMETERS, "examples": [1]}}
    raw = client.chat.completions.with_raw_response.create(
        model="claude-sonnet", messages=[message], tools=[tool], max_completion_tokens=50
    )
    warnings = raw.headers["x-llm-gateway-warnings"]
    for field in ("messages[0].name", "messages[0].mood", "tools[0].function.examples"):
        assert f'dropped;field="{field}"' in warnings
    with pytest.raises(openai.BadRequestError) as error:
        picture = {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}
        client.chat.completions.create(model="gemini-flash", messages=[message | {"content": [picture]}])
    assert error.value.param == "messages[0].content[0]"


@pytest.mark.parametrize("query", ["$alt=json;enum-encoding=int", "%24alt=json%3Benum-encoding%3Dint"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/gpt-4o-mini",
        "/v1beta1/projects/p/locations/europe-west4/publishers/google/models/gpt-4o-mini",
    ],
)
def test_enumerations_as_numbers(world, path, query):
    """Google's older SDKs ask for them over REST: 1 is STOP."""
    body = {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}
    headers = {"x-goog-api-key": world.keys.full}
    for verb in ("generateContent", "streamGenerateContent"):
        answer = httpx.post(f"{world.url}{path}:{verb}?{query}", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        last = answer.json()[-1] if verb.startswith("stream") else answer.json()
        assert last["candidates"][0]["finishReason"] == 1
