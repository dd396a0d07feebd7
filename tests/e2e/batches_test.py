"""What batches cost: told by the provider when they are finished, charged once to the key that made them."""

import gzip
import json

import pytest
from harness import canned, governed, raw, waiting

KEYS = [("first", {}), ("second", {})]
OPENAI_USAGE = {
    "input_tokens": 10_000,
    "input_tokens_details": {"cached_tokens": 4000},
    "output_tokens": 2000,
    "output_tokens_details": {"reasoning_tokens": 500},
    "total_tokens": 12_000,
}
# Nano-dollars a token, half of the standard price: 625, 62.5 from the cache, 5,000.
OPENAI_NANO = 6000 * 625 + 4000 * 625 // 10 + 2000 * 5000
# Claude Opus 4.5 in batches: 2,500 and 12,500. Haiku: 500 and 2,500.
OPUS_NANO, HAIKU_NANO = 2 * (1000 * 2500 + 100 * 12_500), 300 * 500 + 20 * 2500


def openai_batch(name, status, **more):
    batch = {"id": name, "object": "batch", "endpoint": "/v1/responses", "status": status, "input_file_id": "file-in"}
    done = {"model": "gpt-5-2025-08-07", "output_file_id": "file-out", "usage": OPENAI_USAGE}
    done["request_counts"] = {"total": 3, "completed": 3, "failed": 0}
    return batch | (done if status == "completed" else {}) | more


def succeeded(model, used, given, **more):
    usage = {"input_tokens": used, "output_tokens": given, "service_tier": "batch"} | more
    content = [{"type": "text", "text": 'It says "usage": {"input_tokens": 7}\n'}]
    message = {"id": "msg", "type": "message", "role": "assistant", "model": model, "content": content, "usage": usage}
    return {"custom_id": "a", "result": {"type": "succeeded", "message": message}}


