"""Family V: the recordings, changed mechanically into others of the same kinds: answers with members and events of
tomorrow, nulls, floats, other pieces; requests with other settings, models and histories. Judged like A and B."""

import asyncio
import dataclasses

import cases as recordings
from families import requests as family_b
from judge import answers, asks, compare_answer, errors, requests, specified, structure, vary_answers
from judge import canned, vary_requests
from results import Check
from wire.upstream import Reply
from world import recorded_reply

CLIENTS_OF_ANSWER = 2  # other dialects that read each varied answer, taken in turn
REQUESTS_MIN = 30  # varied requests of each client dialect and target; of the others one in so many
REQUESTS_EVERY = 3


async def run(world):
    specification = specified.Specification(world.cases[0].root / "_specs")
    await world.all([answer(world, specification, *each) for each in plan_answers(world)])
    checker = structure.Structure(world.cases[0].root / "_specs")
    for case in world.everything:
        if case.conversation:
            checker.learn(case)
    places, remote = family_b.Places(), family_b.Remote(world)
    await world.all([request(world, places, remote, checker, *each) for each in plan_requests(world)])


def plan_answers(world):
    for case in world.cases:
        expected = case.conversation and case.recorded and not case.invoke and case.status < 400
        if not expected or case.expected.get("mid_stream_error") or case.wire == "text":
            continue
        for number, name in enumerate(vary_answers.VARIATIONS):
            others = [each for each in recordings.DIALECTS if each != case.dialect]
            for step in range(CLIENTS_OF_ANSWER):
                turn = case.number + world.options.seed
                client = others[(turn + number + step * 2) % len(others)]
                if world.options.wants(client, case):
                    yield case, name, client, bool((turn // len(others) + number // 2 + step) % 2)


def joined(text):
    """Halves of a character that stand beside each other are that character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") if text else text


def whole(answer):
    answer.text, answer.reasoning = joined(answer.text), joined(answer.reasoning)
    answer.choices = [joined(each) for each in answer.choices]
    answer.blocks = [[kind, joined(value)] for kind, value in answer.blocks]


async def answer(world, specification, case, name, client, stream):
    body = vary_answers.varied(case, name)
    if body is None or body == case.response:
        return
    check = Check("V", client, case.provider, case.id, f"{'stream' if stream else 'unary'} {name}", case.features,
                  case.dialect)
    told = answers.origin(case, body)
    whole(told)
    if told.finish == "unknown":  # any reason is as good as another
        told.finish = None
    names = [tool.name for tool in told.tools]
    call = asks.smallest(client, f"case-{case.number}", stream, names, bool(told.reasoning or told.signatures))
    program = world.upstream.program(f"case-{case.number}")
    async with program.lock:
        program.load(dataclasses.replace(recorded_reply(case), body=body))
        given = None
        try:
            given = await world.ask(call)
            judge_answer(check, specification, told, case, client, stream, given)
        except Exception as error:
            check.add("harness" if given else "call", f"{type(error).__name__}: {error}")
        check.keep(call, given, program.captured)
        check.debug["recorded"] = body[:20000].decode("utf-8", "replace")
    world.report.add(check)


def judge_answer(check, specification, told, case, client, stream, given):
    if given.status != 200:
        message, problems = errors.read(client, given)
        if not (told.finish in (None, "error") and not problems):
            check.add("status", f"{given.status} {message} {problems or ''}")
        return
    if not given.complete:
        check.add("cut", "the answer is not whole")
    found = answers.decode(client, given.body, stream, array=False)
    whole(found)
    if told.finish is None and found.error:
        return
    check.findings += compare_answer.compare(found, told, client, case.dialect)
    check.findings += [("specified", each) for each in specification.problems(client, given.body, stream)]


# --- requests ---------------------------------------------------------------------------------------------------------


def plan_requests(world):
    taken = {}
    for case in world.cases:
        if not case.conversation or case.request is None or case.invoke or case.status >= 400 or not case.recorded:
            continue
        for target in recordings.DIALECTS:
            if target == case.dialect or not world.options.wants(case.dialect):
                continue
            key = case.dialect, target
            taken[key] = taken.get(key, 0) + 1
            if (taken[key] + world.options.seed) % REQUESTS_EVERY == 0 or taken[key] <= REQUESTS_MIN:
                yield case, target, taken[key] + world.options.seed


async def request(world, places, remote, checker, case, target, number):
    client = case.dialect
    body, what = vary_requests.varied(case, target, number)
    models = recordings.VARIED_MODELS[target]
    kind = f"varied-{number % len(models)}"
    check = Check("V", client, target, case.id, f"request-to-{target} {models[number % len(models)]} {what}",
                  case.features, target)
    body = remote.localized(requests.read(client, body), body)
    asked = requests.read(client, body)
    slot = await places.queues[target].get()
    call = given = None
    program = world.upstream.program(slot)
    try:
        body = {key: value for key, value in body.items() if key not in ("model", "stream")}
        call = asks.call(client, f"{slot}-{kind}", body, case.streaming)
        asked.stream = case.streaming
        program.load(canned.reply(target, case.streaming))
        given = await world.ask(call)
        family_b.judge(check, checker, client, target, asked, given, program.captured, remote)
    except Exception as error:
        check.add("call" if given is None else "harness", f"{type(error).__name__}: {error}")
    finally:
        check.keep(call, given, program.captured)
        places.queues[target].put_nowait(slot)
    world.report.add(check)
