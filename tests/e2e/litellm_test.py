"""What programs written for LiteLLM's proxy call, and its configuration files."""

import datetime
import json
import subprocess

import pytest
from control_plane_test import CANARY, Site
from harness import processes, raw, waiting

pytestmark = pytest.mark.xdist_group("litellm")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("litellm"), {"url": "sqlite"})
    endpoint = ["--endpoint", site.simulator.url, "--api-key", CANARY]
    site.cli("connection", "add", "--name", "c", "--provider", "openai", *endpoint)
    site.cli("model", "add", "--conn-id", "c", "--name", "gpt-4o", "--remote", "gpt-4o-remote")
    site.cli("model", "add", "--conn-id", "c", "--name", "gpt-4o-mini")
    site.admin_key = site.add("admin-key", "add", "--name", "master", "--role", "owner")["key"]
    yield site
    site.stop()


def post(site, path, body, key=None):
    return raw.post_json(site.address, path, body, {"Authorization": f"Bearer {key or site.admin_key}"})


def get(site, path, key=None):
    return raw.call(site.address, "GET", path, {"Authorization": f"Bearer {key or site.admin_key}"})


def is_good(site, key, model):
    """A change is answered when it serves."""
    assert site.call(key, model).status == 200


def test_generate_and_info(site):
    answer = post(
        site,
        "/key/generate",
        {
            "models": ["gpt-4o"],
            "key_alias": "alias",
            "duration": "30d",
            "max_budget": 12.5,
            "budget_duration": "30d",
            "tpm_limit": 1000,
            "rpm_limit": 60,
            "max_parallel_requests": 3,
            "user_id": None,
            "metadata": {"a": "b"},
        },
    )
    assert answer.status == 200, answer.body
    made = answer.json()
    assert made["key"].startswith("lgw_sk_") and made["models"] == ["gpt-4o"] and made["max_budget"] == 12.5
    assert made["budget_duration"] == "30d" and made["tpm_limit"] == 1000 and made["expires"].endswith("Z")
    assert made["ignored"] == ["budget_duration: 30d is a month of the calendar here", "metadata"]
    is_good(site, made["key"], "gpt-4o")
    assert site.call(made["key"], "gpt-4o-mini").status == 404
    for named in (made["key"], made["token_id"], "alias"):
        info = get(site, f"/key/info?key={named}").json()
        assert info["key"] == made["token_id"]
        assert info["info"]["key_alias"] == "alias" and info["info"]["rpm_limit"] == 60
        assert info["info"]["max_parallel_requests"] == 3 and made["key"] not in json.dumps(info)


def test_a_key_of_ones_own_with_aliases(site):
    made = post(site, "/key/generate", {"key": "sk-my-own-key-1", "aliases": {"fast": "gpt-4o-mini"}}).json()
    assert made["key"] == "sk-my-own-key-1" and made["aliases"] == {"fast": "gpt-4o-mini"}
    is_good(site, "sk-my-own-key-1", "fast")
    wrong = post(site, "/key/generate", {"key_alias": "half", "aliases": {"x": "no-such-model"}})
    assert wrong.status == 400 and "no-such-model" in wrong.body.decode()
    assert get(site, "/key/info?key=half").status == 404, "a key without its aliases is not left behind"


def test_a_budget_that_is_another_here_is_told(site):
    for_good = post(site, "/key/generate", {"key_alias": "for-good", "max_budget": 5}).json()
    (told,) = for_good["ignored"]
    assert told.startswith("max_budget: ") and "each month" in told and for_good["budget_duration"] == "30d"
    changed = post(site, "/key/update", {"key": "for-good", "max_budget": 6}).json()
    assert changed["ignored"] == [told]
    weekly = post(site, "/key/update", {"key": "for-good", "budget_duration": "7d"}).json()
    assert weekly["ignored"] == ["budget_duration: 7d is a week of the calendar here, from Monday on"]
    assert post(site, "/key/update", {"key": "for-good", "max_budget": 7}).json()["ignored"] == [], "it has a period"
    daily = post(site, "/team/new", {"team_id": "daily", "max_budget": 5, "budget_duration": "1d"}).json()
    assert daily["ignored"] == [] and daily["budget_duration"] == "1d"
    assert post(site, "/user/new", {"user_id": "for-good", "max_budget": 5}).json()["ignored"] == [told]


