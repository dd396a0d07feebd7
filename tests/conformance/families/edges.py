"""Family K: the catalogue of edge cases, one by one (edges.py). What is made is a dialogue of our own: a request, an
answer, and what must then stand in the upstream's body and in the client's answer."""

import json

import cases as recordings
from edges import CATALOGUE
from families import requests as family_b
from judge import answers, asks, canned, errors, requests
from results import FAIL, Check
from wire.upstream import Reply

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE
ROOT = recordings.pathlib.Path(__file__).resolve().parents[3]
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
TOOL = {"type": "function", "function": FUNCTION}


def user(text="Hi."):
    return {"role": "user", "content": text}


def called(*ids, arguments="{}", content=None):
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": arguments}} for each in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def result(key, text="r"):
    return {"role": "tool", "tool_call_id": key, "content": text}


def events(*documents, named=False, done=False):
    text = "".join((f"event: {each['type']}\n" if named else "") + f"data: {json.dumps(each)}\n\n"
                   for each in documents)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


def chat_answer(message, finish="stop", **more):
    choice = {"index": 0, "finish_reason": finish} | ({"message": message} if message is not None else {})
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return head | {"choices": [choice], "usage": USAGE} | more


def gemini_answer(parts, finish="STOP", usage=None, **more):
    content = {"role": "model"} | ({"parts": parts} if parts is not None else {})
    usage = usage or {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    return {"candidates": [{"content": content, "finishReason": finish, "index": 0}], "usageMetadata": usage,
            "modelVersion": "m"} | more


def claude_answer(content, stop="end_turn", **more):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 2}} | more


def response_answer(*output, **more):
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "input_tokens_details": {"cached_tokens": 0},
             "output_tokens_details": {"reasoning_tokens": 0}}
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed",
            "output": list(output), "usage": usage} | more


class Talk:
    """Asks through one target's slot and keeps what was sent and answered."""

    def __init__(self, world, places, check):
        self.world, self.places, self.check = world, places, check
        self.sent = self.answer = None

    def expect(self, condition, text):
        if not condition:
            self.check.add("edge", text)

    async def ask(self, client, target, body, reply=None, stream=False, headers=None, status=200, kind="plain"):
        """The client's reading of the answer; the upstream's body is in `sent`."""
        slot = await self.places.queues[target].get()
        try:
            program = self.world.upstream.program(slot)
            if reply is None:
                program.load(canned.reply(target, stream))
            else:
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                program.load(Reply(status, headers or (SSE if isinstance(reply, bytes) else JSON), data))
            call = asks.call(client, f"{slot}-{kind}", body, stream)
            self.answer = await self.world.ask(call)
            self.sent = program.captured[0].json() if program.captured else None
            self.check.keep(call, self.answer, program.captured)
        finally:
            self.places.queues[target].put_nowait(slot)
        if self.answer.status != 200:
            message, problems = errors.read(client, self.answer)
            self.expect(not problems, "; ".join(problems))
            return None
        found = answers.decode(client, self.answer.body, stream)
        legacy = ["a tool call without an id"] if "functions" in body else []
        problems = [each for each in found.problems if each not in legacy]
        self.expect(found.error is not None or not problems, "; ".join(problems))
        return found

    def read(self, target):
        return requests.read(target, self.sent)


def smallest(client):
    return dict(asks.SMALLEST[client]([], False))


OTHERS = {each: [other for other in recordings.DIALECTS if other != each] for each in recordings.DIALECTS}


# --- answers ----------------------------------------------------------------------------------------------------------


async def calls_without_ids(talk):
    parts = [{"functionCall": {"name": "f", "args": {"a": 1}}}, {"functionCall": {"name": "f"}}]
    for client in OTHERS[GEMINI]:
        found = await talk.ask(client, GEMINI, asks.SMALLEST[client](["f"], False), gemini_answer(parts))
        ids = [tool.id for tool in found.tools]
        talk.expect(len(ids) == len(set(ids)) == 2 and all(ids), f"{client}: ids {ids}")
        talk.expect([tool.args for tool in found.tools] == [{"a": 1}, {}], f"{client}: {found.tools}")


async def paused(talk):
    for client in OTHERS[ANTHROPIC]:
        found = await talk.ask(client, ANTHROPIC, smallest(client),
                               claude_answer([{"type": "text", "text": "So far."}], "pause_turn"))
        talk.expect(found.finish == "stop" and found.text == "So far.", f"{client}: {found.native} {found.text}")


