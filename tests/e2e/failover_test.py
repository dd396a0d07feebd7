"""Hedges, mirrors, hold-back windows, time limits and what sends a call elsewhere; see docs/routing.md."""

import json
import time

import pytest

from harness import fleet as fleets
from harness import governed, metrics, upstream, waiting
from harness.deaf import Deaf
from harness.fleet import CHAT, MESSAGES, Call, events, text_of

pytestmark = pytest.mark.xdist_group("failover")

STREAM = Call("streamed", CHAT, True)
DOCUMENT = Call("document", CHAT, False)
HEDGE_MS = 150


@upstream.script("by-who")
async def by_who(connection, request):
    """Connection "first" answers as the header baggage says, which conversions pass on; a list is events."""
    if request.header("x-who") == "first" and request.header("baggage"):
        status, body = json.loads(request.header("baggage"))
        if not isinstance(body, list):
            return await connection.answer(json.dumps(body).encode(), status)
        await connection.begin_stream()
        for event in [*map(json.dumps, body), "[DONE]"]:
            await connection.chunk(f"data: {event}\n\n".encode())
        return await connection.chunk(b"")
    await upstream.SCRIPTS["json"](connection, request)


def settings(scripted, deaf):
    def own(fleet):
        def models(name, *names):
            return [{"name": name, "connection": each} for each in names]

        quick = {"policy": "ordered", "out_time": "200ms", "ramp_time": "0s"}
        names = fleet.names
        scripts = [
            {"name": who, "provider": "openai", "endpoint": f"{scripted.url}/v1", "api": "chat", "api_key": "any"}
            | {"headers": {"x-who": who, "x-script": "by-who"}}
            for who in ("first", "second")
        ]
        scripts.append(
            {"name": "deaf", "provider": "openai", "api_key": "any"}
            | {"endpoint": f"http://127.0.0.1:{deaf.address[1]}/v1"}
        )
        # Where nobody listens.
        scripts += [
            {"name": name, "provider": "openai", "api_key": "any", "endpoint": "http://127.0.0.1:1/v1"}
            for name in ("gone-1", "gone-2", "sick-1", "sick-2")
        ]
        return {
            "connections": scripts,
            "models": models("hedged", *names[:2])
            + models("late", *names[:2])
            + models("mirrored", names[0])
            + models("shadow", names[2])
            + models("windowed", *names[:2])
            + models("window-by-time", *names[:2])
            + models("no-window", *names[:2])
            + models("limited", names[3])
            + models("short", names[3])
            + models("deaf", "deaf")
            + models("paused", *names[:2])
            + models("all-paused", *names[:2])
            + models("gone", "gone-1", "gone-2")
            + models("sick", "sick-1", "sick-2")
            + models("sick-alone", "sick-1", "sick-2")
            + models("scripted", "first")
            + models("other", "second"),
            "prices": [{"provider": "*", "model": "*", "input": "2", "output": "10"}],
            "routes": [
                {"models": ["hedged"], "hedge": f"{HEDGE_MS}ms", **quick},
                {"models": ["late"], "hedge": "p95", **quick},
                {"models": ["mirrored"], "mirror": "shadow", **quick},
                {"models": ["shadow"], "first_byte_timeout": "1s"},
                {"models": ["windowed"], "hold_back": 8, **quick},
                {"models": ["window-by-time"], "hold_back_time": "300ms", **quick},
                {"models": ["no-window"], "hold_back": 0, **quick},
                {"models": ["limited"], "idle_timeout": "300ms", "last_resort": True, **quick},
                {"models": ["short"], "first_byte_timeout": "300ms", **quick},
                {"models": ["deaf"], "connect_timeout": "200ms", **quick},
                {"models": ["scripted"], "fallbacks": ["other"], "fallback_on": ["context_length", "content_filter"]},
                {"models": ["paused"], **quick},
                {"models": ["all-paused"], **quick},
                {"models": ["gone"], "last_resort": False, "out_time": "60s"},
                {"models": ["sick"], "failures_out": 0, "fallbacks": ["shadow"]},
                {"models": ["sick-alone"], "failures_out": 0},
            ],
        }

    return own


