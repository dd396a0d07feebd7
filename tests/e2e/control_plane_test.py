"""Connections, models, keys and assignments made by the command line on a running gateway, and what clients get."""

import datetime
import itertools
import json
import os
import subprocess
import time

import google.generativeai as legacy
import openai
import pytest
from google.api_core import exceptions
from harness import commands, config, databases, files, governed, processes, raw, waiting
from langchain_openai import ChatOpenAI

pytestmark = pytest.mark.xdist_group("control-plane")

CANARY = "canary-control-plane-credential"
MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def postgres():
    server = databases.Postgres()
    yield server
    server.stop()


class Site:
    """A simulator that wants CANARY as its key, and a gateway in front of it with nothing but a store."""

    def __init__(self, directory, store, more=None, public_url=False):
        self.directory = directory
        self.port, simulator_port = processes.free_ports(2)
        self.simulator = processes.Process(
            "simulator",
            ["simulate", "--listen", f"127.0.0.1:{simulator_port}", "--api-key", CANARY, "--decode-speed", "5000"],
            simulator_port,
            "/health",
            directory,
        )
        self.config_file = directory / "gateway.toml"
        if public_url:
            more["admin"]["public_url"] = f"http://127.0.0.1:{self.port}"
        server = {"listen": f"127.0.0.1:{self.port}", "data_dir": str(directory / "data"), "workers": 2}
        self.config_file.write_text(config.toml({"server": server, "store": store} | (more or {})))
        self.gateway = None
        self.start()

    def start(self):
        self.gateway = processes.Process(
            "gateway", ["serve", "--config", str(self.config_file)], self.port, "/ready", self.directory
        )

    @property
    def address(self):
        return self.gateway.address

    @property
    def url(self):
        return self.gateway.url

    def run(self, *arguments, standard_input=None, environment=None):
        own = os.environ | {"LLM_GATEWAY_CONFIG": str(self.config_file)} | (environment or {})
        return commands.run(*arguments, standard_input=standard_input, env=own)

    def cli(self, *arguments, **more):
        result = self.run(*arguments, **more)
        assert result.returncode == 0, result.stderr
        assert not processes.SANITIZER_REPORT.search(result.stderr), result.stderr
        return result.stdout

    def add(self, *arguments):
        return json.loads(self.cli(*arguments, "--json"))

    def furnish(self):
        """A connection to the simulator, a model "m" and a key, whose text it gives."""
        endpoint = ["--endpoint", self.simulator.url, "--api-key", CANARY]
        self.cli("connection", "add", "--name", "c", "--provider", "openai", *endpoint)
        self.cli("model", "add", "--conn-id", "c", "--name", "m")
        return self.add("vkey", "add", "--name", "k")["key"]

    def call(self, key, model, headers=None):
        return raw.post_json(
            self.address,
            "/v1/chat/completions",
            {"model": model, "messages": MESSAGES},
            {"Authorization": f"Bearer {key}"} | (headers or {}),
        )

    def stop(self):
        problems = self.gateway.stop() + self.simulator.stop()
        for process in (self.gateway, self.simulator):
            if CANARY in process.text():
                problems.append(f"{process.name}'s log holds the credential")
        assert not problems, "\n".join(problems)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request, tmp_path_factory):
    store = {"url": "sqlite"}
    if request.param == "postgres":
        store = {"url": request.getfixturevalue("postgres").new_database()}
    site = Site(tmp_path_factory.mktemp("site"), store)
    yield site
    site.stop()


@pytest.fixture(scope="module")
def walked(site):
    """The walk-through, word for word."""
    connection = site.add(
        *("connection", "add", "--name", "main", "--provider", "openai"),
        *("--endpoint", site.simulator.url, "--api-key", CANARY),
    )
    model = site.add(
        *("model", "add", "--conn-id", connection["id"], "--name", "gpt-4-turbo", "--remote", "gpt-4-turbo-preview")
    )
    vkey = site.add("vkey", "add", "--name", "frontend")
    site.add(
        *("assign", "--vkey-id", vkey["id"], "--model-id", model["id"], "--alias", "gpt4", "--tps", "100")
    )
    waiting.until(lambda: site.call(vkey["key"], "gpt4").status == 200, "the alias answers")
    return {"key": vkey["key"], "vkey": vkey, "model": model, "connection": connection}