async def no_message(talk):
    for client in OTHERS[CHAT]:
        found = await talk.ask(client, CHAT, smallest(client), chat_answer(None, "content_filter"))
        talk.expect(found.finish in ("content_filter", "error") and found.text == "", f"{client}: {found.native}")


async def blocked_prompt(talk):
    told = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5,
                                                                                       "totalTokenCount": 5}}
    for client in OTHERS[GEMINI]:
        for stream in (False, True):
            found = await talk.ask(client, GEMINI, smallest(client), events(told) if stream else told, stream)
            filtered = found is None or found.finish in ("content_filter", "error")
            talk.expect(filtered and not (found and found.text), f"{client}: {found and found.native}")


async def no_parts(talk):
    usage = {"promptTokenCount": 5, "thoughtsTokenCount": 9, "totalTokenCount": 14}
    for client in OTHERS[GEMINI]:
        found = await talk.ask(client, GEMINI, smallest(client), gemini_answer(None, "MAX_TOKENS", usage))
        talk.expect(found.finish == "length" and found.text == "", f"{client}: {found.native}")
        talk.expect(found.usage["output"] == 9 and found.usage["input"] == 5, f"{client}: {found.usage}")


async def started_twice(talk):
    whole, made = canned.anthropic()
    documents = [each for _, each in made]
    for client in OTHERS[ANTHROPIC]:
        found = await talk.ask(client, ANTHROPIC, smallest(client),
                               events(documents[0], *documents, named=True), True)
        talk.expect(found.error is not None or found.text == "Yes.", f"{client}: {found.text}")


async def started_with_content(talk):
    _, made = canned.anthropic()
    documents = [dict(each) for _, each in made]
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "b"}}
    head = documents[0]["message"] | {"content": [use], "stop_reason": "tool_use"}
    body = events({"type": "message_start", "message": head}, documents[-2] | {
        "delta": {"stop_reason": "tool_use", "stop_sequence": None}}, documents[-1], named=True)
    for client in OTHERS[ANTHROPIC]:
        found = await talk.ask(client, ANTHROPIC, asks.SMALLEST[client](["f"], False), body, True)
        talk.expect([tool.args for tool in found.tools] == [{"a": "b"}], f"{client}: {found.tools}")
        talk.expect(found.finish == "tool_calls", f"{client}: {found.native}")


async def service_tier(talk):
    found = await talk.ask(RESPONSES, CHAT, smallest(RESPONSES), chat_answer({"role": "assistant", "content": "x"},
                                                                             service_tier="fast"))
    tier = json.loads(talk.answer.body).get("service_tier")
    known = ("auto", "default", "flex", "scale", "priority", "fast", None)
    talk.expect(found.text == "x" and tier in known, f"service_tier {tier}")


async def unknown_reasons(talk):
    stops = {CHAT: chat_answer({"role": "assistant", "content": "x"}, "tomorrow"),
             GEMINI: gemini_answer([{"text": "x"}], "TOMORROW"),
             ANTHROPIC: claude_answer([{"type": "text", "text": "x"}], "tomorrow"),
             BEDROCK: {"output": {"message": {"role": "assistant", "content": [{"text": "x"}]}},
                       "stopReason": "tomorrow", "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}}
    for target, reply in stops.items():
        for client in OTHERS[target]:
            found = await talk.ask(client, target, smallest(client), reply)
            talk.expect(found.text == "x" and found.finish == "stop", f"{target} to {client}: {found.native}")


async def surrogates(talk):
    text = '{"a": "\\ud83d|\\u2028|\\u0000"}'
    for client in OTHERS[CHAT]:
        message = called("call_1", arguments=text)
        found = await talk.ask(client, CHAT, asks.SMALLEST[client](["f"], False), chat_answer(message, "tool_calls"))
        talk.expect([tool.args for tool in found.tools] == [json.loads(text)], f"{client}: {ascii(found.tools)}")


async def numbers(talk):
    text = '{"n": 9007199254740993, "m": 123456789012345678901234567890, "f": 1.0}'
    for client in OTHERS[CHAT]:
        found = await talk.ask(client, CHAT, asks.SMALLEST[client](["f"], False),
                               chat_answer(called("call_1", arguments=text), "tool_calls"))
        talk.expect(repr(found.tools[0].args) == repr(json.loads(text)), f"{client}: {found.tools}")


async def items_in_order(talk):
    def message(number, text):
        content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
        return {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed",
                "content": content}

    thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    use = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}",
           "status": "completed"}
    reply = response_answer(message(1, "one"), thought, use, message(2, "two"))
    for client in (ANTHROPIC, GEMINI, BEDROCK):
        found = await talk.ask(client, RESPONSES, asks.SMALLEST[client](["f"], True), reply)
        order = [block for block in found.blocks if block[0] != "reasoning"]
        talk.expect(order == [["text", "one"], ["tool", "f"], ["text", "two"]], f"{client}: {found.blocks}")
    found = await talk.ask(CHAT, RESPONSES, asks.SMALLEST[CHAT](["f"], True), reply)
    talk.expect("one" in found.text and "two" in found.text and len(found.tools) == 1, f"chat: {found.text}")


