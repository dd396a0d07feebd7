"""What programs written for LiteLLM's proxy call, and its configuration files."""

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
    """A change is serving within a second."""
    waiting.until(lambda: site.call(key, model).status == 200, "the key is good", 1)


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
    assert made["ignored"] == ["metadata"]
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


def test_teams_and_users(site):
    team = post(site, "/team/new", {"team_alias": "search", "models": ["gpt-4o"], "max_budget": 100}).json()
    assert team["team_id"] == "search" and team["team_alias"] == "search" and team["max_budget"] == 100
    named = post(site, "/team/new", {"team_id": "t-1", "rpm_limit": 5}).json()
    assert named["team_id"] == "t-1" and named["rpm_limit"] == 5
    key = post(site, "/key/generate", {"team_id": "search"}).json()["key"]
    is_good(site, key, "gpt-4o")
    assert site.call(key, "gpt-4o-mini").status == 404
    user = post(site, "/user/new", {"user_email": "jane@example.com", "teams": ["search"]}).json()
    assert user["user_id"] == "jane@example.com"
    is_good(site, user["key"], "gpt-4o")
    without = post(site, "/user/new", {"user_id": "joe", "auto_create_key": False}).json()
    assert "key" not in without
    assert post(site, "/user/new", {"user_id": "joe"}).status == 409


def test_models(site):
    for path in ("/model/info", "/v1/model/info"):
        models = {each["model_name"]: each for each in get(site, path).json()["data"]}
        assert models["gpt-4o"]["litellm_params"]["model"] == "gpt-4o-remote"
        assert models["gpt-4o"]["model_info"]["id"].startswith("mdl_") and models["gpt-4o"]["model_info"]["db_model"]


@pytest.mark.parametrize(
    "path, body, says",
    [
        ("/key/generate", {"budget_duration": "3 weeks"}, "budget_duration"),
        ("/key/generate", {"max_budget": "much"}, "max_budget"),
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