def test_special_models_and_limits(site):
    team = post(site, "/team/new", {"team_id": "one-model", "team_alias": "One model", "models": ["gpt-4o"]}).json()
    assert team["team_alias"] == "one-model"
    assert team["ignored"] == ["team_alias: a team has one name here, which is its team_id"]
    made = post(site, "/key/generate", {"team_id": "one-model", "models": ["all-team-models"]}).json()
    assert made["models"] == [] and made["ignored"] == []
    is_good(site, made["key"], "gpt-4o")
    assert site.call(made["key"], "gpt-4o-mini").status == 404, "the team's models, and no others"
    every = post(site, "/key/generate", {"models": ["all-proxy-models"]}).json()
    is_good(site, every["key"], "gpt-4o-mini")
    # No limit here, nothing at all there: neither is what was meant.
    for limit in ("tpm_limit", "rpm_limit", "max_parallel_requests"):
        refused = post(site, "/key/generate", {limit: 0})
        assert refused.status == 400 and f"{limit}: 0 lets no call through" in refused.body.decode()


def test_teams_and_users(site):
    team = post(site, "/team/new", {"team_alias": "search", "models": ["gpt-4o"], "max_budget": 100}).json()
    assert team["team_id"] == "search" and team["team_alias"] == "search" and team["max_budget"] == 100
    named = post(site, "/team/new", {"team_id": "t-1", "rpm_limit": 5}).json()
    assert named["team_id"] == "t-1" and named["rpm_limit"] == 5
    made = post(site, "/key/generate", {"team_id": "search"}).json()
    assert made["team_id"] == "search", "as /team/new said it"
    assert get(site, f"/key/info?key={made['token_id']}").json()["info"]["team_id"] == "search"
    assert get(site, "/team/info?team_id=search").json()["keys"][0]["team_id"] == "search"
    key = made["key"]
    is_good(site, key, "gpt-4o")
    assert site.call(key, "gpt-4o-mini").status == 404
    user = post(site, "/user/new", {"user_email": "jane@example.com", "teams": ["search"]}).json()
    assert user["user_id"] == "jane@example.com" and user["teams"] == ["search"]
    assert get(site, "/user/info?user_id=jane@example.com").json()["teams"] == ["search"]
    is_good(site, user["key"], "gpt-4o")
    without = post(site, "/user/new", {"user_id": "joe", "auto_create_key": False}).json()
    assert "key" not in without
    assert post(site, "/user/new", {"user_id": "joe"}).status == 409


def test_models(site):
    for path in ("/model/info", "/v1/model/info"):
        models = {each["model_name"]: each for each in get(site, path).json()["data"]}
        assert models["gpt-4o"]["litellm_params"]["model"] == "gpt-4o-remote"
        assert models["gpt-4o"]["model_info"]["id"].startswith("mdl_") and models["gpt-4o"]["model_info"]["db_model"]


def test_keys_are_changed_blocked_and_deleted(site):
    key = post(site, "/key/generate", {"key_alias": "changing", "rpm_limit": 60})
    key = key.json()["key"]
    changed = post(site, "/key/update", {"key": key, "rpm_limit": None, "max_budget": 5, "models": ["gpt-4o"], "x": 1})
    assert changed.status == 200, changed.body
    made = changed.json()
    assert made["rpm_limit"] is None and made["max_budget"] == 5 and made["ignored"][0] == "x" and key not in str(made)
    assert site.call(key, "gpt-4o").status == 200 and site.call(key, "gpt-4o-mini").status == 404
    assert post(site, "/key/update", {"key": made["key"], "models": []}).json()["models"] == []
    assert site.call(key, "gpt-4o-mini").status == 200
    assert post(site, "/key/block", {"key": key}).json()["blocked"]
    assert site.call(key, "gpt-4o").status == 401
    assert not post(site, "/key/unblock", {"key": "changing"}).json()["blocked"]
    assert site.call(key, "gpt-4o").status == 200
    for wrong, status in (({"keys": [key, "nobody-knows-this"]}, 404), ({"keys": "x"}, 400), ({}, 400)):
        assert post(site, "/key/delete", wrong).status == status
    assert site.call(key, "gpt-4o").status == 200, "a wrong name deletes none"
    other = post(site, "/key/generate", {"key_alias": "other"}).json()
    deleted = post(site, "/key/delete", {"keys": [key], "key_aliases": ["other"]}).json()["deleted_keys"]
    assert deleted == [made["token_id"], other["token_id"]]
    assert site.call(key, "gpt-4o").status == 401
    assert post(site, "/key/update", {"key": key, "rpm_limit": 1}).status == 404


