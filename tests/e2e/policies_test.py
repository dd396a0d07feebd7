"""Every policy, what keeps calls together, limits of calls and of time, over real sockets; see docs/routing.md."""

import asyncio
import collections
import concurrent.futures
import json
import subprocess
import time

import pytest

from harness import metrics, processes, raw, upstream, waiting
from harness import fleet as fleets
from harness.deaf import Deaf
from harness.fleet import CHAT, KEY, Call

pytestmark = pytest.mark.xdist_group("policies")

INSTANCES = 4
ADMIN = "the-key-of-the-administrator-2"
OTHER_KEYS = {"second": "key-of-the-second-caller", "third": "key-of-the-third-caller"}
QUICK = {"out_time": "300ms", "ramp_time": "0s"}
SLOW_RAMP = {"out_time": "300ms", "ramp_time": "1h"}
LIMIT = 3  # calls at once
SHORT, LONG, LONG_SECONDS = "200ms", "30s", 30

# How a time limit is passed: where the call goes, and what is wrong there.
LIMITS = {
    "connect_timeout": ("deaf", ""),
    "first_byte_timeout": ("i3", "delay=30s"),
    "idle_timeout": ("i3", "hang=after:3"),
    "total_timeout": ("i3", "delay=30s"),
}
PLACES = ("connection", "route", "header")

_at_once = {"now": 0, "most": 0}


@upstream.script("count-at-once")
async def count_at_once(connection, request):
    _at_once["now"] += 1
    _at_once["most"] = max(_at_once.values())
    await asyncio.sleep(0.01)
    _at_once["now"] -= 1
    await upstream.SCRIPTS["json"](connection, request)


def limited(scripted, deaf, fleet):
    """A model for each time limit and place, whose limit there is short."""
    connections, models, routes = [], [], []
    for limit, (where, _) in LIMITS.items():
        port = deaf.address[1] if where == "deaf" else fleet.ports[3]
        for place in PLACES:
            name = f"{limit}-{place}"
            own = fleet.connection(name, "openai", port)
            connections.append(own | ({limit: SHORT} if place == "connection" else {limit: LONG}))
            models.append({"name": name, "connection": name})
            routes.append({"models": [name], **QUICK} | ({limit: SHORT} if place == "route" else {}))
    return connections, models, routes