class FailoverFleet(fleets.Fleet):
    def __init__(self, directory):
        self.scripted, self.deaf = upstream.Upstream(), Deaf()
        super().__init__(directory, ["openai"] * 4, settings(self.scripted, self.deaf), speed=300)

    def stop(self):
        problems = super().stop()
        self.scripted.stop()
        self.deaf.close()
        return problems


running, fleet = fleets.fixtures(FailoverFleet, lambda fleet: fleet.idle())


def instance_of(answer):
    return answer.header("x-simulator-instance")


FIRST = "i-1"  # as the simulator calls the instance that goes first
FOR_EVER = 30  # seconds that nobody waits for


def ready(fleet, model):
    """Until the instance that goes first is well again."""
    call = Call("ready", CHAT, False, model)
    waiting.until(lambda: instance_of(fleet.ask(call)) == FIRST, f"{model} is where it begins")


def with_model(call, model):
    return Call(call.name, call.target, call.stream, model)


@pytest.mark.parametrize("call", [STREAM, DOCUMENT, Call("converted", MESSAGES, True)], ids=lambda call: call.name)
def test_a_silent_instance_is_overtaken(fleet, call):
    call = with_model(call, "hedged")
    ready(fleet, "hedged")
    whole = text_of(call, fleet.ask(call))
    hedges, won = fleet.event("hedge"), fleet.event("hedge_won")
    fleet.fault(0, f"delay={FOR_EVER}s; times=1")
    began = time.monotonic()
    answer = fleet.ask(call, headers=[("x-request-id", f"hedged-{call.name}")])
    assert time.monotonic() - began < FOR_EVER
    assert text_of(call, answer) == whole
    assert (fleet.event("hedge"), fleet.event("hedge_won")) == (hedges + 1, won + 1)
    own = waiting.until(lambda: ledger_of(fleet, f"hedged-{call.name}", 2), "both legs are in the ledger")
    assert sorted(record["outcome"] for record in own) == ["cancelled", "completed"]


def ledger_of(fleet, request_id, count):
    own = [record for record in governed.export(fleet.gateway) if record["id"] == request_id]
    return own if len(own) == count else None


def test_a_quick_answer_is_not_hedged_and_a_failing_hedge_is_not_noticed(fleet):
    call = with_model(STREAM, "hedged")
    quick = Call("quick", CHAT, False, "hedged", {"max_tokens": 4})
    ready(fleet, "hedged")

    def before_a_quick_one():
        hedges, began = fleet.event("hedge"), time.monotonic()
        assert fleet.ask(quick).status == 200
        return [hedges] if time.monotonic() - began < HEDGE_MS / 1000 else None

    [hedges] = waiting.until(before_a_quick_one, "an answer was quick")
    assert fleet.event("hedge") == hedges
    whole = text_of(call, fleet.ask(call))

    def hedged():
        fleet.clear()
        ready(fleet, "hedged")
        fleet.fault(0, "delay=500ms; times=1")
        fleet.fault(1, "status=500; times=1")
        hedges, won = fleet.event("hedge"), fleet.event("hedge_won")
        assert text_of(call, fleet.ask(call)) == whole
        assert fleet.event("hedge_won") == won
        return fleet.event("hedge") == hedges + 1

    waiting.until(hedged, "the second was asked while the first took its time")


def test_a_client_that_leaves_ends_both_legs(fleet):
    ready(fleet, "hedged")
    for number in (0, 1):
        fleet.fault(number, f"delay={FOR_EVER}s; times=1")
    hedges = fleet.event("hedge")
    sock_call = with_model(STREAM, "hedged")
    body = json.dumps({"model": sock_call.model, "stream": True, "messages": fleets.SAY}).encode()
    head = [("Content-Type", "application/json"), ("Authorization", f"Bearer {fleets.KEY}")]
    with fleets.raw.connect(fleet.gateway.address) as sock:
        sock.sendall(fleets.raw.request("POST", CHAT, head, body))
        waiting.until(lambda: fleet.event("hedge") == hedges + 1, "the second is asked")
    fleet.idle()