def test_spend(site):
    price = {"provider": "openai", "model": "gpt-4o-remote", "input": "1", "output": "2"}
    assert post(site, "/admin/v1/prices", price).status == 201
    team = post(site, "/team/new", {"team_alias": "spending"}).json()["team_id"]
    user = post(site, "/user/new", {"user_id": "spender", "teams": [team], "auto_create_key": False}).json()["user_id"]
    key = post(site, "/key/generate", {"key_alias": "spent", "team_id": team, "user_id": user}).json()
    silent = post(site, "/key/generate", {"key_alias": "silent"}).json()["key"]
    usage = [site.call(key["key"], "gpt-4o").json()["usage"] for _ in range(3)]
    site.call(silent, "gpt-4o")
    cost = sum(each["prompt_tokens"] * 1e-6 + each["completion_tokens"] * 2e-6 for each in usage)

    logs = get(site, f"/spend/logs?api_key={key['key']}").json()
    assert len(logs) == 3 and sum(row["spend"] for row in logs) == pytest.approx(cost)
    row = logs[0]
    assert row["prompt_tokens"] == usage[-1]["prompt_tokens"] and row["total_tokens"] == usage[-1]["total_tokens"]
    assert row["model"] == "gpt-4o-remote" and row["model_group"] == "gpt-4o" and row["status"] == "success"
    assert row["team_id"] == "spending" and row["user"] == "spender"
    assert row["api_key"] == key["token_id"] and row["metadata"]["user_api_key_alias"] == "spent"
    assert row["startTime"] <= row["endTime"] and row["startTime"].endswith("Z")
    assert get(site, f"/spend/logs?request_id={row['request_id']}").json() == [row]
    assert len(get(site, "/spend/logs?user_id=spender").json()) == 3
    assert len(get(site, "/spend/logs").json()) >= 4
    assert get(site, "/spend/logs?api_key=nobody").json() == []

    today = datetime.datetime.now(datetime.timezone.utc).date()
    span = f"start_date={today - datetime.timedelta(days=1)}&end_date={today + datetime.timedelta(days=1)}"

    def days():
        return get(site, f"/spend/logs?{span}&api_key=spent").json()

    waiting.until(lambda: sum(day["spend"] for day in days()) == pytest.approx(cost), "the sums have it")
    assert [day["startTime"] for day in days()] == [str(today + datetime.timedelta(days=n)) for n in (-1, 0, 1)]
    spent = [day for day in days() if day["spend"]]  # two where a day has ended meanwhile
    assert sum(day[key["token_id"]] for day in spent) == pytest.approx(cost)
    for kind, name in (("users", "spender"), ("models", "gpt-4o")):
        assert sum(day[kind][name] for day in spent) == pytest.approx(cost)
    assert len(get(site, f"/spend/logs?{span}&api_key=spent&summarize=false").json()) == 3
    assert get(site, "/spend/logs?start_date=soon&end_date=later").status == 400

    # Fourteen hours ahead of UTC: the day there is this one or the next.
    there = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=14))).date()
    span = f"start_date={there - datetime.timedelta(days=1)}&end_date={there}&tz=Pacific/Kiritimati"
    of_zone = get(site, f"/spend/logs?{span}&api_key=spent").json()
    assert [day["startTime"] for day in of_zone][-1] == str(there)
    assert sum(day["spend"] for day in of_zone) == pytest.approx(cost)
    assert len(get(site, f"/spend/logs?{span}&api_key=spent&summarize=false").json()) == 3
    assert get(site, f"/spend/logs?{span.replace('Pacific', 'Nowhere')}").status == 400

    assert get(site, "/key/info?key=spent").json()["info"]["spend"] == pytest.approx(cost)
    info = get(site, "/team/info?team_id=spending").json()
    assert info["team_info"]["spend"] == pytest.approx(cost)
    assert [each["key_alias"] for each in info["keys"]] == ["spent"]
    info = get(site, "/user/info?user_id=spender").json()
    assert info["user_id"] == "spender" and info["user_info"]["spend"] == pytest.approx(cost)
    assert [each["key_alias"] for each in info["keys"]] == ["spent"] and len(info["teams"]) == 1
    assert get(site, "/team/info").status == 400 and get(site, "/user/info?user_id=nobody").status == 404

    lead = site.add("admin-key", "add", "--name", "lead", "--role", "team-admin", "--team", "spending")["key"]
    assert {row["team_id"] for row in get(site, "/spend/logs", lead).json()} == {"spending"}
    assert get(site, "/spend/logs?api_key=silent", lead).json() == []
    # What a user of several teams spent with another team's key is that team's business.
    assert post(site, "/team/new", {"team_alias": "elsewhere"}).status == 200
    site.cli("user", "update", "spender", "--teams", "spending", "--teams", "elsewhere")
    other = post(site, "/key/generate", {"key_alias": "theirs", "team_id": "elsewhere", "user_id": "spender"}).json()
    assert site.call(other["key"], "gpt-4o").status == 200

    def spent_by_user(who):
        return get(site, "/user/info?user_id=spender", who).json()["user_info"]["spend"]

    waiting.until(lambda: spent_by_user(None) > cost * 1.01, "the sums have the other team's call")
    assert spent_by_user(lead) == pytest.approx(cost)
    assert [each["key_alias"] for each in get(site, "/user/info?user_id=spender", lead).json()["keys"]] == ["spent"]
    assert get(site, "/spend/logs", "sk-nobody-knows").status == 401