def settings(scripted, deaf):
    def own(fleet):
        def models(name, *names):
            return [{"name": name, "connection": each} for each in names]

        every = fleet.names
        connections, limit_models, routes = limited(scripted, deaf, fleet)
        weighted = (("stable", 0, 9), ("canary", 1, 1), ("dear", 0, 1), ("cheap", 1, 1))
        priced = (("long-prompts", 0, 1), ("long-answers", 1, 1), ("unpriced", 2, 1))
        for name, number, weight in weighted + priced:
            connections.append(fleet.connection(name, "openai", fleet.ports[number]) | {"weight": weight})
        connections.append(
            {"name": "counted", "provider": "openai", "endpoint": f"{scripted.url}/v1", "api": "chat", "api_key": "any"}
            | {"headers": {"x-script": "count-at-once"}}
        )
        one_each = ("least-requests", "power-of-two", "least-tokens", "prefix", "adaptive")
        for policy in one_each:
            routes.append({"models": [f"by-{policy}"], "policy": policy, **QUICK})
        routes += [
            {"models": ["split", "split-by-key"], "policy": "split", "session": "header:x-user", **QUICK},
            {"models": ["weighted"], "policy": "weighted", **QUICK},
            {"models": ["cost", "cost-of-a-call"], "policy": "cost", **QUICK},
            {"models": ["named"], "policy": "round-robin", "policy_header": True},
            {"models": ["latency"], "policy": "latency", **QUICK},
            {"models": ["rendezvous"], "policy": "rendezvous", "session": "header:x-user", **QUICK},
            {"models": ["kept-warm"], "policy": "adaptive", "cache_lifetime": "1h", **QUICK},
            {"models": ["cools-down"], "policy": "adaptive", "cache_lifetime": "1s", **QUICK},
            {"models": ["returns"], "last_resort": False, **SLOW_RAMP},
            {"models": ["returns-beside-a-sick-one"], **SLOW_RAMP},
            {"models": ["counted"], "max_in_flight": LIMIT, "queue": "fifo"},
            {"models": ["refused"], "max_in_flight": LIMIT, "queue": "off"},
        ]
        for kind in ("header:x-user", "key", "user", "conversation"):
            routes.append({"models": [f"pinned-{kind}"], "policy": "round-robin", "session": kind, **QUICK})
        return {
            "connections": connections,
            "models": [model for policy in one_each for model in models(f"by-{policy}", *every[:2])]
            + [model for name in ("split", "split-by-key", "weighted") for model in models(name, "stable", "canary")]
            + models("cost", "dear", "cheap")
            + models("cost-of-a-call", "unpriced", "long-prompts", "long-answers")
            + models("latency", *every[:2])
            + models("by-store", *every)
            + models("named", *every)
            + models("returns", every[0])
            + models("returns-beside-a-sick-one", *every[:2])
            + models("sick", *every[:2])
            + models("well", *every[:2])
            + [model for name in ("rendezvous", "kept-warm", "cools-down") for model in models(name, *every)]
            + [
                model
                for kind in ("header:x-user", "key", "user", "conversation")
                for model in models(f"pinned-{kind}", *every)
            ]
            + models("counted", "counted")
            + models("refused", "counted")
            + limit_models,
            "routes": routes + [{"models": ["sick", "well"], "policy": "ordered", "out_time": "1m"}],
            "prices": [
                {"provider": "dear", "model": "*", "input": "5", "output": "20"},
                {"provider": "cheap", "model": "*", "input": "1", "output": "2"},
                {"provider": "long-prompts", "model": "*", "input": "1", "output": "5"},
                {"provider": "long-answers", "model": "*", "input": "5", "output": "1"},
            ],
            "keys": [{"name": "tester", "key": KEY}]
            + [{"name": name, "key": key, "policy_header": name != "third"} for name, key in OTHER_KEYS.items()],
            "admin_keys": [{"name": "root", "key": ADMIN, "role": "owner"}],
        }

    return own


class PolicyFleet(fleets.Fleet):
    def __init__(self, directory):
        self.scripted, self.deaf = upstream.Upstream(), Deaf()
        super().__init__(directory, ["openai"] * INSTANCES, settings(self.scripted, self.deaf))

    def stop(self):
        problems = super().stop()
        self.scripted.stop()
        self.deaf.close()
        return problems


running, fleet = fleets.fixtures(PolicyFleet, lambda fleet: fleet.idle())


def where(fleet, model, headers=(), stream=False, **more):
    """The instance that answered a call: 0 and so on."""
    answer = fleet.ask(Call(model, CHAT, stream, model), headers=list(headers), **more)
    assert answer.status == 200, answer
    return int(answer.header("x-simulator-instance").removeprefix("i-")) - 1


def user(name):
    return [("x-user", str(name))]


def together(count, ask):
    with concurrent.futures.ThreadPoolExecutor(min(count, 40)) as pool:
        return list(pool.map(ask, range(count)))


def prompt(mark, kilobytes):
    return [{"role": "user", "content": f"{mark} {'word ' * (205 * kilobytes)}"}]


def out_for(fleet, number, model, headers):
    """Fails the instance's next call, which is answered elsewhere: it is out."""
    fleet.fault(number, "status=500; times=1")
    assert where(fleet, model, headers) != number


def test_a_split_is_stable_and_in_the_shares_of_the_weights(fleet):
    first = [where(fleet, "split", user(number)) for number in range(300)]
    assert [where(fleet, "split", user(number)) for number in range(300)] == first
    assert 12 <= sum(first) <= 54  # a tenth of 300, four standard deviations around it
    # A failure moves a user for as long as it lasts, and nobody else.
    moved, stays = first.index(1), first.index(0)
    out_for(fleet, 1, "split", user(moved))
    assert where(fleet, "split", user(stays)) == 0
    waiting.until(lambda: where(fleet, "split", user(moved)) == 1, "the user is back on its side")