def test_what_is_late_is_learnt(fleet):
    call = with_model(STREAM, "late")
    whole = text_of(call, fleet.ask(call))
    for _ in range(5):
        text_of(call, fleet.ask(call))
    won = fleet.event("hedge_won")
    fleet.fault(0, f"delay={FOR_EVER}s; times=1")
    began = time.monotonic()
    assert text_of(call, fleet.ask(call)) == whole
    assert time.monotonic() - began < FOR_EVER and fleet.event("hedge_won") == won + 1


def served(fleet, number):
    answer = fleets.raw.call(("127.0.0.1", fleet.ports[number]), "GET", "/metrics")
    return metrics.total(metrics.samples(answer.body.decode()), "vllm:request_success_total")


@pytest.mark.parametrize("rule", ["", "status=500", "hang", "reset", "cut=after:3"])
def test_a_mirror_is_not_noticed(fleet, rule):
    if rule:
        fleet.fault(2, rule)
    mirrors, made = fleet.event("mirror"), served(fleet, 2)
    asked = []

    def ask(call):
        asked.append(call)
        return fleet.ask(with_model(call, "mirrored"))

    for call in (STREAM, DOCUMENT, Call("converted", MESSAGES, True)):
        answer = waiting.within(1, lambda call=call: ask(call))
        text_of(call, answer)
        assert instance_of(answer) in ("i-1", "i0", None)
    assert fleet.event("mirror") == mirrors + len(asked)
    if not rule:
        waiting.until(lambda: served(fleet, 2) == made + len(asked), "the shadow has got the calls")

        def tagged():
            own = [record for record in governed.export(fleet.gateway) if "mirror" in record["tags"]]
            return own if len(own) >= len(asked) else None

        assert {record["model"] for record in waiting.until(tagged, "the ledger has them")} == {"shadow"}

        def counted(key):
            return metrics.total(metrics.scrape(fleet.gateway), "llm_requests_total", model="shadow", api_key=key)

        waiting.until(lambda: counted("none") >= len(asked), "they are counted")
        assert counted("tester") == 0


def is_broken(answer):
    return "error" in [json.loads(event) for event in events(answer.body) if event != "[DONE]"][-1]


@pytest.mark.parametrize(
    "model, after, unseen", [("windowed", 5, True), ("windowed", 20, False), ("no-window", 5, False)]
)
def test_the_window_hides_what_breaks_inside_it(fleet, model, after, unseen):
    call = with_model(STREAM, model)
    whole = text_of(call, fleet.ask(call))
    retries = fleet.event("retry")

    def seen():
        ready(fleet, model)
        fleet.fault(0, f"cut=after:{after}; times=1")
        answer = fleet.ask(call)
        assert is_broken(answer) or text_of(call, answer) == whole
        return is_broken(answer)

    if unseen:
        assert not seen() and fleet.event("retry") == retries + 1
    else:
        waiting.until(seen, "it broke behind the window")


def test_a_window_by_time(fleet):
    call = with_model(STREAM, "window-by-time")
    ready(fleet, call.model)
    whole = text_of(call, fleet.ask(call))
    fleet.fault(0, "hang=after:3; times=1")  # begins, and then nothing: the window ends without a piece
    body = json.dumps({"model": call.model, "stream": True, "max_tokens": 64, "messages": fleets.SAY}).encode()
    head = [("Content-Type", "application/json"), ("Authorization", f"Bearer {fleets.KEY}")]
    with fleets.raw.connect(fleet.gateway.address) as sock:
        began = time.monotonic()
        sock.sendall(fleets.raw.request("POST", CHAT, head, body))
        received = sock.recv(1 << 16)
        assert received.startswith(b"HTTP/1.1 200") and time.monotonic() - began > 0.25

    def hidden():
        """Unless it breaks after the window, because somebody was late."""
        fleet.clear()
        ready(fleet, call.model)
        retries = fleet.event("retry")
        fleet.fault(0, "cut=after:3; times=1")
        answer = fleet.ask(call)
        if is_broken(answer):
            return False
        assert text_of(call, answer) == whole
        return fleet.event("retry") == retries + 1

    waiting.until(hidden, "it broke inside the window")