def test_a_change_serves_when_the_command_returns(site, walked):
    names = (f"quick-{number}" for number in itertools.count())

    def change():
        return site.add("vkey", "add", "--name", next(names), "--models", "gpt-4-turbo")["key"]

    for _ in range(5):
        assert site.call(change(), "gpt-4-turbo").status == 200, "the next call finds it"
    # A sanitized program takes its time to start.
    began = time.monotonic()
    site.cli("vkey", "list")
    waiting.within(1 + 3 * (time.monotonic() - began), change)


def test_openai(site, walked):
    with openai.OpenAI(base_url=site.url + "/v1", api_key=walked["key"], max_retries=0) as client:
        assert client.chat.completions.create(model="gpt4", messages=MESSAGES).choices[0].message.content
        assert [each.id for each in client.models.list()] == ["gpt4"]
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="gpt-4-turbo", messages=MESSAGES)


def test_azure(site, walked):
    with openai.AzureOpenAI(
        azure_endpoint=site.url, api_key=walked["key"], api_version="2024-10-21", max_retries=0
    ) as client:
        assert client.chat.completions.create(model="gpt4", messages=MESSAGES).choices[0].message.content


def test_a_deployment_of_azure(site, walked):
    site.cli(
        *("connection", "add", "--name", "foundry", "--provider", "azure"),
        *("--endpoint", site.simulator.url, "--api-key", CANARY),
    )
    named = ("--name", "on-azure", "--remote", "gpt-4o", "--deployment", "dep-1")
    model = site.add("model", "add", "--conn-id", "foundry", *named)
    assert model["deployment"] == "dep-1"
    vkey = site.add("vkey", "add", "--name", "azure-user", "--key", "sk-a-key-of-ones-own")
    site.add("assign", "--vkey-id", vkey["id"], "--model-id", model["id"], "--alias", "mine", "--tps", "5")
    assert site.call("sk-a-key-of-ones-own", "mine").status == 200
    tested = site.cli("connection", "test", "foundry")
    assert "foundry answered 200 for dep-1" in tested
    site.cli("connection", "remove", "foundry", "--cascade")


def test_google_generativeai(site, walked):
    legacy.configure(api_key=walked["key"], transport="rest", client_options={"api_endpoint": site.url})
    model = legacy.GenerativeModel("models/gpt4")
    try:
        assert model.generate_content("Hello", request_options={"timeout": 60}).text
    except exceptions.GoogleAPICallError as error:
        pytest.fail(str(error))


def test_langchain(site, walked):
    chat = ChatOpenAI(model="gpt4", base_url=site.url + "/v1", api_key=walked["key"], max_retries=0)
    assert chat.invoke("Hello").content
    assert "".join(chunk.content for chunk in chat.stream("Hello"))


def test_the_key_is_shown_once(site, walked):
    shown = site.cli("vkey", "show", "frontend", "--json")
    assert walked["key"] not in shown and json.loads(shown)["key_hint"].startswith("lgw_sk_")
    assert walked["key"].startswith("lgw_sk_")


def test_lists_are_tables(site, walked):
    table = site.cli("connection", "list")
    assert "NAME" in table and "main" in table and CANARY not in table
    assert "gpt-4-turbo-preview" in site.cli("model", "list")
    assert "gpt4" in site.cli("assign", "list")
    assert "frontend" in site.cli("vkey", "list")


def test_a_key_of_ones_own_blocked_and_rotated(site, walked):
    own = "my-own-client-key-0815"
    site.add("vkey", "add", "--name", "own", "--key", own, "--models", "gpt-4-turbo")
    assert site.call(own, "gpt-4-turbo").status == 200
    again = site.run("vkey", "add", "--name", "thief", "--key", own)
    assert again.returncode != 0 and "same key" in again.stderr
    site.cli("vkey", "block", "own")
    assert site.call(own, "gpt-4-turbo").status == 401
    site.cli("vkey", "unblock", "own")
    new = json.loads(site.cli("vkey", "rotate", "own", "--overlap", "1h", "--json"))["key"]
    assert [site.call(key, "gpt-4-turbo").status for key in (own, new)] == [200, 200]
    (before,) = json.loads(site.cli("vkey", "show", "own", "--json"))["previous_keys"]
    assert before["key_hint"] == "my-o...0815"
    assert f"until {before['until']}" in site.cli("vkey", "show", "own") and before["until"] in site.cli("vkey", "list")
    said = site.cli("vkey", "rotate", "own")
    day = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=24)
    assert "Still good: lgw_sk_" in said and "--overlap 0s" in said, said
    # An overlap ends with a whole second, which may be the next minute's first.
    assert any(f"until {day - datetime.timedelta(minutes=m):%Y-%m-%dT%H:%M}" in said for m in (-1, 0, 1)), said
    assert "DURATION=24h" in site.cli("vkey", "rotate", "--help")
    newest = json.loads(site.cli("vkey", "rotate", "own", "--overlap", "0s", "--json"))
    assert "previous_keys" not in newest
    newest = newest["key"]
    assert [site.call(key, "gpt-4-turbo").status for key in (own, new, newest)] == [401, 401, 200]
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    site.cli("vkey", "update", "own", "--expires", f"{soon:%Y-%m-%dT%H:%M:%SZ}")
    waiting.until(lambda: site.call(newest, "gpt-4-turbo").status == 401, "it has expired")
    said = site.cli("vkey", "rotate", "own")
    assert f"It expired at {soon:%Y-%m-%dT%H:%M:%S}" in said and "Still good" not in said, said
    site.cli("vkey", "remove", "own")
    assert site.call(newest, "gpt-4-turbo").status == 401