RESULTS = [
    succeeded("claude-opus-4-5-20251101", 1000, 100),
    {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error"}}},
    succeeded("claude-haiku-4-5-20251001", 300, 20),
    succeeded("claude-opus-4-5-20251101", 1000, 100),
]
LINES = "".join(json.dumps(each) + "\n" for each in RESULTS).encode()


def answer(request):
    path = request.path.split("?")[0]
    if path == "/v1/batches":
        if request.method == "POST":
            return 200, openai_batch("batch_new", "validating")
        listed = [openai_batch("batch_listed", "completed"), openai_batch("batch_running", "in_progress")]
        return 200, {"object": "list", "data": listed, "has_more": False}
    if path == "/v1/messages/batches":
        return 200, {"id": "msgbatch_new", "type": "message_batch", "processing_status": "in_progress"}
    name = path.removesuffix("/results").split("/")[-1]
    if path.endswith("/results"):
        lines = {"Content-Type": "application/x-jsonl"}
        if "cut=1" in request.path:
            # So much that some of it has gone out before it breaks off.
            many = LINES * 500
            return 200, many[:-100], lines | {"Content-Length": str(len(many)), "Connection": "close"}
        if name == "msgbatch_coded":
            return 200, gzip.compress(LINES), lines | {"Content-Encoding": "gzip"}
        if name == "msgbatch_regional":
            return 200, json.dumps(succeeded("claude-opus-4-5", 1000, 100, inference_geo="us")).encode(), lines
        if name == "msgbatch_broken":
            return 200, LINES + b'{"custom_id": "z", "result"\n', lines
        return 200, LINES, lines
    if "/batches/" in path:
        if name == "batch_running":
            return 200, openai_batch(name, "in_progress")
        more = {"usage": None, "model": None} if name == "batch_old" else {}
        return 200, openai_batch(name, "completed", **more)
    message = {"role": "assistant", "content": "Hello"}
    used = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    document = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5", "usage": used}
    return 200, document | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


upstream = canned.serving(answer)


@pytest.fixture
def world(tmp_path):
    with governed.running(tmp_path) as made:
        yield made


def gateway_of(world, upstream, keys=KEYS, **sections):
    connections = [
        {"name": name, "provider": name, "endpoint": upstream.url, "api_key": "k"} for name in ("openai", "anthropic")
    ]
    models = [{"name": "gpt-5", "connection": "openai"}, {"name": "claude", "connection": "anthropic"}]
    made = {"connections": connections, "models": models, "prices": [], "keys": governed.keys(*keys)}
    return world.gateway(**(made | sections))


def look(gateway, path, key="first"):
    sent = [("authorization", f"Bearer {key}-client-key")]
    if "messages" in path:
        sent.append(("anthropic-version", "2023-06-01"))
    return raw.call(gateway.address, "GET", path, sent)


def batch_records(gateway):
    return [each for each in governed.export(gateway) if each["batch"]]


def by(gateway, columns, *rows):
    """What a report by `columns` says, when it says that; a record is in it a second later."""

    def said():
        return {(*(row[each] for each in columns.split(",")), int(row["nano_dollars"])) for row in report()}

    def report():
        return [row for row in governed.report(gateway, columns) if row["nano_dollars"] != "0"]

    waiting.until(lambda: said() == set(rows), f"the report has {rows}, not {said()}")


def test_openai(world, upstream):
    gateway = gateway_of(world, upstream)
    assert look(gateway, "/v1/batches/batch_running").json()["status"] == "in_progress"
    assert batch_records(gateway) == []
    for key in ("first", "first", "second"):
        assert look(gateway, "/v1/batches/batch_1", key).json()["usage"] == OPENAI_USAGE
    (record,) = batch_records(gateway)
    assert (record["batch"], record["key"], record["operation"]) == ("batch_1", "first", "batches")
    assert (record["input"], record["cache_read"], record["output"], record["reasoning"]) == (6000, 4000, 2000, 500)
    assert (record["model"], record["nano_dollars"]) == ("gpt-5-2025-08-07", OPENAI_NANO)
    looks = [each for each in governed.export(gateway) if not each["batch"]]
    assert [(each["nano_dollars"], each["input"]) for each in looks] == [(0, None)] * 4, "to look costs nothing"
    by(gateway, "key,model", ("first", "gpt-5-2025-08-07", OPENAI_NANO))

    world.stop(gateway)
    gateway = world.again(gateway)
    assert look(gateway, "/v1/batches/batch_1", "second").status == 200
    # The list has one that nobody has looked at yet, and one that runs.
    assert look(gateway, "/v1/batches", "second").status == 200
    by(
        gateway,
        "key,model",
        ("first", "gpt-5-2025-08-07", OPENAI_NANO),
        ("second", "gpt-5-2025-08-07", OPENAI_NANO),
    )
    governed.ledger(gateway, "verify")


def test_anthropic(world, upstream):
    gateway = gateway_of(world, upstream)
    for _ in range(2):
        assert look(gateway, "/v1/messages/batches/msgbatch_1/results").body == LINES
    sums = ("claude-opus-4-5-20251101", OPUS_NANO), ("claude-haiku-4-5-20251001", HAIKU_NANO)
    assert {(each["model"], each["nano_dollars"]) for each in batch_records(gateway)} == set(sums)
    assert {each["batch"] for each in batch_records(gateway)} == {"msgbatch_1"}
    by(gateway, "model", *sums)
    world.kill(gateway)
    gateway = world.again(gateway)
    assert look(gateway, "/v1/messages/batches/msgbatch_1/results", "second").body == LINES
    assert look(gateway, "/v1/messages/batches/msgbatch_coded/results", "second").status == 200
    second = [("second", *each) for each in sums]
    by(gateway, "key,model", *[("first", *each) for each in sums], *second)


def test_who_made_it_pays_whoever_looks(world, upstream):
    zone = {"budget_period": "day", "time_zone": governed.far_from_midnight()}
    gateway = gateway_of(world, upstream, [("first", {"budget": "0.01"} | zone), ("second", {})])
    head = [("authorization", "Bearer first-client-key"), ("x-llm-gateway-tags", "nightly")]
    for path in ("/v1/batches", "/v1/messages/batches"):
        assert raw.post_json(gateway.address, path, {"requests": []}, head).status == 200
    made = {each["made_batch"]: each["nano_dollars"] for each in governed.export(gateway)}
    assert made == {"batch_new": 0, "msgbatch_new": 0}
    # What they used is seen by another key, and after another start.
    world.stop(gateway)
    gateway = world.again(gateway)
    assert look(gateway, "/v1/batches/batch_new", "second").status == 200
    assert look(gateway, "/v1/messages/batches/msgbatch_new/results", "second").body == LINES
    rows = ("claude-opus-4-5-20251101", OPUS_NANO), ("claude-haiku-4-5-20251001", HAIKU_NANO)
    rows += (("gpt-5-2025-08-07", OPENAI_NANO),)
    by(gateway, "key,tags,model", *[("first", "nightly", *each) for each in rows])
    waiting.until(lambda: governed.chat(gateway, "first-client-key", "gpt-5").status == 429, "its budget has paid")
    assert governed.chat(gateway, "second-client-key", "gpt-5").status == 200


def test_what_nobody_knows_is_unpriced(world, upstream):
    gateway = gateway_of(world, upstream)
    assert look(gateway, "/v1/batches/batch_old").status == 200
    assert look(gateway, "/v1/messages/batches/msgbatch_regional/results").status == 200
    broken = look(gateway, "/v1/messages/batches/msgbatch_broken/results")
    assert broken.body.startswith(LINES)
    costs = [(each["batch"], each["model"], each["nano_dollars"]) for each in batch_records(gateway)]
    assert ("batch_old", "", None) in costs
    assert ("msgbatch_regional", "claude-opus-4-5", None) in costs
    assert ("msgbatch_broken", "", None) in costs
    assert ("msgbatch_broken", "claude-opus-4-5-20251101", OPUS_NANO) in costs
    assert len(costs) == 5


def test_half_an_answer_charges_nothing_and_the_next_whole_one_all(world, upstream):
    gateway = gateway_of(world, upstream)
    with pytest.raises(Exception):  # noqa: B017 - however the client tells that it was cut
        assert look(gateway, "/v1/messages/batches/msgbatch_cut/results?cut=1").body == LINES * 500
    (cut,) = waiting.until(lambda: governed.export(gateway), "the cut call is recorded")
    assert (cut["batch"], cut["nano_dollars"]) == ("", None)
    assert look(gateway, "/v1/messages/batches/msgbatch_cut/results").body == LINES
    by(gateway, "model", ("claude-opus-4-5-20251101", OPUS_NANO), ("claude-haiku-4-5-20251001", HAIKU_NANO))


def test_a_budget_pays(world, upstream):
    zone = {"budget_period": "day", "time_zone": governed.far_from_midnight()}
    gateway = gateway_of(world, upstream, [("first", {"budget": "0.02"} | zone), ("second", {})])

    def asked():
        return governed.chat(gateway, "first-client-key", "gpt-5").status

    assert asked() == 200
    assert look(gateway, "/v1/batches/batch_budget").status == 200
    assert look(gateway, "/v1/batches/batch_other").status == 200
    waiting.until(lambda: asked() == 429, "two batches at 1.4 cents use the budget up")
    world.stop(gateway)
    gateway = world.again(gateway)
    assert asked() == 429


def test_making_one_where_what_has_no_price_is_refused(world, upstream):
    strict = [("strict", {"unpriced": "refuse"})]
    head = [("authorization", "Bearer strict-client-key")]
    body = {"input_file_id": "file-in", "endpoint": "/v1/responses", "completion_window": "24h"}
    gateway = gateway_of(world, upstream, strict)
    assert raw.post_json(gateway.address, "/v1/batches", body, head).status == 403
    assert look(gateway, "/v1/batches/batch_1", "strict").status == 200
    priced = {"provider": "openai:batch", "model": "*", "input": "10", "output": "60"}
    gateway = gateway_of(world, upstream, strict, name="priced", prices=[priced])
    assert raw.post_json(gateway.address, "/v1/batches", body, head).status == 200
    assert raw.post_json(gateway.address, "/v1/messages/batches", {"requests": []}, head).status == 403