async def queued(talk):
    _, made = canned.openai_responses()
    first = {"type": "response.queued", "response": made[0][1]["response"] | {"status": "queued"}}
    documents = [made[0][1], first, *[each for _, each in made[1:]]]
    documents = [each | {"sequence_number": number} for number, each in enumerate(documents)]
    for client in OTHERS[RESPONSES]:
        found = await talk.ask(client, RESPONSES, smallest(client), events(*documents, named=True), True)
        talk.expect(found.text == "Yes." and found.error is None, f"{client}: {found.text} {found.error}")


async def zero_filled(talk):
    message = {"role": "assistant", "content": "x", "refusal": "", "function_call": {"name": "", "arguments": ""},
               "tool_calls": [], "reasoning_content": "", "audio": {"id": "", "data": ""}, "annotations": []}
    delta = {"index": 0, "delta": message, "finish_reason": "", "logprobs": {"content": [], "refusal": []}}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": ""}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    stream = events(head | {"choices": [delta]}, head | {"choices": [last]}, done=True)
    for client in OTHERS[CHAT]:
        for found in (await talk.ask(client, CHAT, smallest(client), chat_answer(message)),
                      await talk.ask(client, CHAT, smallest(client), stream, True)):
            talk.expect(found.text == "x" and not found.tools and found.finish == "stop",
                        f"{client}: {found.text} {found.tools} {found.native}")


async def not_json(talk):
    for target in recordings.DIALECTS:
        for client in OTHERS[target]:
            for kind, data in (("text/html", b"<html>Please sign in</html>"), ("text/plain", b"upstream busy"),
                               ("application/json", b""), ("application/json", b'"busy"')):
                found = await talk.ask(client, target, smallest(client), data, headers={"content-type": kind})
                failed = talk.answer.status >= 500 or (client, talk.answer.status) == (BEDROCK, 424)
                talk.expect(found is None and failed, f"{target} to {client}: {talk.answer.status}")


async def odd_arguments(talk):
    message = called("call_1")
    message["tool_calls"][0]["function"]["arguments"] = {"a": 1}
    for client in OTHERS[CHAT]:
        found = await talk.ask(client, CHAT, asks.SMALLEST[client](["f"], False), chat_answer(message, "tool_calls"))
        talk.expect([tool.args for tool in found.tools] == [{"a": 1}], f"{client}: {found.tools}")


async def garbage_arguments(talk):
    for text in ("not JSON", "[1]", '"x"', "{", "null", ""):
        for client in (ANTHROPIC, GEMINI, BEDROCK):
            # What is no object is put into one that no tool takes for its own: the model is told.
            found = await talk.ask(client, CHAT, asks.SMALLEST[client](["f"], False),
                                   chat_answer(called("call_1", arguments=text), "tool_calls"))
            calls = found.tools if found is not None else []
            none = text in ("null", "")
            args = {} if none else {"INVALID_JSON": text}
            talk.expect([call.args for call in calls] == [args], f"{client}: {text} became {calls}")
            talk.expect(talk.answer.status == 200, f"{client}: {text}")
        for target in (ANTHROPIC, GEMINI, BEDROCK):
            body = {"messages": [user(), called("call_1", arguments=text), result("call_1")], "tools": [TOOL]}
            await talk.ask(CHAT, target, body)
            [call] = talk.read(target).parts("call")
            talk.expect(isinstance(call.args, dict), f"to {target}: {text} became {call.args}")


async def refused_stream(talk):
    reply = {"error": {"message": "No such thing.", "type": "invalid_request_error", "param": None, "code": None}}
    for client in OTHERS[CHAT]:
        await talk.ask(client, CHAT, smallest(client), reply, True, status=400)
        talk.expect(talk.answer.status == 400 and "json" in talk.answer.content_type, f"{client}: {talk.answer.status}")