@pytest.mark.parametrize(
    "model, rule, header, name",
    [
        ("short", f"delay={FOR_EVER}s", None, "first_byte_timeout"),
        ("deaf", "", None, "connect_timeout"),
        ("limited", "hang=after:3", None, "idle_timeout"),
        ("limited", f"delay={FOR_EVER}s", ("x-llm-gateway-first-byte-timeout-ms", "150"), "first_byte_timeout"),
        ("limited", f"delay={FOR_EVER}s", ("x-llm-gateway-total-timeout-ms", "150"), "total_timeout"),
    ],
)
def test_each_time_limit_has_its_error_and_its_metric(fleet, model, rule, header, name):
    if rule:
        fleet.fault(3, rule)

    def count():
        return metrics.total(metrics.scrape(fleet.gateway), "llm_errors_total", error_type=name)

    before = count()
    answer = fleet.ask(with_model(STREAM, model), headers=[header] if header else [])
    if name == "idle_timeout":
        assert name in answer.body.decode()
    else:
        assert answer.status == 504 and name in answer.json()["error"]["message"]
    waiting.until(lambda: count() == before + 1, "it is counted once")


def test_later_is_no_sickness(fleet):
    """429 with Retry-After: the instance is left alone so long, and stays healthy."""
    call = Call("quick", CHAT, False, "paused", {"max_tokens": 4})
    pause = 3

    def left_alone():
        fleet.clear()
        ready(fleet, "paused")
        fleet.fault(0, f"status=429; retry-after={pause}; times=1")
        began, names = time.monotonic(), []
        for _ in range(5):
            name = instance_of(fleet.ask(call))
            if time.monotonic() - began < pause:  # later it may be asked again
                names.append(name)
        assert FIRST not in names
        found = metrics.scrape(fleet.gateway)
        assert metrics.total(found, "llm_gateway_instance_health_status", instance="i0") == 1
        ready(fleet, "paused")
        assert time.monotonic() - began >= pause
        return len(names) > 1

    waiting.until(left_alone, "several calls were made in that time")


def test_all_that_ask_for_a_pause_have_it(fleet):
    """Nobody is asked before the first pause is over, and the client is told when; other models are no worse off."""
    call = Call("all", CHAT, False, "all-paused", {"max_tokens": 4})
    pause = 60
    for instance in (0, 1):
        fleet.fault(instance, f"status=429; retry-after={pause}")
    for _ in range(2):
        answer = fleet.ask(call)
        fleet.clear()
        assert answer.status == 429, answer
        assert 1 < int(answer.header("retry-after")) <= pause
    assert fleet.ask(with_model(call, "windowed")).status == 200


def test_a_refusal_says_when_the_first_instance_is_tried_again(fleet):
    call = Call("gone", CHAT, False, "gone")
    assert fleet.ask(call).status == 502
    # Both are out.
    refused = waiting.until(lambda: (found := fleet.ask(call)).status == 503 and found, "none is tried")
    assert 1 < int(refused.header("retry-after")) <= 60


def test_one_models_outage_leaves_others_their_retries_and_every_call_its_fallback(fleet):
    def spent(model):
        found = metrics.scrape(fleet.gateway)
        return metrics.total(found, "llm_gateway_retry_budget_spent_total", model=model)

    for _ in range(120):
        assert fleet.ask(Call("alone", CHAT, False, "sick-alone")).status == 502
    assert spent("sick-alone") > 0
    statuses = {fleet.ask(Call("sick", CHAT, False, "sick", {"max_tokens": 1})).status for _ in range(120)}
    assert statuses == {200}
    assert spent("sick") == 0


def chunk(delta, finish=None):
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"} | {
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]
    }


def completion(content, finish):
    message = {"role": "assistant", "content": content}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m"} | {
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7},
    }