def test_a_split_without_a_session_is_by_key(fleet):
    keys = {}
    for name, key in {"tester": KEY, **OTHER_KEYS}.items():
        body = {"model": "split-by-key", "messages": fleets.SAY, "max_tokens": 4}
        answers = [
            raw.post_json(fleet.gateway.address, CHAT, body, [("Authorization", f"Bearer {key}")]) for _ in range(8)
        ]
        keys[name] = {answer.header("x-simulator-instance") for answer in answers}
    assert all(len(instances) == 1 for instances in keys.values()), keys


@pytest.mark.parametrize("name, allowed", [("second", True), ("third", False)])
def test_a_call_names_a_policy_where_its_key_may(fleet, name, allowed):
    head = [("Authorization", f"Bearer {OTHER_KEYS[name]}"), ("x-llm-gateway-policy", "ordered")]
    body = {"model": "named", "messages": fleets.SAY, "max_tokens": 4}
    answers = [raw.post_json(fleet.gateway.address, CHAT, body, head) for _ in range(3 * INSTANCES)]
    found = {answer.header("x-simulator-instance") for answer in answers}
    assert len(found) == (1 if allowed else INSTANCES)


def test_weights_are_shares(fleet):
    to_canary = sum(where(fleet, "weighted") for _ in range(300))
    assert 12 <= to_canary <= 54


def test_the_cheapest_that_is_fit(fleet):
    assert {where(fleet, "cost") for _ in range(6)} == {1}

    def out():
        """For a moment only: asked again should that be over."""
        out_for(fleet, 1, "cost", [])
        return where(fleet, "cost") == 0

    waiting.until(out, "the dear one is asked while the cheap one is out")
    waiting.until(lambda: where(fleet, "cost") == 1, "the cheap one is back")


@pytest.mark.parametrize(
    "kilobytes, most, number",
    [(8, 16, 0), (1, 4096, 1), (16, None, 0), (1, None, 1)],
    ids=["long-prompt", "long-answer", "long-prompt-without-a-limit", "short-prompt-without-a-limit"],
)
def test_the_cheapest_is_by_what_the_call_costs(fleet, kilobytes, most, number):
    """By its prompt and what it allows the answer; never the one that has no price."""
    asked = {"messages": prompt("priced", kilobytes), "max_tokens": most}
    assert {where(fleet, "cost-of-a-call", **asked) for _ in range(4)} == {number}


def test_latency_prefers_who_begins_sooner(fleet):
    fleet.fault(0, "delay=1s")
    for _ in range(4):
        where(fleet, "latency", stream=True)
    waiting.until(lambda: {where(fleet, "latency", stream=True) for _ in range(12)} == {1}, "all go to the quick one")
    fleet.clear()
    fleet.fault(1, "delay=3s; times=1")
    waiting.until(lambda: where(fleet, "latency", stream=True) == 0, "it is asked again, the other one being slow now")


@pytest.mark.parametrize("policy", ["least-requests", "power-of-two", "least-tokens", "adaptive", "prefix"])
def test_who_has_less_to_do_is_asked(fleet, policy):
    """While a call hangs at one instance, all that come go to the other."""
    model = f"by-{policy}"
    for number in (0, 1):
        fleet.fault(number, "hang; times=1")

    def where_it_hangs():
        found = metrics.scrape(fleet.gateway)
        name = "llm_gateway_instance_requests_in_flight"
        return [number for number in (0, 1) if metrics.total(found, name, instance=fleet.names[number]) == 1]

    body = json.dumps({"model": model, "messages": prompt(f"held {policy}", 8)}).encode()
    head = [("Content-Type", "application/json"), ("Authorization", f"Bearer {KEY}")]
    with raw.connect(fleet.gateway.address) as sock:
        sock.sendall(raw.request("POST", CHAT, head, body))
        [held] = waiting.until(where_it_hangs, "a call hangs")
        fleet.clear()
        others = {where(fleet, model, messages=prompt(f"other {policy} {number}", 4)) for number in range(6)}
        assert others == {1 - held}


def status_of(fleet, model):
    return fleet.ask(Call(model, CHAT, False, model), headers=[("x-llm-gateway-debug", "1")]).status


