"""Limits that several gateways share through Redis: the real program, a real Redis, and all that can happen to it."""

import concurrent.futures
import contextlib
import json
import pathlib
import random
import threading
import time

import pytest

from harness import governed, raw, redis, waiting

# They go by the clock, and suffer from other load.
pytestmark = pytest.mark.xdist_group("heavy")

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "src" / "control" / "sharing"
chat, keys = governed.chat, governed.keys
# What a gateway says that was ready before Redis had answered.
UNKNOWN = "Redis has not said yet what other gateways have used"


@pytest.fixture
def world(tmp_path):
    with governed.running(tmp_path) as made:
        yield made


@pytest.fixture
def slow_world(tmp_path):
    """The same with an engine whose answers take minutes."""
    with governed.running(tmp_path, decode_speed=1, tokens=(300, 300)) as made:
        yield made


@pytest.fixture
def server(tmp_path):
    made = redis.Redis(tmp_path)
    yield made
    made.thaw()
    made.stop()


def patient(server):
    # A Redis that is only slow is waited for.
    return {"url": server.url, "timeout": "20s"}


def offer(gateways, name, rate, seconds):
    """Calls with a key at `rate` a second for all gateways together; how many were let in, and how long it took."""
    began = time.monotonic()

    def one(number):
        wait = began + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        return chat(gateways[number % len(gateways)], f"{name}-client-key", max_tokens=1).status

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(one, range(int(rate * seconds))))
    assert set(statuses) <= {200, 429}
    return statuses.count(200), time.monotonic() - began


def test_three_gateways_share_a_limit(world, server):
    limit, seconds = 20, 12
    tries = [f"k{number}" for number in range(4)]
    sections = {"keys": keys(*((name, {"tps": limit}) for name in tries)), "redis": patient(server)}
    gateways = [world.gateway(f"gateway-{i}", **sections) for i in range(3)]
    names = iter(tries)

    def shared():
        admitted, took = offer(gateways, next(names), 3 * limit, seconds)
        # What one gateway alone would let in: a second's worth at once, and then the rate.
        allowed = limit + limit * took
        assert allowed * 0.9 <= admitted <= allowed * 1.02, f"{admitted} of {allowed:.0f}"

    # A gateway that is not heard of for a while lets in what the others do, too.
    waiting.undisturbed(shared, len(tries))


def test_a_budget_is_shared(world, server):
    tries = [f"k{number}" for number in range(4)]
    sections = {"keys": keys(*((name, {"budget": "0.004"}) for name in tries)), "redis": patient(server)}
    gateways = [world.gateway(f"gateway-{i}", **sections) for i in range(2)]
    names = iter(tries)

    def shared():
        name, spent = next(names), 0
        for number in range(200):
            answer = chat(gateways[number % 2], f"{name}-client-key")
            if answer.status == 200:
                spent += governed.cost_of(answer.json()["usage"])
            time.sleep(0.03)  # longer than they take to tell each other
        assert 4_000_000 - 600_000 < spent <= 4_000_000 * 1.02, spent

    waiting.undisturbed(shared, len(tries))


def test_without_redis_every_gateway_goes_on(world, server):
    gateway = world.gateway(keys=keys(("k", {"rpm": 600})), redis={"url": server.url, "timeout": "200ms"})
    assert chat(gateway, "k-client-key").status == 200
    server.stop()
    for _ in range(20):
        assert chat(gateway, "k-client-key").status == 200
    waiting.until(lambda: "Redis does not answer" in gateway.text(), "it is said")
    server.start()
    waiting.until(lambda: "Redis answers again" in gateway.text(), "it is back")
    assert chat(gateway, "k-client-key").status == 200


def steady_limits():
    """More than the tests' load uses of each, but not twice as much of the first."""
    return {"tps": 20, "rpm": 3000, "tpm": 1_000_000, "budget": "100", "budget_period": "day"} | {
        "time_zone": governed.far_from_midnight()
    }


@contextlib.contextmanager
def load(gateways, rate=12):
    """Calls with the key k at `rate` a second for all gateways together; their statuses with the time of each."""
    answers, stopping = [], threading.Event()

    def one_after_the_other(gateway):
        due = time.monotonic()
        while not stopping.wait(max(0, due - time.monotonic())):
            answers.append((time.monotonic(), chat(gateway, "k-client-key").status))
            # Not all at once after a pause of the machine's own.
            due = max(due + len(gateways) / rate, time.monotonic())

    threads = [threading.Thread(target=one_after_the_other, args=(gateway,)) for gateway in gateways]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def spent(gateways):
    return sum(record["nano_dollars"] for gateway in gateways for record in governed.export(gateway))