def test_an_update_changes_what_is_given(site, walked):
    made = site.add("model", "add", "--conn-id", "main", "--name", "renamed", "--remote", "a")
    changed = json.loads(site.cli("model", "update", made["id"], "--remote", "b", "--json"))
    assert changed["remote"] == "b" and changed["name"] == "renamed" and changed["version"] == 2
    assert "remote" not in json.loads(site.cli("model", "update", "renamed", "--unset", "remote", "--json"))
    stale = site.run("model", "update", "renamed", "--remote", "c", "--if-match", '"1"')
    assert stale.returncode == 1 and "changed it meanwhile" in stale.stderr
    site.cli("model", "remove", "renamed")


def test_a_key_whose_model_is_gone_may_not_call_others(site, walked):
    model = site.add("model", "add", "--conn-id", "main", "--name", "short-lived")
    key = site.add("vkey", "add", "--name", "narrow")["key"]
    site.cli("assign", "--vkey-id", "narrow", "--model-id", "short-lived")
    assert [site.call(key, name).status for name in ("short-lived", "gpt-4-turbo")] == [200, 404]
    refused = site.run("model", "remove", model["id"])
    assert refused.returncode == 1 and "the assignment 'short-lived' (asg_" in refused.stderr
    assert "may call nothing now" in site.cli("model", "remove", model["id"], "--cascade")
    assert [site.call(key, name).status for name in ("short-lived", "gpt-4-turbo")] == [404, 404]
    site.cli("vkey", "remove", "narrow", "--cascade")


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["connection", "add", "--name", "x"], "provider"),
        (["connection", "add", "--name", "x", "--provider", "opnai", "--api-key", "k"], 'did you mean "openai"'),
        (["connection", "add", "--name", "main", "--provider", "ollama"], "already such a connection"),
        (["model", "add", "--conn-id", "nowhere", "--name", "m"], "no connection 'nowhere'"),
        (["model", "add", "--conn-id", "conn_0123456789abcdefghjkm", "--name", "m"], "there is no connection"),
        (["vkey", "add", "--name", "x", "--tps", "many"], "--tps: expected a number"),
        (["vkey", "add", "--name", "x", "--tps", "-1"], "out of range"),
        (["vkey", "add", "--name", "x", "--key", "short"], "at least 8 characters"),
        (["vkey", "add", "--name", "x", "--budget", "cheap"], "budget"),
        (["assign", "--json", "list"], "write --json behind the subcommand: assign list --json"),
        (["assign", "--vkey-id", "frontend", "--model-id", "no-such-model"], "`llm-gateway model list` shows all"),
        (["assign", "--vkey-id", "frontend", "--model-id", "gpt-4-trubo"], "did you mean 'gpt-4-turbo'?"),
        (["assign", "--vkey-id", "frontnd", "--model-id", "gpt-4-turbo"], "did you mean 'frontend'?"),
        (["model", "update", "gpt-4-trubo", "--remote", "x"], "did you mean 'gpt-4-turbo'?"),
        (["vkey", "rotate", "frontend", "--overlap", 'a"b'], "expected a duration"),
        (["vkey", "show", "nobody"], "there is no key 'nobody'"),
        (["connection", "remove", "main"], "--cascade"),
        (["vkey", "add", "--name", "x", "--key", "env:NOT_SET"], "NOT_SET is not set"),
    ],
)
def test_wrong_input_says_what_was_expected(site, walked, arguments, says):
    result = site.run(*arguments)
    assert result.returncode in (1, 2) and says in result.stderr, result.stderr


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["conection", "add", "--help"], "did you mean 'connection'?"),
        (["vkey", "delete", "x"], "did you mean 'remove'?"),
        (["connection", "add", "--nmae", "x"], "did you mean '--name'?"),
        (["ledger", "report", "--format", "xml"], "'xml' is none of table, csv, json"),
        (["stop", "--timeout", "x"], "--timeout: expected a number from 0 to 86400, not 'x'"),
        (["audit", "--limit", "0"], "--limit: expected a whole number from 1 to 999, not '0'"),
        (["vkey"], "'vkey' expects a command: add, list, show, update, remove, rotate, block, unblock"),
        ([], "expected a command: serve"),
    ],
)
def test_a_wrong_command_line_is_told_the_right_one(site, arguments, says):
    result = site.run(*arguments)
    assert result.returncode == 2 and says in result.stderr and not result.stdout, result
    assert "--help` " in result.stderr