def test_spend_is_the_keys_whatever_it_is_called(site):
    price = {"provider": "openai", "model": "gpt-4o-mini", "input": "1000", "output": "1000"}
    assert post(site, "/admin/v1/prices", price).status == 201

    def key():
        return post(site, "/key/generate", {"key_alias": "again"}).json()

    def spend(name):
        return get(site, f"/key/info?key={name}").json()["info"]["spend"]

    def rows(more=""):
        rows = get(site, f"/admin/v1/spend?by=key{more}").json()["data"]
        return {row["key_id"]: row for row in rows if row["key_id"] in (first["token_id"], second["token_id"])}

    first = key()
    for _ in range(3):
        assert site.call(first["key"], "gpt-4o-mini").status == 200
    waiting.until(lambda: spend("again") > 0, "the sums have it")
    assert post(site, "/key/delete", {"keys": [first["key"]]}).status == 200
    second = key()
    assert spend("again") == 0, "what was another's of the name"
    assert get(site, "/spend/logs?api_key=again").json() == []
    assert len(get(site, f"/spend/logs?api_key={first['token_id']}").json()) == 3
    assert site.call(second["key"], "gpt-4o-mini").status == 200
    waiting.until(lambda: spend("again") > 0, "and its own")
    own = spend("again")

    waiting.until(lambda: sum(row["calls"] for row in rows().values()) == 4, "all are summed up")
    assert {row["key"] for row in rows().values()} == {"again"}
    assert rows("&key=again").keys() == {second["token_id"]}
    assert rows(f"&key={first['token_id']}")[first["token_id"]]["calls"] == 3
    report = site.cli("ledger", "report", "--by", "key")
    assert f"again ({first['token_id']})" in report, "it is gone"
    assert f"again ({second['token_id']})" in report, "another row has the name"
    assert second["token_id"] in site.cli("ledger", "report", "--by", "key", "--format", "csv")
    assert '"calls":3' in site.cli("ledger", "report", "--by", "key", "--key", first["token_id"], "--format", "json")

    site.cli("vkey", "update", "again", "--name", "anew")
    assert spend("anew") == pytest.approx(own), "it keeps what it spent"
    assert rows("&key=anew")[second["token_id"]]["key"] == "anew"
    report = site.cli("ledger", "report", "--by", "key", "--key", "anew")
    assert "anew " in report and second["token_id"] not in report
    exported = [json.loads(line) for line in site.cli("ledger", "export", "--format", "json").splitlines()]
    assert sorted(each["key_id"] for each in exported if each["key"] == "again") == sorted(
        [first["token_id"]] * 3 + [second["token_id"]]
    )