def booked_is_spent(server, gateways, seconds=1):
    """Redis has what the ledgers have, and does not get more."""
    wanted = spent(gateways)
    waiting.until(lambda: sum(server.budgets().values()) == wanted, f"{wanted} is booked, not {server.budgets()}", 20)
    time.sleep(seconds)
    assert list(server.budgets().values()) == [wanted]


def test_a_frozen_redis_books_everything_once_and_refuses_nobody(world, server):
    sections = {"keys": keys(("k", steady_limits())), "redis": {"url": server.url, "timeout": "500ms"}}
    gateways = [world.gateway(f"gateway-{i}", **sections) for i in range(2)]
    with load(gateways) as answers:
        time.sleep(2)
        server.freeze()
        time.sleep(12)
        server.thaw()
        time.sleep(6)
    assert {status for _, status in answers} == {200}
    assert len(answers) > 120
    # What timed out was run all the same, after the thaw, each try of it.
    booked_is_spent(server, gateways)


def test_a_redis_that_forgets_and_gateways_that_end(world, server):
    sections = {"keys": keys(("k", steady_limits())), "redis": {"url": server.url, "timeout": "500ms"}}
    gateways = [world.gateway(f"gateway-{i}", **sections) for i in range(2)]
    for number in range(20):
        assert chat(gateways[number % 2], "k-client-key").status == 200
    booked_is_spent(server, gateways)
    # Empty, it gets the sum that the gateways know.
    server.stop()
    for gateway in gateways:
        assert chat(gateway, "k-client-key").status == 200
    server.start()
    for gateway in gateways:
        waiting.until(lambda: "Redis answers again" in gateway.text(), "it is back")
    booked_is_spent(server, gateways)
    # A process that ends tells what it used last; another one in its place books for itself.
    for gateway in gateways:
        assert chat(gateway, "k-client-key").status == 200
        world.stop(gateway)
    booked_is_spent(server, gateways, 0)
    gateways = [world.again(gateway) for gateway in gateways]
    for number in range(4):
        assert chat(gateways[number % 2], "k-client-key").status == 200
    booked_is_spent(server, gateways)
    world.kill(gateways[0])
    gateways[0] = world.again(gateways[0])
    assert chat(gateways[0], "k-client-key").status == 200
    booked_is_spent(server, gateways)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_budget_that_is_used_up_stays_so_when_redis_forgets_it_and_a_gateway_restarts(world, server, when):
    """Each with a ledger of its own: only those that stay know what all have spent, and nobody calls them."""
    limits = {"budget": "0.004", "budget_period": "day", "time_zone": governed.far_from_midnight()}
    sections = {"keys": keys(("k", limits)), "redis": {"url": server.url, "timeout": "500ms"}}
    gateways = [world.gateway(f"gateway-{i}", **sections) for i in range(3)]

    def used_up():
        time.sleep(0.03)
        return [chat(gateway, "k-client-key", max_tokens=20).status for gateway in gateways] == [429] * 3

    waiting.until(used_up, "it is used up", 60)
    time.sleep(2)  # now all of them are idle
    paid = spent(gateways)

    def restart():
        world.stop(gateways[0])
        gateways[0] = world.again(gateways[0])

    if when == "before":
        server.call("FLUSHALL")
        time.sleep(3)
        assert sum(server.budgets().values()) == paid
        restart()
    else:
        world.stop(gateways[0])
        server.stop()
        gateways[0] = world.again(gateways[0])
        server.start()
        time.sleep(3)
    # It is ready when it knows, unless Redis lets it wait for too long: then what is asked before an answer is let in.
    early = 0
    while chat(gateways[0], "k-client-key", max_tokens=20).status == 200:
        early += 1
        assert early <= 3, "it does not learn what the others know"
        time.sleep(0.2)
    if early:
        waiting.until(lambda: UNKNOWN in gateways[0].text(), "it has begun without Redis", 10)
    for _ in range(5):
        assert chat(gateways[0], "k-client-key", max_tokens=20).status == 429
    if early == 0:
        assert spent(gateways) == paid
    booked_is_spent(server, gateways)