# --- requests ---------------------------------------------------------------------------------------------------------


async def history_needs_tools(talk):
    body = {"messages": [user(), called("call_1"), result("call_1"), user("So?")]}
    for choice in ({}, {"tools": [TOOL], "tool_choice": "none"}):
        for target in (ANTHROPIC, BEDROCK):
            await talk.ask(CHAT, target, body | choice)
            sent = talk.read(target)
            talk.expect([tool.name for tool in sent.tools] == ["f"], f"{target}: tools {sent.tools}")
            talk.expect(sent.choice not in ("required", "named"), f"{target}: {sent.choice}")


async def results_alone(talk):
    body = {"messages": [user(), called("call_1"), result("call_1"), user("So?")], "tools": [TOOL]}
    await talk.ask(CHAT, GEMINI, body)
    for content in talk.sent["contents"]:
        kinds = {"functionResponse" in part for part in content["parts"]}
        talk.expect(len(kinds) == 1, f"results beside other parts: {content}")


async def signature_alone(talk):
    thought = {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJl"}
    reply = claude_answer([thought, {"type": "text", "text": "x"}])
    await talk.ask(CHAT, ANTHROPIC, smallest(CHAT), reply)
    message = json.loads(talk.answer.body)["choices"][0]["message"]
    await talk.ask(CHAT, ANTHROPIC, {"messages": [user(), message, user("So?")], "reasoning_effort": "high"})
    talk.expect(thought in talk.sent["messages"][1]["content"], f"{talk.sent['messages'][1]}")


async def unsigned_reasoning(talk):
    message = {"role": "assistant", "content": "x", "reasoning_content": "because"}
    for target, kind in ((BEDROCK, "varied-6"), (BEDROCK, "plain"), (ANTHROPIC, "plain")):
        await talk.ask(CHAT, target, {"messages": [user(), message, user("So?")]}, kind=kind)
        talk.expect("because" not in json.dumps(talk.sent), f"{target}: {talk.sent}")


async def reused_ids(talk):
    messages = [user(), called("call_0"), result("call_0", "first"), called("call_0"), result("call_0", "second"),
                user("So?")]
    for target in OTHERS[CHAT]:
        await talk.ask(CHAT, target, {"messages": messages, "tools": [TOOL]})
        sent = talk.read(target)
        told = ["".join(part.text for part in each.parts) for each in sent.parts("result")]
        talk.expect(told == ["first", "second"], f"{target}: {told}")
        ids = [call.id for call in sent.parts("call")]
        talk.expect([each.id for each in sent.parts("result")] == ids, f"{target}: {ids}")


async def small_budget(talk):
    body = {"messages": [user()], "max_completion_tokens": 800, "reasoning_effort": "high"}
    for target in (ANTHROPIC, BEDROCK):
        await talk.ask(CHAT, target, body)
        more = talk.sent.get("additionalModelRequestFields") or talk.sent
        budget = (more.get("thinking") or {}).get("budget_tokens")
        most = talk.read(target).max_tokens
        talk.expect(budget is None or 1024 <= budget < most, f"{target}: budget {budget} of {most}")


async def data_urls(talk):
    pixel = family_b.base64.b64encode(family_b.PNG).decode()
    wanted = family_b.hashlib.sha256(family_b.PNG).hexdigest()
    for url in (f"data:image/png;base64,{pixel}", f"data:;base64,{pixel}", f"data:image/jpg;base64,{pixel}",
                f"data:image/png;base64,{pixel[:20]}\n{pixel[20:]}"):
        part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
        for target in (RESPONSES, ANTHROPIC, GEMINI, BEDROCK):
            await talk.ask(CHAT, target, {"messages": [user([{"type": "text", "text": "See."}, part])]})
            [image] = talk.read(target).parts("image")
            talk.expect((image.media, image.media_type) == (wanted, "image/png"), f"{target}: {image}")


async def documents(talk):
    data = family_b.base64.b64encode(b"%PDF-1.4 x").decode()
    block = {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf",
                                                              "data": data}}
    body = {"max_tokens": 99, "messages": [user([block, {"type": "text", "text": "See."}])]}
    for target in (CHAT, RESPONSES):
        await talk.ask(ANTHROPIC, target, body)
        talk.expect(f"data:application/pdf;base64,{data}" in json.dumps(talk.sent), f"{target}: {talk.sent}")


