"""Family A: every recorded answer, read by a client of every other dialect, streamed and not."""

import asyncio
import secrets

import cases as recordings
from judge import answers, asks, compare_answer, errors, js_answers, sdk_answers, specified, typed
from results import Check
from world import WAYS, recorded_reply, varied_reply

ANSWER_BYTES = 20000  # of an SDK's answer that a failure shows

RUN = secrets.token_hex(4)  # the ledger may have an earlier run's calls
judged_calls = {}  # by request id: those whose metering family H looks at

UNCOUNTED_EVERY = 3  # Chat clients that do not ask for usage in a stream

PATH_ENDS = {
    "chat": ("/chat/completions",),
    "responses": ("/responses",),
    "messages": ("/messages",),
    "generateContent": ("generateContent", "streamGenerateContent"),
    "streamGenerateContent": ("generateContent", "streamGenerateContent"),
    "converse": ("/converse", "/converse-stream"),
    "converse-stream": ("/converse", "/converse-stream"),
    "invoke": ("/invoke", "/invoke-with-response-stream"),
    "invoke-with-response-stream": ("/invoke", "/invoke-with-response-stream"),
}


def plan(world):
    for case in world.cases:
        if not case.conversation or case.status >= 400 or case.expected.get("mid_stream_error"):
            continue
        for client in recordings.DIALECTS:
            if client == case.dialect or not world.options.wants(client, case):
                continue
            for stream in (False, True):
                yield case, client, stream


async def run(world):
    types = typed.Types(world.everything)
    specification = specified.Specification(world.cases[0].root / "_specs")
    await world.all([one(world, types, specification, *each) for each in plan(world)])
    await world.all([with_sdk(world, *each) for each in sample(world)])
    await with_javascript(world, [each for each in sample(world) if each[1] in js_answers.CLIENTS])


def sample(world):
    """A few recordings of each cell for the real SDKs: with text, calls, thoughts, streamed and not."""
    taken = set()
    for case, client, stream in plan(world):
        if not case.recorded or case.invoke or case.expected["finish"]["canonical"] in (None, "error"):
            continue
        kind = (bool(case.expected["text"]), bool(case.expected["tool_calls"]), bool(case.expected["reasoning_text"]))
        key = (client, case.provider, case.dialect, stream, kind)
        if key not in taken:
            taken.add(key)
            yield case, client, stream


async def with_sdk(world, case, client, stream):
    told = answers.origin(case)
    check = Check("A", client, case.provider, case.id, ("stream" if stream else "unary") + "-sdk", case.features,
                  case.dialect)
    names = [tool.name for tool in told.tools]
    thinking = bool(told.reasoning or told.signatures)
    program = world.upstream.program(f"case-{case.number}")
    async with program.lock:
        program.load(recorded_reply(case))
        try:
            body, streamed = await asyncio.to_thread(
                sdk_answers.ask, client, world.gateway.port, f"case-{case.number}", stream, names, thinking
            )
            found = answers.decode(client, body, streamed, strict=False)
            check.findings += compare_answer.compare(found, told, client, case.dialect)
            check.debug = {"answer": body.decode("utf-8", "replace")[:ANSWER_BYTES]}
        except Exception as error:
            check.add("sdk", f"{type(error).__name__}: {str(error)[:500]}")
    world.report.add(check)


async def one(world, types, specification, case, client, stream):
    told = answers.origin(case)
    array = client == recordings.GEMINI and stream and case.number % 2 == 1
    mode = ("stream" if stream else "unary") + ("" if stream == case.streaming else "-other") + ("-array" * array)
    way = WAYS[(case.number + recordings.DIALECTS.index(client)) % len(WAYS)]
    mode += f" {way}"
    check = Check("A", client, case.provider, case.id, mode, case.features, case.dialect, recorded=case.recorded)
    names = [tool.name for tool in told.tools]
    thinking = bool(told.reasoning or told.signatures)
    counted = case.number % UNCOUNTED_EVERY != 0
    call = asks.smallest(client, f"case-{case.number}", stream, names, thinking, array, counted)
    call.headers["X-Request-ID"] = name = f"a-{RUN}-{case.number}-{client}-{'stream' if stream else 'unary'}"
    if client == recordings.CHAT and stream and not counted:
        told.usage = None  # not asked for: must not come
    program = world.upstream.program(f"case-{case.number}")
    async with program.lock:
        program.load(varied_reply(case, way))
        answer = None
        try:
            answer = await world.ask(call)
            judge(check, case, told, client, stream, array, answer, program.captured)
            if answer.status == 200 and not check.skipped:
                judged_calls[name] = case, client, mode
                check.findings += [("typed", each) for each in types.problems(client, answer.body, stream)]
                found = specification.problems(client, answer.body, stream)
                check.findings += [("specified", each) for each in found]
        except Exception as error:  # a check that cannot be made has failed
            check.add("harness" if answer else "call", f"{type(error).__name__}: {error}")
        check.keep(call, answer, program.captured)
    world.report.add(check)


async def with_javascript(world, chosen):
    """All in one process of node; the programs answer the same to every call."""
    if not chosen:
        return
    questions = []
    for number, (case, client, stream) in enumerate(chosen):
        told = answers.origin(case)
        world.upstream.program(f"case-{case.number}").load(recorded_reply(case))
        names, thinking = [tool.name for tool in told.tools], bool(told.reasoning or told.signatures)
        questions.append(js_answers.question(number, client, f"case-{case.number}", stream, names, thinking))
    outcomes = await asyncio.to_thread(js_answers.ask, world.gateway.port, questions)
    for number, (case, client, stream) in enumerate(chosen):
        mode = ("stream" if stream else "unary") + "-js"
        check = Check("A", client, case.provider, case.id, mode, case.features, case.dialect)
        outcome = outcomes[number]
        check.debug = {"asked": questions[number], "answer": str(outcome)[:ANSWER_BYTES]}
        if "error" in outcome:
            check.add("sdk", outcome["error"][:500])
        else:
            found = answers.decode(client, *js_answers.bytes_of(client, outcome), strict=False)
            check.findings += compare_answer.compare(found, answers.origin(case), client, case.dialect)
        world.report.add(check)


def judge(check, case, told, client, stream, array, answer, captured):
    if captured and not captured[0].path.endswith(PATH_ENDS[case.endpoint]):
        if case.invoke:
            check.skipped = "the gateway calls Converse, not InvokeModel"
            return
        check.add("path", captured[0].target)
    if not case.recorded:
        return robust(check, client, stream, array, answer)
    if answer.status != 200:
        message, problems = errors.read(client, answer)
        if told.finish in (None, "error") and not problems and answer.status >= 400:
            return None
        check.add("status", f"{answer.status} {message or answer.text()[:200]} {problems or ''}")
        return None
    if not answer.complete:
        check.add("cut", "the answer is not whole")
    found = answers.decode(client, answer.body, stream, array=array, include_usage=bool(told.usage))
    if told.finish is None and (found.error or found.text == told.text):
        return None
    check.findings += compare_answer.compare(found, told, client, case.dialect)
    return None


def robust(check, client, stream, array, answer):
    """No real recording: any answer is good that the dialect allows."""
    if answer.status >= 400:
        _, problems = errors.read(client, answer)
        if problems:
            check.add("envelope", "; ".join(problems))
        return
    found = answers.decode(client, answer.body, stream, array=array)
    if found.problems and answer.complete:
        check.add("grammar", "; ".join(found.problems))