def test_the_helps_of_choices_can_be_read(site):
    assert "--format table|csv|json" in site.cli("ledger", "report", "--help")
    assert "--limit NUMBER=50" in site.cli("audit", "--help")


def test_a_test_of_a_connection_is_in_the_ledger(site, walked):
    """The provider charges for it, so reports have it, at the price that the store has; it is nobody's."""
    priced = site.add(
        *("price", "add", "--provider", "main", "--model", "gpt-4-turbo-preview", "--input", "1", "--output", "2")
    )

    def records():
        lines = site.cli("ledger", "export", "--format", "json").splitlines()
        return [record for record in map(json.loads, lines) if record["tags"] == "test"]

    before = records()
    site.cli("connection", "test", "main")
    site.cli("price", "remove", priced["id"])
    (last,) = waiting.until(lambda: [each for each in records() if each not in before], "it has a record")
    assert last["key"] == "" and last["connection"] == "main" and last["model"] == "gpt-4-turbo"
    assert last["outcome"] == "completed" and last["output"] > 0
    assert last["nano_dollars"] == 1000 * last["input"] + 2000 * last["output"]
    waiting.until(lambda: "test" in site.cli("ledger", "report", "--by", "tags"), "it is summed up", 30)
    assert "no fault found" in site.cli("ledger", "verify")


def test_what_is_stored_belongs_to_the_key_and_not_to_its_name(site, walked):
    def ask(key, method, path, body=None):
        head = [("authorization", f"Bearer {key['key']}")]
        if body is None:
            return raw.call(site.address, method, path, head)
        return raw.post_json(site.address, path, body, head)

    first = site.add("vkey", "add", "--name", "of-a-name")
    body = {"model": "gpt-4-turbo", "input": "mine"}
    conversation = ask(first, "POST", "/v1/conversations", {}).json()["id"]
    made = ask(first, "POST", "/v1/responses", body | {"conversation": conversation})
    assert made.status == 200, made.body
    response = made.json()["id"]
    paths = (f"/v1/responses/{response}", f"/v1/conversations/{conversation}")
    site.cli("vkey", "update", "of-a-name", "--name", "renamed")
    second = site.add("vkey", "add", "--name", "of-a-name")
    for path in paths:
        assert ask(first, "GET", path).status == 200, "a renamed key keeps what is its own"
        assert ask(second, "GET", path).status == 404, "the name gives nothing"
        assert ask(second, "DELETE", path).status == 404
    site.cli("vkey", "remove", "of-a-name")
    site.cli("vkey", "remove", "renamed")
    for name in ("renamed", "of-a-name"):
        third = site.add("vkey", "add", "--name", name)
        assert [ask(third, "GET", path).status for path in paths] == [404, 404]
        site.cli("vkey", "remove", name)


def test_calls_without_a_model_of_a_key_with_assignments(site, walked):
    """They go to the first connection that serves a model the key may use, be it behind an alias."""
    keys = {}
    for name, alias in (("aliased", ["--alias", "big"]), ("assigned", [])):
        keys[name] = site.add("vkey", "add", "--name", name)["key"]
        site.cli("assign", "--vkey-id", name, "--model-id", "gpt-4-turbo", *alias)
    keys["open"] = site.add("vkey", "add", "--name", "open")["key"]
    keys["closed"] = site.add("vkey", "add", "--name", "closed", "--models", "claude-nothing")["key"]

    def ask(name, *more):
        return raw.call(site.address, "GET", "/v1/files", [("authorization", f"Bearer {keys[name]}"), *more])

    # The simulator has no files; what it says of that is not what the gateway says.
    assert b"no connection of" in ask("closed").body
    for name in ("open", "aliased", "assigned"):
        for more in ([], [("x-llm-gateway-connection", "main")]):
            assert b"no connection of" not in ask(name, *more).body, name
    for name in keys:
        site.cli("vkey", "remove", name, "--cascade")