async def results_out_of_order(talk):
    messages = [user(), called("a", "b"), result("b", "of b"), result("a", "of a")]
    for target in OTHERS[CHAT]:
        await talk.ask(CHAT, target, {"messages": messages, "tools": [TOOL]})
        told = ["".join(part.text for part in each.parts) for each in talk.read(target).parts("result")]
        talk.expect(told == ["of a", "of b"], f"{target}: {told}")


async def unknown_result(talk):
    messages = [user(), called("a"), result("a"), result("stranger", "lost?"), user("So?")]
    for target in OTHERS[CHAT]:
        found = await talk.ask(CHAT, target, {"messages": messages, "tools": [TOOL]})
        if found is None:
            talk.expect(talk.answer.status == 400, f"{target}: {talk.answer.status}")
            continue
        sent = talk.read(target)
        talk.expect(len(sent.parts("result")) == len(sent.parts("call")), f"{target}: unpaired")
        kept = "lost?" in json.dumps(talk.sent)
        talk.expect(kept or "x-llm-gateway-warnings" in talk.answer.headers, f"{target}: dropped silently")


async def unanswered_call(talk):
    messages = [user(), called("a", "b"), result("a"), user("Never mind.")]
    for target in OTHERS[CHAT]:
        await talk.ask(CHAT, target, {"messages": messages, "tools": [TOOL]})
        sent = talk.read(target)
        talk.expect(len(sent.parts("result")) == len(sent.parts("call")) == 2, f"{target}: unpaired")


async def legacy_functions(talk):
    message = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": "b"}'}}
    body = {"messages": [user(), message, {"role": "function", "name": "f", "content": "r"}], "functions": [FUNCTION],
            "function_call": {"name": "f"}}
    for target in OTHERS[CHAT]:
        await talk.ask(CHAT, target, body)
        sent = talk.read(target)
        talk.expect([each.args for each in sent.parts("call")] == [{"a": "b"}], f"{target}: {talk.sent}")
        talk.expect(len(sent.parts("result")) == 1 and [tool.name for tool in sent.tools] == ["f"], f"{target}")
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "b"}}
    await talk.ask(CHAT, ANTHROPIC, {"messages": [user()], "functions": [FUNCTION]}, claude_answer([use], "tool_use"))
    choice = json.loads(talk.answer.body)["choices"][0]
    talk.expect(choice["finish_reason"] == "function_call", f"{choice}")
    talk.expect(json.loads(choice["message"]["function_call"]["arguments"]) == {"a": "b"}, f"{choice}")


async def prefill(talk):
    body = {"messages": [user(), {"role": "assistant", "content": "It is: \n"}]}
    for target in (ANTHROPIC, BEDROCK):
        await talk.ask(CHAT, target, body)
        last = talk.read(target).turns[-1]
        text = last.parts[-1].text
        talk.expect(last.role == "user" or text == text.rstrip(), f"{target}: {text!r}")


# --- the run ----------------------------------------------------------------------------------------------------------


async def run(world):
    if world.options.case or world.options.provider or world.options.client:
        return
    places = family_b.Places()
    await world.all([made(world, places, name, entry) for name, entry in CATALOGUE.items() if "made" in entry])
    for name, entry in CATALOGUE.items():
        if "made" not in entry:
            world.report.add(shown(world, name, entry))


async def made(world, places, name, entry):
    check = Check("K", "", "made", f"{name} {entry['what']}", entry["made"])
    try:
        await globals()[entry["made"]](Talk(world, places, check))
    except Exception as error:
        check.add("harness", f"{type(error).__name__}: {error}")
    world.report.add(check)


def shown(world, name, entry):
    """Recordings with it have been judged in this run, all of them well; or the test that is named is there."""
    check = Check("K", "", "recorded", f"{name} {entry['what']}", entry.get("family", "elsewhere"))
    if "elsewhere" in entry:
        if not (ROOT / entry["elsewhere"]).is_file():
            check.add("edge", f"no {entry['elsewhere']}")
        return check
    having = {case.id for case in world.everything if case.features & set(entry.get("features", ()))
              or case.wire in entry.get("wires", ())}
    judged = [each for each in world.report.checks if each.family == entry["family"]
              and (each.case in having or (each.family == "C" and each.features & set(entry.get("features", ())))
                   or any(mode in each.mode for mode in entry.get("modes", ())))]
    if not judged:
        check.skipped = f"family {entry['family']} did not run"
    elif any(each.outcome == FAIL for each in judged):
        check.add("edge", f"{sum(each.outcome == FAIL for each in judged)} of {len(judged)} checks failed")
    return check