def test_a_used_up_budget_refuses_the_first_call_of_gateways_that_nobody_has_called(world, server):
    # One that runs all the while, and one that is started afterwards. Each has a ledger of its own.
    limits = {"budget": "0.002", "budget_period": "day", "time_zone": governed.far_from_midnight()}
    tries = [f"k{number}" for number in range(4)]
    sections = {"keys": keys(*((name, limits) for name in tries)), "redis": patient(server)}
    gateways = [world.gateway(f"gateway-{i}", **sections) for i in range(2)]
    names = iter(tries)

    def known():
        name = next(names)
        while chat(gateways[0], f"{name}-client-key", max_tokens=20).status == 200:
            pass
        paid = spent(gateways)
        waiting.until(lambda: sum(server.budgets().values()) == paid, "it is booked")
        time.sleep(2)
        gateways.append(world.gateway(f"new-{name}", **sections))
        for gateway in (gateways[1], gateways[-1]):
            refused = chat(gateway, f"{name}-client-key", max_tokens=20)
            assert refused.status == 429, refused.body
            assert refused.json()["error"]["code"] == "insufficient_quota"

    waiting.undisturbed(known, len(tries))


def test_a_gateway_is_ready_when_redis_has_answered_or_after_a_second(world, server):
    sections = {"keys": keys(("k", steady_limits())), "redis": {"url": server.url, "timeout": "20s"}}
    world.gateway(**sections)
    server.freeze()
    began = time.monotonic()
    late = world.gateway("late", **sections)
    assert time.monotonic() - began > 1
    waiting.until(lambda: UNKNOWN in late.text(), "it is said")
    assert chat(late, "k-client-key").status == 200
    server.thaw()
    booked_is_spent(server, [late], 0)


def test_a_process_does_not_wait_long_for_a_redis_that_is_frozen(world, server):
    gateway = world.gateway(keys=keys(("k", steady_limits())), redis={"url": server.url, "timeout": "20s"})
    assert chat(gateway, "k-client-key").status == 200
    booked_is_spent(server, [gateway], 0)
    server.freeze()
    assert chat(gateway, "k-client-key").status == 200
    began = time.monotonic()
    world.stop(gateway)
    assert time.monotonic() - began < 15, "less than the time-out"
    gateway.said("Redis did not take what was used last")


@contextlib.contextmanager
def streams(gateways, name, count, seconds=0.05):
    """Opens that many streams in turn, which last as long as they are held; their statuses."""
    body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hello"}]}).encode()
    head = [("content-type", "application/json"), ("authorization", f"Bearer {name}-client-key")]
    statuses = []
    with contextlib.ExitStack() as held:
        for number in range(count):
            sock = raw.connect(gateways[number % len(gateways)].address)
            held.callback(raw.reset, sock)
            sock.sendall(raw.request("POST", "/v1/chat/completions", head, body))
            statuses.append(int(sock.recv(12).split()[1]))
            time.sleep(seconds)
        yield statuses


def test_calls_at_the_same_time_are_shared(slow_world, server):
    limit, tries = 6, [f"k{number}" for number in range(4)]
    sections = {"keys": keys(*((name, {"concurrency": limit}) for name in tries)), "redis": patient(server)}
    gateways = [slow_world.gateway(f"gateway-{i}", **sections) for i in range(3)]
    names = iter(tries)

    def shared():
        name = next(names)
        with streams(gateways, name, 4 * limit) as statuses:
            assert statuses == [200] * limit + [429] * 3 * limit
            # No place comes free while they last, however long nothing is asked, and however they are spread.
            time.sleep(4)
            with streams(gateways, name, 3) as later:
                assert later == [429] * 3
        time.sleep(0.5)
        with streams(gateways[:1], name, limit + 1) as statuses:
            assert statuses == [200] * limit + [429], "all of it in one place"
            with streams(gateways[1:], name, 2) as elsewhere:
                assert elsewhere == [429] * 2

    waiting.undisturbed(shared, len(tries))


def test_calls_of_others_count_for_a_gateway_that_has_had_none(slow_world, server):
    limit, tries = 2, [f"k{number}" for number in range(4)]
    sections = {"keys": keys(*((name, {"concurrency": limit}) for name in tries)), "redis": patient(server)}
    gateways = [slow_world.gateway(f"gateway-{i}", **sections) for i in range(2)]
    names = iter(tries)

    def known():
        name = next(names)
        with streams(gateways[:1], name, limit) as statuses:
            assert statuses == [200] * limit
            time.sleep(2)
            new = slow_world.gateway(f"new-{name}", **sections)
            for gateway in (gateways[1], new):
                with streams([gateway], name, 1) as elsewhere:
                    assert elsewhere == [429]

    waiting.undisturbed(known, len(tries))


