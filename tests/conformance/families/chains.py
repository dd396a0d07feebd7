"""Family C: whole tool loops. A client of another dialect goes through a recorded chain, gives the recorded results,
and puts answers back as it got them; the provider must get its own signatures back, byte for byte, on the right part,
ids that match, results grouped. Also with every other turn through a second program that knows nothing of the first."""

import asyncio
import json

import cases as recordings
from families import langchain
from judge import answers, asks, errors, loops, requests, structure
from judge.compare_request import Comparison
from results import Check
from wire import frames, http1
from world import recorded_reply

MODES = ("one", "replicas")
# What Google documents for calls that no model of its own made, where a signature has to stand.
DUMMIES = {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}


async def run(world):
    chains = {}
    for case in world.cases:
        if case.entry["chain"] and case.conversation and case.request is not None and case.status < 400:
            chains.setdefault(case.entry["chain"], []).append(case)
    checker = structure.Structure(world.cases[0].root / "_specs")
    for case in world.everything:
        if case.conversation:
            checker.learn(case)
    found = {
        name: sorted(turns, key=lambda case: case.entry["turn"])
        for name, turns in chains.items()
        if len(turns) > 1 and not turns[0].invoke
    }
    await langchain.run(world, checker, found)
    second = world.new_gateway("replica")
    await asyncio.to_thread(second.start)
    other = http1.Client("127.0.0.1", second.port)
    try:
        await world.all(
            [
                one(world, other, checker, name, turns, client, mode)
                for name, turns in found.items()
                for client in recordings.DIALECTS
                if client != turns[0].dialect and world.options.wants(client)
                for mode in MODES
            ]
        )
    finally:
        await other.close()
        for problem in await asyncio.to_thread(second.stop):
            print(f"replica: {problem}")


def signed(dialect, body, stream):
    """[(what it stands on, the signature in every form the answer has it)] of a provider's answer."""
    reader = {
        recordings.GEMINI: gemini_signed,
        recordings.ANTHROPIC: anthropic_signed,
        recordings.BEDROCK: bedrock_signed,
        recordings.RESPONSES: responses_signed,
    }.get(dialect)
    return reader(body, stream) if reader else []


def gemini_signed(body, stream):
    if stream:
        array = body.lstrip()[:1] in (b"[", b"{")
        events = (frames.json_array(body) if array else frames.sse(body))[0]
        chunks = [event.json() for event in events]
    else:
        chunks = [json.loads(body)]
    parts = [part for chunk in chunks for candidate in chunk.get("candidates") or []
             for part in (candidate.get("content") or {}).get("parts") or []]
    return gemini_places(parts)


def gemini_places(parts):
    found = []
    for part in parts:
        # Other parts are of Google's own tools, which no other dialect has.
        if part.get("thoughtSignature") and ("functionCall" in part or "text" in part):
            place = part["functionCall"]["name"] if "functionCall" in part else "text"
            found.append((place, (part["thoughtSignature"],)))
    return found


def anthropic_signed(body, stream):
    content = loops.Anthropic.streamed(body) if stream else json.loads(body)["content"]
    return anthropic_places(content)


def anthropic_places(content):
    found = []
    for block in content if isinstance(content, list) else []:
        if block["type"] == "thinking" and block.get("signature"):
            found.append((block["thinking"], (block["signature"],)))
        elif block["type"] == "redacted_thinking":
            found.append(("redacted", (block["data"],)))
    return found


def bedrock_signed(body, stream):
    content = loops.Bedrock.streamed(body) if stream else json.loads(body)["output"]["message"]["content"]
    return bedrock_places(content)


def bedrock_places(content):
    found = []
    for block in content:
        told = block.get("reasoningContent") or {}
        if (told.get("reasoningText") or {}).get("signature"):
            found.append((told["reasoningText"].get("text", ""), (told["reasoningText"]["signature"],)))
        if told.get("redactedContent"):
            found.append(("redacted", (told["redactedContent"],)))
    return found


def responses_signed(body, stream):
    """The live service encrypts an item anew for each event that shows it; any of them is good."""
    if not stream:
        return responses_places(json.loads(body)["output"])
    items, found = {}, {}
    for event in frames.sse(body)[0]:
        data = event.json()
        if event.name == "response.output_item.done":
            items[data["output_index"]] = data["item"]
        elif event.name == "response.completed":
            items.update(dict(enumerate(data["response"].get("output") or [])))
        for index, item in items.items():
            if item.get("type") == "reasoning" and item.get("encrypted_content"):
                found.setdefault(index, []).append(item["encrypted_content"])
    return [("reasoning", tuple(dict.fromkeys(each))) for _, each in sorted(found.items())]