@pytest.mark.parametrize("model, returns", [("returns", 0), ("returns-beside-a-sick-one", 1)])
def test_one_on_its_way_back_takes_what_no_other_can(fleet, model, returns):
    """A ramp shares calls with others: where none is well, there is nothing to share."""
    fleet.fault(returns, "status=500; times=3")
    if returns == 1:
        fleet.fault(0, "status=500")
    assert status_of(fleet, model) >= 500
    waiting.until(lambda: status_of(fleet, model) == 200, "one is well again")
    assert collections.Counter(status_of(fleet, model) for _ in range(40)) == {200: 40}


def test_rendezvous_moves_only_the_sessions_of_who_fails(fleet):
    first = [where(fleet, "rendezvous", user(number)) for number in range(64)]
    assert set(first) == set(range(INSTANCES))
    assert [where(fleet, "rendezvous", user(number)) for number in range(64)] == first
    lost = first[0]
    fleet.fault(lost, "status=500")
    now = [where(fleet, "rendezvous", user(number)) for number in range(64)]
    assert all(new == old if old != lost else new != lost for old, new in zip(first, now))
    assert len({new for old, new in zip(first, now) if old == lost}) > 1  # not all to one
    fleet.clear()
    waiting.until(
        lambda: [where(fleet, "rendezvous", user(number)) for number in range(64)] == first, "all are back"
    )


def test_rendezvous_bounds_the_load(fleet):
    """One session with very many calls is more than its instance's share."""
    for number in range(INSTANCES):
        fleet.fault(number, "delay=400ms")

    def bounded():
        """As far as the calls are there at the same time."""
        found = together(24, lambda n: where(fleet, "rendezvous", user("hot"), messages=prompt(f"hot {n}", 16)))
        return len(set(found)) > 1 and max(collections.Counter(found).values()) <= 16

    waiting.until(bounded, "others take what is more than the instance's share")


@pytest.mark.parametrize("kind", ["header:x-user", "key", "user", "conversation"])
def test_a_session_stays_and_is_pinned_anew_when_its_instance_fails(fleet, kind):
    model = f"pinned-{kind}"

    def ask(name):
        if kind == "header:x-user":
            return where(fleet, model, user(name))
        if kind == "user":
            return where(fleet, model, user=f"user-{name}")
        if kind == "conversation":
            grown = [*prompt(f"conversation {name}", 2), {"role": "assistant", "content": "Yes."}]
            turns[name] = turns.get(name, 0) + 1
            return where(fleet, model, messages=[*grown, {"role": "user", "content": f"Turn {turns[name]}"}])
        return where(fleet, model)

    turns = {}
    names = ["only"] if kind == "key" else [f"{letter}" for letter in "abcdefgh"]
    first = {name: ask(name) for name in names}
    assert len(set(first.values())) > 1 or kind == "key"
    for _ in range(3):
        assert {name: ask(name) for name in names} == first
    lost = first[names[0]]
    fleet.fault(lost, "status=500; times=1")
    moved = ask(names[0])
    assert moved != lost
    up = "llm_gateway_instance_health_status"
    waiting.until(
        lambda: metrics.total(metrics.scrape(fleet.gateway), up, instance=fleet.names[lost]) == 1, "it is well again"
    )
    assert all(ask(names[0]) == moved for _ in range(4))  # where its conversation is now
    for name in names[1:]:
        if first[name] != lost:
            assert ask(name) == first[name]


def test_a_session_is_its_keys_own(fleet):
    """Calls of different keys are different sessions."""
    body = {"model": "pinned-key", "messages": fleets.SAY, "max_tokens": 4}

    def at(key):
        answer = raw.post_json(fleet.gateway.address, CHAT, body, [("Authorization", f"Bearer {key}")])
        return answer.header("x-simulator-instance")

    def everybody():
        return {key: at(key) for key in (KEY, *OTHER_KEYS.values())}

    own = everybody()
    if len(set(own.values())) == 1:  # by chance, each worker having its own turns: then one key's session is moved
        number = int(own[KEY].removeprefix("i-")) - 1
        out_for(fleet, number, "pinned-key", [])
        fleet.well()
        own = everybody()
    assert len(set(own.values())) > 1
    assert {key: at(key) for key in own} == own