def test_calls_of_a_gateway_that_was_killed_and_without_redis(slow_world, server):
    tries = [f"k{number}" for number in range(4)]
    sections = {"keys": keys(*((name, {"concurrency": 2}) for name in [*tries, "k"]))}
    sections["redis"] = {"url": server.url, "timeout": "500ms"}
    gateways = [slow_world.gateway(f"gateway-{i}", **sections) for i in range(2)]
    names = iter(tries)

    def forgotten():
        name = next(names)
        with streams(gateways[1:], name, 1) as first:
            assert first == [200]
        time.sleep(3)  # idle now, and knows all the same
        try:
            with streams(gateways[:1], name, 2):
                time.sleep(2)
                with streams(gateways[1:], name, 1) as refused:
                    assert refused == [429]
                slow_world.kill(gateways[0])
                time.sleep(4)
                with streams(gateways[1:], name, 3) as statuses:
                    assert statuses == [200, 200, 429], "forgotten after three seconds"
        finally:
            if not gateways[0].alive():
                gateways[0] = slow_world.again(gateways[0])

    # Redis is not waited for: where it is late, each lets in what it may itself.
    waiting.undisturbed(forgotten, len(tries))
    with streams(gateways[:1], "k", 2):
        server.stop()
        time.sleep(5)
        with streams(gateways[1:], "k", 3) as statuses:
            assert statuses == [200, 200, 429], "each for itself"


SECOND = 1_000_000  # in the scripts' microseconds


class Teller:
    """A gateway as window.lua sees one."""

    def __init__(self, server, window, name):
        self.server, self.window, self.name = server, window, name
        self.script = (SCRIPTS / "window.lua").read_text()
        self.number, self.total, self.points, self.unit = 0, 0, [], SECOND

    def use(self, at, amount):
        self.number, self.total = self.number + 1, self.total + amount
        self.points.append((self.number, at, self.total))

    def tell(self, confirmed=0, points=None):
        """How far all lie ahead of now, in seconds."""
        now = time.time() * SECOND
        arguments = [self.name, self.window, confirmed, self.unit]
        for number, at, total in self.points if points is None else points:
            arguments += [number, f"{now - at:.3f}", total]
        return float(self.server.call("EVAL", self.script, 1, "window", *arguments)) / SECOND