def test_the_last_assignment_closes_its_key(site, walked):
    site.cli("vkey", "add", "--name", "closing", "--key", "closing-key-0815")
    first = site.add("assign", "--vkey-id", "closing", "--model-id", "gpt-4-turbo", "--alias", "only")
    assert [site.call("closing-key-0815", name).status for name in ("only", "gpt-4-turbo")] == [200, 404]
    assert "closing, which may call nothing now" in site.cli("assign", "remove", first["id"])
    assert [site.call("closing-key-0815", name).status for name in ("only", "gpt-4-turbo")] == [404, 404]
    site.cli("vkey", "update", "closing", "--unset", "models")
    assert site.call("closing-key-0815", "gpt-4-turbo").status == 200
    again = site.add("assign", "--vkey-id", "closing", "--model-id", "gpt-4-turbo", "--alias", "only")
    site.cli("assign", "remove", again["id"], "--open")
    assert site.call("closing-key-0815", "gpt-4-turbo").status == 200
    site.cli("vkey", "remove", "closing")


def test_explain_knows_aliases(site, walked):
    refused = site.run("route", "explain", "--model", "gpt4")
    assert refused.returncode == 1 and "it is an alias of the key 'frontend': add --key frontend" in refused.stderr
    assert "main" in site.cli("route", "explain", "--model", "gpt4", "--key", "frontend")
    offline = site.run("route", "explain", "--model", "gpt-4-turbo", "--offline")
    assert offline.returncode == 1 and "--offline looks at the configuration file alone" in offline.stderr


def test_a_reload_says_what_was_loaded_before(site, walked):
    assert "nothing changed" in site.cli("reload")


def test_odd_names_and_numbers(site, walked):
    name = "Schlüssel 鍵 🔑 %2F"
    made = site.add("vkey", "add", "--name", name, "--models", "gpt-4-turbo")
    assert json.loads(site.cli("vkey", "show", name, "--json"))["id"] == made["id"]
    assert site.call(made["key"], "gpt-4-turbo").status == 200
    assert name in site.cli("vkey", "list")
    site.cli("vkey", "remove", name)
    for arguments in (["--rpm", "99999999999999999999"], ["--rpm", "1.5"], ["--tps", "nan"], ["--budget", "1e9"]):
        refused = site.run("vkey", "add", "--name", "odd", *arguments)
        assert refused.returncode == 2 and arguments[0].strip("-") in refused.stderr, refused.stderr
    assert site.run("vkey", "add", "--name", "").returncode == 2
    assert site.run("vkey", "show", "odd").returncode == 1, "none of them was made"