def responses_places(items):
    return [("reasoning", (item["encrypted_content"],)) for item in items if isinstance(item, dict)
            and item.get("type") == "reasoning" and item.get("encrypted_content")]


def carried(dialect, body):
    """The same of a request's history."""
    if dialect == recordings.GEMINI:
        return gemini_places([part for content in body["contents"] for part in content["parts"]])
    if dialect == recordings.RESPONSES:
        return responses_places(body["input"] if isinstance(body["input"], list) else [])
    places = {recordings.ANTHROPIC: anthropic_places, recordings.BEDROCK: bedrock_places}.get(dialect)
    if places is None:
        return []
    return [each for message in body["messages"] for each in places(message["content"])]


async def one(world, other, checker, name, turns, client, mode):
    first = turns[0]
    check = Check("C", client, first.provider, name, mode, set().union(*[case.features for case in turns]),
                  first.dialect)
    stream = any(case.streaming for case in turns)
    asked = requests.read(first.dialect, first.request)
    asked.reasoning = "on" if any(answers.origin(case).signatures for case in turns) else None
    call = answer = None
    minted, captured = [], []
    try:
        loop = loops.LOOPS[client](asked)
        for number, case in enumerate(turns):
            program = world.upstream.program(f"case-{first.number}")
            async with program.lock:
                program.load(recorded_reply(case))
                call = asks.call(client, f"case-{first.number}", loop.body(), stream)
                gateway = other if mode == "replicas" and number % 2 else world.client
                answer = await gateway.call("POST", call.target, call.headers, call.data())
                captured = list(program.captured)
            if answer.status != 200:
                message, _ = errors.read(client, answer)
                check.add("status", f"turn {number}: {answer.status} {message}")
                break
            told = "".join(each.response.decode("utf-8", "replace") for each in turns[:number])
            judge(check, checker, case, number, captured, minted, told)
            if number + 1 == len(turns):
                break
            minted += signed(case.dialect, case.response, case.streaming)
            calls = loop.absorb(answer.body, stream)
            go_on(check, loop, calls, case, turns[number + 1])
    except Exception as error:
        check.add("call", f"{type(error).__name__}: {error}")
    check.keep(call, answer, captured)
    world.report.add(check)


def go_on(check, loop, calls, case, following):
    """The user's next turn, out of the recorded request that followed."""
    merged = requests.read(following.dialect, following.request).merged()
    told = [part for part in merged[-1].parts if part.kind == "result"] if merged else []
    texts = [part.text for part in merged[-1].parts if part.kind == "text"] if merged else []
    wanted = [tool.name for tool in answers.origin(case).tools]
    if [name for _, name in calls] != wanted:
        check.add("calls", f"{calls} instead of {wanted}")
    results = []
    for number, (key, name) in enumerate(calls):
        part = told[number] if number < len(told) else None
        results.append((key, name, "".join(each.text for each in part.parts) if part else "done"))
    loop.user(texts if texts or results else ["Go on."], results)


def judge(check, checker, case, number, captured, minted, told):
    if len(captured) != 1:
        check.add("upstream", f"turn {number}: {len(captured)} calls")
        return
    body = captured[0].json()
    for problem in checker.problems(case.dialect, body):
        check.add("structure", f"turn {number}: {problem}")
    found = [(place, data) for place, [data] in carried(case.dialect, body)]
    for place, forms in minted:
        if any((place, form) in found for form in forms):
            continue
        where = [each for each, data in found if data in forms]
        what = f"stands on {where[0][:60]!r}" if where else "is absent"
        check.add("signature", f"turn {number}: the signature of {place[:60]!r} {what}")
    own = {form for _, forms in minted for form in forms} | DUMMIES
    foreign = [data for _, data in found if data not in own and data not in told]
    if foreign:
        check.add("signature", f"turn {number}: a signature that the provider did not make: {foreign[0][:60]}")
    pairing(check, number, requests.read(case.dialect, body))


def pairing(check, number, sent):
    comparison = Comparison(sent, sent, "", "")
    comparison.pairing()
    check.findings += [(aspect, f"turn {number}: {text}") for aspect, text in comparison.findings]