BAD = "400 Bad Request"
TOO_LONG = "the request exceeds the available context size. try increasing the context size or enable context shift"
SGLANG = "The input (9000 tokens) is longer than the model's context length (8192 tokens)."
ROLE = chunk({"role": "assistant", "content": ""})
REFUSALS = [
    ("code", BAD, {"error": {"code": "context_length_exceeded", "message": "too long"}}, True),
    ("llama", BAD, {"error": {"code": 400, "message": TOO_LONG, "type": "exceed_context_size_error"}}, True),
    ("sglang", BAD, {"object": "error", "message": SGLANG, "type": "BadRequestError", "code": 400}, True),
    ("filter", BAD, {"error": {"code": "content_filter", "message": "no"}}, True),
    ("withheld", "200 OK", completion("", "content_filter"), True),
    ("value", BAD, {"error": {"code": "invalid_value", "message": "bad"}}, False),
    ("echo", BAD, {"error": {"code": "invalid_value", "message": "bad: content_filter"}}, False),
    ("begun", "200 OK", completion("I", "content_filter"), False),
]
STREAMED = [
    ("first-event", "", [{"error": {"message": SGLANG, "type": "BadRequestError", "code": 400}}], True),
    ("withheld", "", [ROLE, chunk({}, "content_filter")], True),
    ("begun", "", [ROLE, chunk({"content": "I"}), chunk({}, "content_filter")], False),
]
SAYERS = [(False, *each) for each in REFUSALS] + [(True, *each) for each in STREAMED]


@pytest.mark.parametrize("target", [CHAT, MESSAGES], ids=["chat", "messages"])
@pytest.mark.parametrize(
    "stream, name, status, body, goes_on", SAYERS, ids=[f"{'streamed' * each[0]}{each[1]}" for each in SAYERS]
)
def test_what_another_model_may_take_goes_to_it(fleet, target, stream, name, status, body, goes_on):
    call = Call("scripted", target, stream, "scripted")
    own = f"falls-{target.rpartition('/')[2]}-{name}-{stream}"
    headers = [("baggage", json.dumps([status, body])), ("x-request-id", own)]
    if target == CHAT:
        headers.append(("idempotency-key", "once-only"))
    before = fleet.event("fallback")
    answer = fleet.ask(call, headers=headers)
    assert fleet.event("fallback") == before + (1 if goes_on else 0)
    if status != BAD or goes_on:
        assert answer.status == 200
    arrived = fleet.scripted.find(own)
    assert [request.header("x-who") for request in arrived] == (["first", "second"] if goes_on else ["first"])
    if target == CHAT:
        assert {request.header("idempotency-key") for request in arrived} == {"once-only"}
    found = metrics.scrape(fleet.gateway)  # what the model will not take is no fault of its instance
    assert metrics.total(found, "llm_gateway_instance_health_status", instance="first") == 1


def test_what_a_filter_withheld_is_paid(fleet):
    headers = [("baggage", json.dumps(["200 OK", completion("", "content_filter")]))]
    answer = fleet.ask(Call("scripted", CHAT, False, "scripted"), headers=[*headers, ("x-request-id", "withheld-paid")])
    assert answer.status == 200
    own = waiting.until(lambda: ledger_of(fleet, "withheld-paid", 2), "both models are in the ledger")
    assert {record["connection"]: record["input"] for record in own}["first"] == 7


@pytest.mark.parametrize("target", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_an_error_of_a_route_taken_tells_the_route(fleet, target):
    call = Call("scripted", target, False, "scripted")
    refusal = json.dumps([BAD, {"error": {"code": "invalid_value", "message": "bad"}}])
    headers = [("baggage", refusal), ("x-llm-gateway-debug", "1")]
    answer = fleet.ask(call, headers=headers)
    assert answer.status == 400 and "connection=first" in answer.header("x-llm-gateway-route")
    late = fleet.ask(with_model(call, "deaf"), headers=[("x-llm-gateway-debug", "1")])
    assert late.status == 504 and "connection=deaf" in late.header("x-llm-gateway-route")


def test_an_event_that_is_no_json_is_not_passed_on(fleet):
    """Behind the window: what is good goes out, and then an error that the client's SDK can read."""
    call = with_model(STREAM, "no-window")
    ready(fleet, call.model)
    whole = text_of(call, fleet.ask(call))

    def failures():
        return metrics.total(metrics.scrape(fleet.gateway), "llm_errors_total", error_type="upstream_failed")

    before = failures()
    fleet.fault(0, "garbage-json=after:3; times=1")
    answer = fleet.ask(call)
    found = [json.loads(event) for event in events(answer.body)]
    assert answer.status == 200 and "not valid JSON" in found[-1]["error"]["message"]
    said = "".join(each["choices"][0]["delta"].get("content") or "" for each in found[:-1])
    assert said and whole.startswith(said)
    waiting.until(lambda: failures() > before, "it is counted as a failure")