def test_two_command_lines_at_once(site, walked):
    """One of them makes it, the other is told."""
    command = [processes.binary(), "vkey", "add", "--name", "twice"]
    environment = os.environ | {"LLM_GATEWAY_CONFIG": str(site.config_file)}
    both = [subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    said = [each.communicate(timeout=60)[1] for each in both]
    assert sorted(each.returncode for each in both) == [0, 1], said
    assert "there is already such a key" in "".join(said)
    site.cli("vkey", "remove", "twice")


def test_a_connection_is_tested_by_a_real_call(site, walked):
    assert "main answered 200 for gpt-4-turbo-preview in" in site.cli("connection", "test", "main")
    by_id = json.loads(site.cli("connection", "test", walked["connection"]["id"], "--model", "any", "--json"))
    assert by_id["ok"] and by_id["status"] == 200 and by_id["answer"]["choices"]
    endpoint = ["--endpoint", site.simulator.url, "--api-key", "x"]
    site.cli("connection", "add", "--name", "wrong", "--provider", "openai", *endpoint)
    site.cli("connection", "add", "--name", "patterns", "--provider", "openai", "--endpoint", site.simulator.url)
    site.cli("model", "add", "--conn-id", "patterns", "--name", "pattern-*")
    told = site.run("connection", "test", "patterns").stderr
    assert "'pattern-*'" in told and "--model" in told, told
    site.cli("connection", "remove", "patterns", "--cascade")
    refused = site.run("connection", "test", "wrong", "--model", "any")
    assert refused.returncode == 1 and "answered 401" in refused.stderr
    assert "--model" in site.run("connection", "test", "wrong").stderr
    site.cli("connection", "remove", "wrong")


def test_prices_and_routes(site, walked):
    which = ("price", "add", "--provider", "openai", "--model", "gpt-4-turbo-preview")
    price = site.add(*which, "--input", "1", "--output", "2")
    assert price["id"].startswith("price_")
    long = (*which, "--above-tokens", "1000")
    site.cli(*long, "--input", "4", "--output", "8")
    assert site.run(*long, "--input", "4", "--output", "8").returncode == 1, "there is one already"
    wrong = site.run("price", "add", "--provider", "openai", "--model", "x", "--input", "much", "--output", "1")
    assert wrong.returncode == 2 and "input" in wrong.stderr

    def recorded():
        lines = site.cli("ledger", "export", "--format", "json").splitlines()
        return {record["id"]: record["nano_dollars"] for record in map(json.loads, lines)}

    def spent():
        """What a call costs, by its record; and its usage."""
        before = recorded()
        usage = site.call(walked["key"], "gpt4").json()["usage"]
        (cost,) = [cost for name, cost in recorded().items() if name not in before]
        return cost, usage

    cost, usage = spent()
    assert cost == usage["prompt_tokens"] * 1000 + usage["completion_tokens"] * 2000
    site.cli("price", "update", "openai/gpt-4-turbo-preview", "--input", "0", "--output", "0", "--request", "0.5")
    assert spent()[0] == 500_000_000
    assert "1000" in site.cli("price", "list")
    assert len(json.loads(site.cli("price", "list", "--json"))) == 2
    longer = "openai/gpt-4-turbo-preview/above-1000"
    assert f"is left, for longer prompts: price {longer}\n" in site.cli("price", "remove", price["id"])
    cost, usage = spent()
    shipped = usage["prompt_tokens"] * 10_000 + usage["completion_tokens"] * 30_000
    assert cost == shipped, "the price of longer prompts is none of short ones"
    site.cli("price", "remove", longer)

    endpoint = ["--endpoint", "http://127.0.0.1:9", "--api-key", CANARY]
    site.cli("connection", "add", "--name", "dead", "--provider", "openai", *endpoint)
    site.cli("model", "add", "--conn-id", "dead", "--name", "of-the-dead")
    key = site.add("vkey", "add", "--name", "routed")["key"]
    assert site.call(key, "of-the-dead").status >= 500
    route = site.add("route", "add", "--models", "of-the-dead", "--fallbacks", "gpt-4-turbo")
    assert route["id"].startswith("route_") and route["models"] == ["of-the-dead"]
    assert site.call(key, "of-the-dead").status == 200, "its fallback answers"
    assert "of-the-dead" in site.cli("route", "list")
    again = site.run("route", "add", "--models", "of-the-dead", "--attempts", "2")
    assert again.returncode != 0 and "there is already such a route: 'of-the-dead'" in again.stderr
    assert "llm-gateway route update 'of-the-dead'" in again.stderr and "configuration file" not in again.stderr
    assert "PATCH /admin/v1/routes/of-the-dead" in again.stderr
    site.cli("route", "update", "of-the-dead", "--attempts", "2")
    near = site.run("route", "add", "--models", "of-the-deaf")
    assert near.returncode == 2 and "of-the-deaf" in near.stderr
    site.cli("model", "add", "--conn-id", "main", "--name", "after-me")
    site.cli("route", "update", "of-the-dead", "--fallbacks", "after-me,gpt-4-turbo")
    assert "the route 'of-the-dead' (route_" in site.run("model", "remove", "after-me").stderr
    assert "goes on for its other models: route of-the-dead" in site.cli("model", "remove", "after-me", "--cascade")
    assert site.call(key, "of-the-dead").status == 200, "a route goes on without a model that was removed"
    site.cli("route", "remove", route["id"])
    assert site.call(key, "of-the-dead").status >= 500
    site.cli("connection", "remove", "dead", "--cascade")
    site.cli("vkey", "remove", "routed")


def test_credentials_from_elsewhere(site, walked):
    for name, value, more in (
        ("from-environment", "env:SOME_KEY", {"environment": {"SOME_KEY": CANARY}}),
        ("from-input", "-", {"standard_input": CANARY + "\n"}),
    ):
        site.cli(
            *("connection", "add", "--name", name, "--provider", "openai"),
            *("--endpoint", site.simulator.url, "--api-key", value),
            **more,
        )
        site.cli("model", "add", "--conn-id", name, "--name", name)
        key = site.add("vkey", "add", "--name", name)["key"]
        assert site.call(key, name).status == 200
        site.cli("connection", "remove", name, "--cascade")
        assert site.call(key, name).status == 404


def test_the_file_wins(site, walked):
    before = site.config_file.read_text()
    key = site.add("vkey", "add", "--name", "both")["key"]
    try:
        site.config_file.write_text(before + '\n[[keys]]\nname = "both"\nkey = "the-key-of-the-file"\n')
        waiting.until(lambda: site.call("the-key-of-the-file", "gpt-4-turbo").status == 200, "the file's key is good")
        assert site.call(key, "gpt-4-turbo").status == 401
        said = "the configuration file has one of the same name"
        site.gateway.said(said)
        shown = json.loads(site.cli("vkey", "show", "both", "--json"))
        assert shown["source"] == "file"
        listed = [each for each in json.loads(site.cli("vkey", "list", "--json")) if each["name"] == "both"]
        assert [said in each.get("problem", "") for each in listed] == [False, True]
        assert f"store, not used: {said}" in site.cli("vkey", "list")
        assert said in json.loads(site.cli("vkey", "show", listed[1]["id"], "--json"))["problem"]
        refused = site.run("vkey", "update", "file:1", "--tps", "1")
        assert refused.returncode == 1 and "configuration file" in refused.stderr
    finally:
        site.config_file.write_text(before)
    waiting.until(lambda: site.call(key, "gpt-4-turbo").status == 200, "the store's key is good again")
    site.cli("vkey", "remove", "both")


def test_every_change_is_in_the_audit_log(site, walked):
    site.cli("team", "add", "--name", "audited")
    site.cli("team", "update", "audited", "--tps", "5")
    site.cli("team", "remove", "audited")
    entries = [entry for entry in json.loads(site.cli("audit", "--json"))["data"] if entry["object_name"] == "audited"]
    assert [entry["action"] for entry in entries] == ["remove", "update", "create"]
    assert all("command line" in entry["actor"] for entry in entries)
    assert entries[1]["detail"]["fields"] == ["tps"]


def test_what_was_spent_goes_with_its_object(site, walked):
    """Whatever it is called, also after a restart; and to no other that gets its name."""
    site.cli("price", "add", "--provider", "openai", "--model", "spending", "--input", "1", "--output", "1")
    site.cli("model", "add", "--conn-id", walked["connection"]["id"], "--name", "spending")
    # Enough for one call: twenty tokens and some thirty of the prompt; not for what one used and another.
    key = site.add("vkey", "add", "--name", "spends", "--budget", "0.00006")["key"]

    def status(key):
        body = {"model": "spending", "max_tokens": 20, "messages": MESSAGES}
        return raw.post_json(site.address, "/v1/chat/completions", body, {"Authorization": f"Bearer {key}"}).status

    assert [status(key), status(key)] == [200, 429]
    site.cli("vkey", "update", "spends", "--name", "has-spent")
    assert status(key) == 429
    assert not site.gateway.stop()
    site.start()
    assert status(key) == 429
    other = site.add("vkey", "add", "--name", "spends", "--budget", "0.00006")["key"]
    assert [status(other), status(other), status(key)] == [200, 429, 429]
    site.cli("vkey", "remove", "spends")
    assert status(site.add("vkey", "add", "--name", "spends", "--budget", "0.00006")["key"]) == 200


def test_a_budget_goes_over_to_another_period(site, walked):
    """At once, and what was spent is what the ledger knows of the new one."""
    site.cli("price", "add", "--provider", "openai", "--model", "by-period", "--input", "1", "--output", "1")
    site.cli("model", "add", "--conn-id", walked["connection"]["id"], "--name", "by-period")
    key = site.add("vkey", "add", "--name", "by-period", "--budget", "0.00006")["key"]

    def call():
        body = {"model": "by-period", "max_tokens": 20, "messages": MESSAGES}
        return raw.post_json(site.address, "/v1/chat/completions", body, {"Authorization": f"Bearer {key}"})

    assert call().status == 200
    refused = call()
    assert refused.status == 429 and "a month" in refused.json()["error"]["message"]
    site.cli("vkey", "update", "by-period", "--budget-period", "day", "--time-zone", governed.far_from_midnight())
    waiting.until(lambda: int(call().header("retry-after")) <= 24 * 3600, "the day's end counts")
    refused = call()
    assert refused.status == 429 and "a day" in refused.json()["error"]["message"]
    site.cli("vkey", "update", "by-period", "--budget-period", "hour", "--budget", "0")
    assert "an hour" in call().json()["error"]["message"]


def test_a_restart_keeps_everything(site, walked):
    assert not site.gateway.stop()
    site.cli("vkey", "add", "--name", "while-down", "--key", "made-while-it-was-down")
    site.start()
    assert site.call(walked["key"], "gpt4").status == 200
    assert site.call("made-while-it-was-down", "gpt-4-turbo").status == 200


def test_secrets_are_sealed_and_rotated(site, walked):
    if (site.directory / "data" / "objects.sqlite").exists():
        stored = b"".join(data for _, data in files.contents(site.directory / "data", "objects.*"))
        assert CANARY.encode() not in stored and walked["key"].encode() not in stored
        assert b"v1." in stored
    key_file = site.directory / "data" / "master.key"
    assert key_file.stat().st_mode & 0o777 == 0o600
    before = key_file.read_text()
    assert "resealed" in site.cli("secrets", "rotate")
    assert key_file.read_text() != before and len(key_file.read_text().split()) == 1
    assert site.call(walked["key"], "gpt4").status == 200
    site.cli("model", "add", "--conn-id", "main", "--name", "after-rotation")
    key = site.add("vkey", "add", "--name", "after-rotation")["key"]
    assert site.call(key, "after-rotation").status == 200
    assert not site.gateway.stop()
    site.start()
    assert site.call(key, "after-rotation").status == 200


def test_no_secret_is_anywhere(site, walked, postgres):
    """Canaries of every kind of secret, looked for wherever the gateway writes or answers."""
    made = site.add("vkey", "add", "--name", "canary-key")["key"]
    admin = site.add("admin-key", "add", "--name", "canary-admin", "--role", "owner")["key"]
    own = "canary-of-ones-own-choice"
    site.cli("vkey", "add", "--name", "own-key", "--key", own)
    site.cli(
        *("connection", "add", "--name", "canary", "--provider", "openai", "--endpoint", "http://127.0.0.1:9"),
        *("--api-key", CANARY + "-dead", "--proxy", "http://user:canary-of-a-proxy@127.0.0.1:9"),
        *("--headers", "x-secret: canary-of-a-header"),
    )
    site.cli("model", "add", "--conn-id", "canary", "--name", "canary-model")
    canaries = [CANARY, made, admin, own, "canary-of-a-proxy", "canary-of-a-header", walked["key"]]
    bearer = {"Authorization": f"Bearer {admin}"}
    seen = {}

    def look(name, data):
        seen[name] = data if isinstance(data, bytes) else data.encode()

    calls = ((made, "canary-model"), (own, "nothing"), ("wrong-" + made, "gpt-4-turbo"), (made, "gpt-4-turbo"))
    for key, model in calls:
        look(f"call {key[:5]} {model}", site.call(key, model).body)
    stored = {"model": "gpt-4-turbo", "input": "Hello", "store": True}
    look("response", raw.post_json(site.address, "/v1/responses", stored, {"Authorization": f"Bearer {made}"}).body)
    for plural in ("connections", "models", "keys", "assignments", "admin-keys", "prices", "routes", "teams", "users"):
        look(plural, raw.call(site.address, "GET", f"/admin/v1/{plural}", bearer).body)
    for path in ("connections/canary", "keys/canary-key", "audit?limit=900", "openapi.json", "spend?by=key", "whoami"):
        look(path, raw.call(site.address, "GET", f"/admin/v1/{path}", bearer).body)
    look("test", raw.post_json(site.address, "/admin/v1/connections/canary/test", {"model": "m"}, bearer).body)
    infos = ("/key/info?key=canary-key", f"/key/info?key={own}")
    for path in ("/spend/logs", *infos, "/model/info", "/metrics", "/health"):
        look(path.split("?")[0], raw.call(site.address, "GET", path, bearer).body)
    for arguments in (("vkey", "list"), ("connection", "show", "canary"), ("status",), ("config", "show"), ("audit",),
                      ("ledger", "report"), ("ledger", "export")):
        result = site.run(*arguments)
        look(" ".join(arguments), result.stdout + result.stderr)
    look("log", site.gateway.text())
    for path, data in files.contents(site.directory / "data"):
        if path.name != "master.key":
            look(str(path), data)
    url = next((line for line in site.config_file.read_text().splitlines() if "postgresql://" in line), None)
    if url:
        url = url.split('"')[1]
        tables = postgres.query(url, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        assert "objects" in tables and "responses" in tables and "ledger_sums" in tables
        for table in tables.split():
            look(table, postgres.query(url, f"SELECT * FROM {table}"))
    assert len(seen) > 30
    found = [(name, canary) for name, data in seen.items() for canary in canaries if canary.encode() in data]
    assert not found
    site.cli("connection", "remove", "canary", "--cascade")