def test_a_clouds_cache_is_followed_while_it_lives(fleet):
    """The same beginnings go where they went, until the provider has forgotten them."""
    marks = range(16)

    def ask(model):
        return [where(fleet, model, messages=prompt(f"{model} {mark}", 8)) for mark in marks]

    warm, cold = ask("kept-warm"), ask("cools-down")
    assert len(set(warm)) > 1 and len(set(cold)) > 1
    time.sleep(2.2)  # longer than the cache of one of them lives, and that is what the test is about
    assert ask("kept-warm") == warm
    assert ask("cools-down") != cold


def test_a_limit_of_calls_is_kept_by_all_workers_together(fleet):
    _at_once["most"] = 0
    answers = together(240, lambda n: fleet.ask(Call("counted", CHAT, False, "counted")).status)
    assert answers == [200] * 240
    assert _at_once["most"] == LIMIT
    _at_once["most"] = 0
    answers = collections.Counter(together(240, lambda n: fleet.ask(Call("refused", CHAT, False, "refused")).status))
    assert set(answers) == {200, 503} and _at_once["most"] <= LIMIT


def errors(fleet, name, model):
    return metrics.total(metrics.scrape(fleet.gateway), "llm_errors_total", error_type=name, model=model)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("limit", LIMITS)
def test_each_time_limit_in_each_place_has_its_error_and_its_metric(fleet, limit, place):
    model = f"{limit}-{place}"
    _, rule = LIMITS[limit]
    if rule:
        fleet.fault(3, rule)
    name = f"x-llm-gateway-{limit.replace('_', '-')}-ms"
    headers = [(name, "200")] if place == "header" else []
    before, began = errors(fleet, limit, model), time.monotonic()
    answer = fleet.ask(Call(model, CHAT, True, model), headers=headers)
    assert time.monotonic() - began < LONG_SECONDS
    if limit == "idle_timeout":
        assert limit in answer.body.decode()
    else:
        assert answer.status == 504 and limit in answer.json()["error"]["message"], answer
    waiting.until(lambda: errors(fleet, limit, model) == before + 1, "it is counted once")


def test_the_health_of_a_model_on_an_instance_is_in_the_metrics(fleet):
    def health(model, instance):
        found = metrics.scrape(fleet.gateway)
        own = [
            value
            for name, labels, value in found
            if name == "llm_gateway_model_health_status"
            and (labels["model"], labels["instance"], labels["provider"]) == (model, instance, "openai")
        ]
        return own[0] if own else None

    waiting.until(lambda: health("sick", "i0") == 1, "it begins well")
    fleet.fault(0, "status=500; model=sick; times=1")
    assert where(fleet, "sick") == 1
    waiting.until(lambda: health("sick", "i0") == 0, "the model is out there")
    assert health("sick", "i1") == 1 and health("well", "i0") == 1
    assert where(fleet, "well") == 0 and where(fleet, "sick") == 1
    # A reload forgets nothing of it.
    fleet.gateway.process.send_signal(1)
    loads = "llm_gateway_config_reloads_total"
    waiting.until(lambda: metrics.total(metrics.scrape(fleet.gateway), loads, result="success") >= 1, "reloaded")
    waiting.until(lambda: health("sick", "i0") == 0, "and out it is still")


def test_a_policy_is_chosen_by_the_admin_api_and_by_the_command_line(fleet):
    def calls():
        return {where(fleet, "by-store") for _ in range(3 * INSTANCES)}

    head = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
    body = json.dumps({"models": ["by-store"], "policy": "ordered"}).encode()
    made = raw.call(fleet.gateway.address, "POST", "/admin/v1/routes", head, body)
    assert made.status == 201, made
    waiting.until(lambda: calls() == {0}, "all go to the first")
    command = [processes.binary(), "route", "update", "by-store", "--policy", "round-robin"]
    command += ["--url", fleet.gateway.url, "--admin-key", ADMIN]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told
    waiting.until(lambda: calls() == set(range(INSTANCES)), "all get some")