def test_two_halves_are_a_whole_however_late_they_are_told(server):
    """Two gateways use half of a limit each, all through an outage as long as the window; one tells after the other."""
    window = 60 * SECOND
    now = time.time() * SECOND
    tellers = [Teller(server, window, name) for name in ("a.1", "b.1")]
    for teller in tellers:
        for second in range(55, 0, -1):
            teller.use(now - second * SECOND, SECOND // 2)
    ahead = [teller.tell() for teller in tellers]
    assert ahead[0] < 3 and ahead[1] < 3, f"seconds of a minute, two of them a slice: {ahead}"
    # The other half of a minute at once is within it, as it would be for one gateway.
    tellers[0].use(now, 30 * SECOND)
    assert 29 < tellers[0].tell() < 33
    # What is told again changes nothing, and what is older than the window is not in it.
    assert 29 < tellers[1].tell() < 33
    tellers[1].use(now - 120 * SECOND, 500 * SECOND)
    tellers[1].use(now, SECOND)
    assert 29 < tellers[1].tell() < 34


def test_a_changed_limit_keeps_what_was_used(server):
    """As so many requests, and at most all of them; and nothing is lost while gateways have the one and the other."""
    window = 60 * SECOND
    now = time.time() * SECOND
    old, new = (Teller(server, window, name) for name in ("a.1", "b.1"))
    # Three of three a minute; then 600 may come.
    old.unit, new.unit = 20 * SECOND, SECOND // 10
    old.use(now, 3 * old.unit)
    assert 59 < old.tell() <= 60.1
    assert 0 <= new.tell() <= 0.3
    assert 59 < old.tell() <= 60.1, "who only asks changes nothing"
    new.use(now, 3 * new.unit)
    assert 0.2 < new.tell() <= 0.6
    assert 59 < old.tell() <= 60.1, "six of three are all, and no debt"


@pytest.mark.parametrize("seed", range(5))
def test_tellings_in_any_order_are_booked_once(server, seed):
    chance = random.Random(seed)
    window = 1000 * SECOND
    first = time.time() * SECOND - 900 * SECOND
    tellers = [Teller(server, window, f"gateway-{i}.1") for i in range(3)]
    # So much that the word lies ahead from the beginning: then it is the beginning and all amounts.
    tellers[0].use(first, 2000 * SECOND)
    tellers[0].tell()
    used, tellings = 2000 * SECOND, []
    for step in range(200):
        teller = chance.choice(tellers)
        amount = chance.randrange(-SECOND, 3 * SECOND)
        teller.use(first + (60 + 4 * step) * SECOND, amount)
        used += amount
        # Any end of what was used so far is a telling: all that is not confirmed, and more.
        confirmed = chance.randrange(len(teller.points))
        before = teller.points[confirmed - 1][2] if confirmed else 0
        tellings.append((teller, before if teller.points else 0, list(teller.points[confirmed:])))
    last = [(teller, 0, list(teller.points)) for teller in tellers]
    # Each teller's first telling has all of the points before it, as that of a real one has.
    order = [(teller, 0, teller.points[:1]) for teller in tellers[1:]] + [
        (teller, before, points) for teller, before, points in tellings if chance.random() < 0.7
    ]
    late = [order.pop(chance.randrange(2, len(order))) for _ in range(20)]
    for teller, before, points in order + last + late + last:
        ahead = teller.tell(before, points)
    assert abs(ahead * SECOND + time.time() * SECOND - first - used) < SECOND / 10


def test_a_limit_forgets_gateways_that_are_gone(server):
    for number in range(200):
        teller = Teller(server, SECOND // 10, f"gateway-{number}.1")
        teller.use(time.time() * SECOND, 10)
        teller.tell()
        time.sleep(0.012)
    assert server.call("HLEN", "window") < 180


def budget(server, gateway, number, total, confirmed=0, known=0, memory="", end=None):
    arguments = [gateway, number, total, confirmed, known, memory, end or int(time.time()) + 1000]
    return int(server.call("EVAL", (SCRIPTS / "budget.lua").read_text(), 1, "budget", *arguments).split()[0])


def test_money_is_exact_and_booked_once(server):
    large = 9_007_199_254_740_993  # more than a double holds
    assert budget(server, "a.1", 1, large) == large
    assert budget(server, "b.1", 1, -5, known=77) == large - 5, "its ledger has no more than that"
    assert budget(server, "a.1", 1, large) == large - 5, "again"
    assert budget(server, "a.1", 3, large + 10) == large + 5, "with more, though the answer to the first was lost"
    assert budget(server, "a.1", 2, large + 4) == large + 5, "late"
    assert budget(server, "b.1", 2, 0, -5) == large + 10, "corrected"
    server.call("DEL", "budget")
    assert budget(server, "b.1", 3, 2, 0, known=1000, memory="old") == 1002, "forgotten: what it knew, and what is new"
    assert budget(server, "a.1", 4, large + 12, large + 10, known=1500, memory="old") == 1504, "more, and two"
    assert budget(server, "a.1", 4, large + 12, large + 10, known=1500, memory="old") == 1504
    assert budget(server, "c.1", 0, 0, known=1400) == 1504, "nothing used: only asked"
    memory = server.call("HGET", "budget", "memory")
    assert budget(server, "d.1", 7, 9, 8, known=1503, memory=memory) == 1505, "a failover forgot that it was here"
    assert budget(server, "e.1", 0, 0, known=9999) == 9999, "its ledger knows more than all of them"
    assert budget(server, "f.1", 1, 1, 1, known=1600, memory="old") == 9999, "the base is above that"
    assert 0 < server.call("TTL", "budget") <= 1000


def test_more_money_than_a_number_holds_stays_the_most(server):
    most = 2**63 - 1
    assert budget(server, "a.1", 1, most - 10) == most - 10
    assert budget(server, "b.1", 1, 11) == most
    assert budget(server, "b.1", 2, 2**62) == most, "told again, with more"
    assert budget(server, "c.1", 1, -7) == most - 7, "a correction"
    assert budget(server, "d.1", 0, 0, known=most) in (most - 7, most), "as exact as a double"
    server.call("DEL", "budget")
    assert budget(server, "a.1", 2, most, most - 10, known=most, memory="old") == most