@pytest.mark.parametrize(
    "path, body, says",
    [
        ("/key/generate", {"budget_duration": "3 weeks"}, "budget_duration"),
        ("/key/generate", {"max_budget": "much"}, "max_budget"),
        ("/key/generate", {"max_budget": 1e-10}, "max_budget: the smallest budget but 0 is 0.000000001"),
        ("/key/generate", {"duration": "soon"}, "duration"),
        ("/key/generate", {"team_id": "no-such-team"}, "no-such-team"),
        ("/key/generate", [], "JSON object"),
    ],
)
def test_wrong_input(site, path, body, says):
    answer = post(site, path, body)
    assert answer.status == 400 and says in answer.json()["error"]["message"]


def test_who_may(site):
    viewer = site.add("admin-key", "add", "--name", "viewer", "--role", "viewer")["key"]
    assert post(site, "/key/generate", {}, viewer).status == 403
    assert post(site, "/key/generate", {}, "sk-nobody-knows").status == 401
    assert get(site, "/key/info").status == 400
    assert get(site, "/key/generate").status == 405


def test_an_import_that_cannot_be_served_by_says_so(tmp_path):
    source = tmp_path / "config.yaml"
    source.write_text("model_list: [{model_name: v, litellm_params: {model: vertex_ai/gemini-2.5-pro}}]")
    target = tmp_path / "gateway.toml"
    command = [processes.binary(), "config", "import-litellm", str(source), "--output", str(target)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "add service_account_file" in result.stderr, result.stderr
    assert "[[connections]]" in target.read_text()
    assert "it cannot be served by as it is" in result.stderr and str(target) in result.stderr, result.stderr


def test_an_import_takes_included_files_in(tmp_path):
    """They are named relative to the file that includes them."""
    source = tmp_path / "config.yaml"
    source.write_text("include: [more/models.yaml]\nx-base: &base {api_key: k}\n")
    command = [processes.binary(), "config", "import-litellm", str(source)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and not result.stdout, result.stdout
    assert "include: more/models.yaml: cannot be read: No such file or directory" in result.stderr, result.stderr
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "models.yaml").write_text(
        "model_list: [{model_name: m, litellm_params: {<<: {api_base: 'https://internal.example'}, model: openai/m}}]"
    )
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "imported 1 connections and 1 models" in result.stderr, result.stderr
    assert 'endpoint = "https://internal.example"' in result.stdout, result.stdout


def test_import_of_a_configuration(site, tmp_path):
    source = tmp_path / "config.yaml"
    source.write_text(
        f"""
model_list:
  - model_name: imported
    litellm_params:
      model: openai/some-model
      api_base: {site.simulator.url}/v1
      api_key: {CANARY}
      rpm: 5
litellm_settings:
  drop_params: true
general_settings:
  master_key: sk-imported-master
"""
    )
    target = tmp_path / "gateway.toml"
    result = subprocess.run(
        [processes.binary(), "config", "import-litellm", str(source), "--output", str(target)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "imported 1 connections and 1 models" in result.stderr and "litellm_settings.drop_params" in result.stderr
    (port,) = processes.free_ports(1)
    head = f'[server]\nlisten = "127.0.0.1:{port}"\ndata_dir = "{tmp_path}/data"\n\n'
    target.write_text(head + target.read_text())
    gateway = processes.Process("imported", ["serve", "--config", str(target)], port, "/ready", tmp_path)
    try:
        body = {"model": "imported", "messages": [{"role": "user", "content": "Hello"}]}
        bearer = {"Authorization": "Bearer sk-imported-master"}
        assert raw.post_json(gateway.address, "/v1/chat/completions", body, bearer).status == 200
        assert raw.call(gateway.address, "GET", "/admin/v1/keys", bearer).status == 200
    finally:
        assert not gateway.stop()
