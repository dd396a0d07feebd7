"""The admin API over HTTP: description, roles, audit log, optimistic concurrency, pages; no secret in any answer."""

import itertools
import json

import jsonschema
import pytest
from control_plane_test import CANARY, Site
from harness import files, raw, waiting

pytestmark = pytest.mark.xdist_group("admin-api")

ROLES = ["owner", "admin", "team-admin", "viewer"]
KINDS = ["connections", "models", "organizations", "teams", "users", "keys", "assignments", "prices", "routes"]
KINDS += ["admin-keys"]


class Admin:
    def __init__(self, site):
        self.site = site
        site.cli("team", "add", "--name", "search")
        site.cli("team", "add", "--name", "other")
        self.keys = {}
        for role in ROLES:
            more = ["--team", "search"] if role == "team-admin" else []
            made = site.add("admin-key", "add", "--name", f"the-{role}", "--role", role, *more)
            self.keys[role] = made["key"]
        self.document = self.call("viewer", "GET", "openapi.json").json()

    def call(self, role, method, path, body=None, headers=()):
        """`role`: whose key is sent; None: no key. The answer is checked against the document."""
        sent = dict(headers)
        if role is not None:
            sent["Authorization"] = f"Bearer {self.keys.get(role, role)}"
        payload = b"" if body is None else json.dumps(body).encode()
        if payload:
            sent["Content-Type"] = "application/json"
        answer = raw.call(self.site.address, method, f"/admin/v1/{path}", sent, payload)
        assert CANARY.encode() not in answer.body
        if hasattr(self, "document"):
            self.check(method, path, answer)
        return answer

    def check(self, method, path, answer):
        """The answer is one that the API's own description allows."""
        described = self.document["paths"]
        plain = "/admin/v1/" + path.split("?")[0]
        if plain.endswith("openapi.json"):
            return
        for template, operations in described.items():
            parts, wanted = plain.split("/"), template.split("/")
            if len(parts) != len(wanted) or any(b not in (a, "{id}") for a, b in zip(parts, wanted)):
                continue
            if method.lower() not in operations:
                assert answer.status in (401, 403, 405)
                schema = {"$ref": "#/components/schemas/Error"}
            else:
                responses = operations[method.lower()]["responses"]
                response = responses.get(str(answer.status), responses["default"])
                assert answer.status >= 400 or str(answer.status) in responses, answer.status
                schema = response["content"]["application/json"]["schema"]
            jsonschema.validate(answer.json(), {**schema, "components": self.document["components"]})
            return
        assert answer.status in (401, 404), f"{path} is not described"


@pytest.fixture(scope="module")
def admin(tmp_path_factory):
    file_objects = {
        # Nobody listens there.
        "connections": [
            {"name": "of-the-file", "provider": "openai", "endpoint": "http://127.0.0.1:9", "api_key": CANARY + "-file"}
        ],
        "models": [{"name": "file-model", "connection": "of-the-file"}],
    }
    site = Site(tmp_path_factory.mktemp("admin"), {"url": "sqlite"}, file_objects)
    yield Admin(site)
    site.stop()


def made(admin, role, kind, body):
    answer = admin.call(role, "POST", kind, body)
    assert answer.status == 201, answer.body
    return answer.json()


def to_simulator(site):
    return {"provider": "openai", "endpoint": site.simulator.url, "api_key": CANARY}


def test_the_document_is_one(admin):
    document = admin.document
    assert document["openapi"].startswith("3.1") and document["paths"]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    paths = document["paths"].values()
    operations = [each["operationId"] for path in paths for key, each in path.items() if key != "parameters"]
    assert len(operations) == len(set(operations))


@pytest.mark.parametrize("presented", [None, "", "wrong", "lgw_ak_" + "0" * 38])
@pytest.mark.parametrize("method, path", [("GET", "keys"), ("POST", "keys"), ("GET", "openapi.json"), ("GET", "no")])
def test_without_a_key_nothing(admin, presented, method, path):
    answer = admin.call(presented, method, path)
    assert answer.status == 401 and answer.header("www-authenticate") == "Bearer"


def test_a_client_key_is_no_admin_key(admin):
    key = made(admin, "owner", "keys", {"name": "client"})["key"]
    assert admin.call(key, "GET", "keys").status == 401


def test_refused_sign_ins_are_in_the_audit_log(admin):
    def refused():
        admin.call("somebody-elses-key", "GET", "keys")
        entries = admin.call("owner", "GET", "audit?limit=500").json()["data"]
        assert "somebody-elses-key" not in json.dumps(entries)
        return [entry for entry in entries if entry["action"] == "sign-in refused"]

    # Only so many a second are written: a flood of them must not keep the store from its work.
    waiting.until(lambda: "unknown key" in {entry["detail"]["reason"] for entry in refused()}, "it is in the log")
    assert all(entry["address"].startswith("127.0.0.1") for entry in refused())


def test_no_refused_sign_in_is_lost(admin):
    def refused():
        entries = admin.call("owner", "GET", "audit?limit=500").json()["data"]
        return [entry["detail"] for entry in entries if entry["action"] == "sign-in refused"]

    def count():
        return sum(detail.get("unwritten", 1) for detail in refused())

    before = count()
    for _ in range(28):
        admin.call("somebody-elses-key", "GET", "keys")
    # Nothing is refused from here on: the number of those that were only counted is written all the same.
    waiting.until(lambda: count() >= before + 28, "each is written or counted")


def test_wrong_tokens_of_engines_are_in_the_audit_log(admin):
    def reasons():
        assert admin.call("eng-wrong", "POST", "engines", {"name": "e"}).status == 401
        entries = admin.call("owner", "GET", "audit?limit=500").json()["data"]
        assert "eng-wrong" not in json.dumps(entries)
        return {entry["detail"]["reason"] for entry in entries if entry["action"] == "sign-in refused"}

    waiting.until(lambda: "wrong engine token" in reasons(), "it is in the log")


BODIES = {
    "connections": {"provider": "openai", "endpoint": "http://127.0.0.1:9", "api_key": CANARY},
    "models": {"connection": "matrix-connection"},
    "organizations": {},
    "teams": {},
    "users": {},
    "keys": {},
    "assignments": {"key": "matrix-key", "model": "file-model"},
    "prices": {"provider": "openai", "input": "1.5", "output": "2"},
    "routes": {},
    "admin-keys": {"role": "viewer"},
}
# Prices and routes are called by what they are for.
NAMED_BY = {"assignments": "alias", "prices": "model", "routes": "models"}
# What a role may do: r read, w write, t only its team's.
MATRIX = {
    "connections": {"owner": "rw", "admin": "rw", "team-admin": "", "viewer": "r"},
    "models": {"owner": "rw", "admin": "rw", "team-admin": "r", "viewer": "r"},
    "organizations": {"owner": "rw", "admin": "rw", "team-admin": "", "viewer": "r"},
    "teams": {"owner": "rw", "admin": "rw", "team-admin": "r", "viewer": "r"},
    "users": {"owner": "rw", "admin": "rw", "team-admin": "rw", "viewer": "r"},
    "keys": {"owner": "rw", "admin": "rw", "team-admin": "rw", "viewer": "r"},
    "assignments": {"owner": "rw", "admin": "rw", "team-admin": "rwt", "viewer": "r"},
    "prices": {"owner": "rw", "admin": "rw", "team-admin": "", "viewer": "r"},
    "routes": {"owner": "rw", "admin": "rw", "team-admin": "", "viewer": "r"},
    "admin-keys": {"owner": "rw", "admin": "r", "team-admin": "", "viewer": ""},
}


@pytest.mark.parametrize("kind, role", itertools.product(KINDS, ROLES))
def test_matrix(admin, kind, role):
    may = MATRIX[kind][role]
    if not hasattr(admin, "matrix"):
        admin.matrix = [
            made(admin, "owner", "connections", BODIES["connections"] | {"name": "matrix-connection"}),
            made(admin, "owner", "keys", {"name": "matrix-key", "team": "search"}),
        ]
    name = f"by-{role}"
    body = dict(BODIES[kind])
    body |= {NAMED_BY.get(kind, "name"): [f"file-model*{'*' * ROLES.index(role)}"] if kind == "routes" else name}
    described = admin.document["paths"][f"/admin/v1/{kind}"]
    assert (role in described["get"]["x-roles"]) == ("r" in may)
    assert (role in described["post"]["x-roles"]) == ("w" in may)
    assert admin.call(role, "GET", kind).status == (200 if "r" in may else 403)
    answer = admin.call(role, "POST", kind, body)
    assert answer.status == (201 if "w" in may else 403), answer.body
    whose = answer.json() if "w" in may else made(admin, "owner", kind, body)
    identity = whose["id"]
    if role == "team-admin" and kind in ("users", "keys"):
        assert whose.get("team_name") == "search" or whose["teams"]
    # What the owner made belongs to no team.
    sees = "r" in may and not (role == "team-admin" and kind == "teams")
    assert admin.call(role, "GET", f"{kind}/{identity}").status == (200 if sees else 404 if "r" in may else 403)
    change = {"tps": 5} if kind not in ("connections", "admin-keys") else {"priority": 2}
    if kind == "admin-keys":
        change = {"blocked": True}
    if kind in ("prices", "routes"):
        change = {"input": "3"} if kind == "prices" else {"attempts": 2}
    assert admin.call(role, "PATCH", f"{kind}/{identity}", change).status == (200 if "w" in may else 403)
    if kind in ("keys", "admin-keys"):
        assert admin.call(role, "POST", f"{kind}/{identity}/rotate", {}).status == (200 if "w" in may else 403)
    assert admin.call(role, "DELETE", f"{kind}/{identity}").status == (200 if "w" in may else 403)
    if "w" not in may:
        assert admin.call("owner", "DELETE", f"{kind}/{identity}").status == 200


@pytest.mark.parametrize("role", ROLES)
def test_matrix_of_the_rest(admin, role):
    assert admin.call(role, "GET", "audit").status == (200 if role in ("owner", "admin") else 403)
    assert admin.call(role, "POST", "secrets/rotate").status == (200 if role == "owner" else 403)
    assert admin.call(role, "GET", "openapi.json").status == 200
    assert admin.call(role, "GET", "whoami").status == 200
    spend = admin.call(role, "GET", "spend?by=team,model&from=2026-01-01")
    # A test of a connection may be among the calls, once its record has been taken in; it was for nothing.
    assert spend.status == 200 and not sum(row["nano_dollars"] or 0 for row in spend.json()["data"])
    tested = admin.call(role, "POST", "connections/of-the-file/test", {})
    assert tested.status == (200 if role in ("owner", "admin") else 403)
    if tested.status == 200:
        assert not tested.json()["ok"] and tested.json()["connection"] == "of-the-file"
    for live in ("health", "engines"):
        assert admin.call(role, "GET", live).status == (403 if role == "team-admin" else 200)
    registered = admin.call(role, "POST", "engines", {"name": "without-an-endpoint"})
    assert registered.status == (400 if role in ("owner", "admin") else 403)
    beat = admin.call(role, "POST", "engines/nobody/heartbeat")
    assert beat.status == (403 if role == "team-admin" else 404)
    assert admin.call(role, "DELETE", "engines/nobody").status == (403 if role == "team-admin" else 404)


def test_every_operation_of_the_document_is_in_a_matrix(admin):
    rest = {"audit", "secrets/rotate", "openapi.json", "whoami", "spend", "connections/{id}/test", "health", "engines"}
    rest |= {"engines/{id}", "engines/{id}/heartbeat"}
    for path, operations in admin.document["paths"].items():
        below = path.removeprefix("/admin/v1/")
        kind = below.split("/")[0]
        assert below in rest or kind in MATRIX, path
        for method in set(operations) - {"parameters"}:
            roles = operations[method]["x-roles"]
            assert roles and set(roles) <= set(ROLES), (method, path)


def test_a_team_admin_stays_in_the_team(admin):
    others = made(admin, "owner", "keys", {"name": "others-key", "team": "other"})
    unowned = made(admin, "owner", "keys", {"name": "unowned-key"})
    for key in (others, unowned):
        assert admin.call("team-admin", "GET", f"keys/{key['id']}").status == 404
        assert admin.call("team-admin", "PATCH", f"keys/{key['id']}", {"tps": 1}).status == 404
        assert admin.call("team-admin", "DELETE", f"keys/{key['id']}").status == 404
        assert admin.call("team-admin", "POST", f"keys/{key['id']}/rotate", {}).status == 404
        body = {"key": key["id"], "model": "file-model", "alias": "mine"}
        assert admin.call("team-admin", "POST", "assignments", body).status == 400
    assert admin.call("team-admin", "POST", "keys", {"name": "k", "team": "other"}).status == 400
    own = made(admin, "team-admin", "keys", {"name": "own-key"})
    assert own["team_name"] == "search"
    assert admin.call("team-admin", "PATCH", f"keys/{own['id']}", {"team": "other"}).status == 400
    assert admin.call("team-admin", "PATCH", f"keys/{own['id']}", {"team": None}).json()["team_name"] == "search"
    listed = admin.call("team-admin", "GET", "keys?limit=1000").json()["data"]
    assert {"own-key"} <= {each["name"] for each in listed} and not {"others-key", "unowned-key"} & {
        each["name"] for each in listed
    }
    assert [each["name"] for each in admin.call("team-admin", "GET", "teams").json()["data"]] == ["search"]


def test_a_team_admin_writes_for_the_teams_users_only(admin):
    outsider = made(admin, "owner", "users", {"name": "outsider", "teams": ["other"]})
    nobodys = made(admin, "owner", "users", {"name": "nobodys"})
    both = made(admin, "owner", "users", {"name": "both", "teams": ["search", "other"]})
    member = made(admin, "team-admin", "users", {"name": "member"})
    for user in (outsider, nobodys):
        for named in (user["id"], user["name"]):
            refused = admin.call("team-admin", "POST", "keys", {"name": "drain", "user": named})
            assert refused.status == 400, refused.body
    own = made(admin, "team-admin", "keys", {"name": "of-a-member", "user": "member"})
    made(admin, "team-admin", "keys", {"name": "of-both", "user": "both"})
    path = f"keys/{own['id']}"
    assert admin.call("team-admin", "PATCH", path, {"user": "outsider"}).status == 400
    assert admin.call("team-admin", "PATCH", path, {"user": "both"}).status == 200
    assert admin.call("team-admin", "PATCH", path, {"user": None}).status == 200
    # LiteLLM's paths, too.
    headers = {"Authorization": f"Bearer {admin.keys['team-admin']}"}
    address = admin.site.address
    drain = {"key_alias": "drain", "user_id": "outsider"}
    assert raw.post_json(address, "/key/generate", drain, headers).status == 400
    drain = {"key": own["id"], "user_id": "outsider"}
    assert raw.post_json(address, "/key/update", drain, headers).status == 400
    # A key that an admin gave to somebody else is not made the team admin's own by rotating it.
    given = made(admin, "owner", "keys", {"name": "given", "team": "search", "user": "nobodys"})
    assert admin.call("team-admin", "POST", f"keys/{given['id']}/rotate", {}).status == 403
    # A user of several teams is seen, and not changed or taken away from the others.
    assert admin.call("team-admin", "GET", f"users/{both['id']}").status == 200
    for change in ({"teams": ["search"]}, {"rpm": 1}):
        assert admin.call("team-admin", "PATCH", f"users/{both['id']}", change).status == 403
    assert admin.call("team-admin", "DELETE", f"users/{both['id']}?cascade=true").status == 403
    # A key without a team is its user's team's: its calls are booked there, and it goes with the user.
    teamless = made(admin, "owner", "keys", {"name": "teamless", "user": "member"})
    assert admin.call("team-admin", "PATCH", f"keys/{teamless['id']}", {"blocked": True}).status == 200
    assert teamless["id"] in admin.call("team-admin", "DELETE", f"users/{member['id']}").body.decode()
    assert admin.call("team-admin", "DELETE", f"users/{member['id']}?cascade=true").status == 200
    assert admin.call("team-admin", "GET", f"keys/{teamless['id']}").status == 404


def test_concurrent_changes(admin):
    key = made(admin, "owner", "keys", {"name": "etag"})
    first = admin.call("owner", "GET", f"keys/{key['id']}")
    etag = [("If-Match", first.header("etag"))]
    assert admin.call("admin", "PATCH", f"keys/{key['id']}", {"tps": 1}, etag).status == 200
    assert admin.call("owner", "PATCH", f"keys/{key['id']}", {"tps": 2}, etag).status == 412
    assert admin.call("owner", "DELETE", f"keys/{key['id']}", None, etag).status == 412
    assert admin.call("owner", "GET", f"keys/{key['id']}").json()["tps"] == 1


def test_pages(admin):
    names = {f"page-{number:02}" for number in range(25)}
    for name in sorted(names):
        made(admin, "owner", "organizations", {"name": name})
    seen, after, pages = [], "", 0
    while True:
        page = admin.call("viewer", "GET", f"organizations?limit=10&after={after}").json()
        seen += [each["name"] for each in page["data"]]
        pages += 1
        if not page["has_more"]:
            break
        after = page["last_id"]
    assert len(seen) == len(set(seen)) and names <= set(seen) and pages >= 3
    # The file's come first, one a page.
    first = admin.call("viewer", "GET", "models?limit=1").json()
    assert first["data"][0]["source"] == "file" and first["data"][0]["id"] == "file:1"


def test_no_answer_shows_a_secret(admin):
    connection = made(
        admin,
        "owner",
        "connections",
        {
            "name": "secretive",
            "provider": "openai",
            "endpoint": "http://127.0.0.1:9",
            "api_key": CANARY,
            "headers": {"X-Team": CANARY},
            "proxy": f"http://user:{CANARY}@proxy.example:3128",
        },
    )
    assert connection["api_key"] == "(secret)" and connection["headers"] == {"X-Team": "(secret)"}
    # What was shown may be sent back, and changes nothing.
    kept = admin.call("owner", "PATCH", f"connections/{connection['id']}", connection | {"priority": 3})
    assert kept.status == 200 and kept.json()["priority"] == 3 and kept.json()["api_key"] == "(secret)"
    for path in ("connections?limit=1000", f"connections/{connection['id']}", "audit?limit=900"):
        assert CANARY not in admin.call("owner", "GET", path).body.decode()
    stored = b"".join(data for _, data in files.contents(admin.site.directory / "data", "objects.*"))
    assert stored and CANARY.encode() not in stored


@pytest.mark.parametrize(
    "method, path, body, status, says",
    [
        ("POST", "keys", [1], 400, "JSON object"),
        ("POST", "keys", {"name": "x", "nmae": 1}, 400, "did you mean 'name'"),
        ("POST", "keys", {"name": "x", "$keys": []}, 400, "'$'"),
        ("POST", "keys", {"name": 5}, 400, "name"),
        ("POST", "keys", {}, 400, "name"),
        ("POST", "connections", {"name": "x", "provider": "openai", "api_key": "env:HOME"}, 400, "env:"),
        ("POST", "connections", {"name": "x", "provider": "openai", "api_key": "file:/etc/passwd"}, 400, "file:"),
        ("POST", "connections", {"name": "x", "provider": "openai", "api_key": "${HOME}"}, 400, "${...}"),
        ("POST", "keys", {"name": "x", "key": "env:CLIENT_KEY"}, 400, "env:"),
        ("POST", "keys", {"name": "x", "key": "file:/run/key"}, 400, "file:"),
        ("POST", "keys", {"name": "x", "key": "${CLIENT_KEY}"}, 400, "${...}"),
        ("POST", "admin-keys", {"name": "x", "key": "env:ADMIN_KEY"}, 400, "env:"),
        ("POST", "models", {"name": "m", "connection": "none"}, 400, "no connection 'none'"),
        ("DELETE", "keys", None, 405, "GET, POST"),
        ("GET", "keys/nobody", None, 404, "nobody"),
        ("PATCH", "models/file:1", {"remote": "x"}, 409, "configuration file"),
        ("GET", "nothing", None, 404, "connections"),
        ("POST", "keys/nobody/rotate", {}, 404, "nobody"),
        ("POST", "keys/nobody/explode", {}, 404, "no such thing"),
        ("GET", "keyz", None, 404, "engines, health, spend, audit, secrets/rotate, whoami and openapi.json"),
        ("POST", "engines", {"name": "e", "endpoint": "http://e", "models": ["m"], "wieght": 2}, 400, "'weight'"),
        ("DELETE", "models/file-model", None, 409, "configuration file"),
        ("POST", "keys", {"name": "x", "tps": 1e300}, 400, "tps"),
        ("POST", "keys", {"name": "x", "rpm": -1}, 400, "rpm"),
        ("POST", "keys", {"name": "x", "budget": "-1"}, 400, "budget"),
        ("POST", "keys", {"name": ""}, 400, "name"),
        ("POST", "keys", {"name": "x" * 500}, 400, "name"),
    ],
)
def test_errors_say_what_was_expected(admin, method, path, body, status, says):
    answer = admin.call("owner", method, path, body)
    assert answer.status == status and says in answer.json()["error"]["message"], answer.body


@pytest.mark.parametrize(
    "path, says",
    [
        ("keys?limit=abc", "limit: expected a whole number from 1 to 1000"),
        ("keys?limit=0", "limit: expected a whole number from 1 to 1000"),
        ("keys?limit=1001", "limit: expected a whole number from 1 to 1000"),
        ("keys?limit=-1", "limit: expected a whole number from 1 to 1000"),
        ("keys?limit=", "limit: expected a whole number from 1 to 1000"),
        ("keys?page=-1", "there is no parameter 'page' here; it takes limit, after and name"),
        ("keys?team=search", "there is no parameter 'team' here; it takes limit, after and name"),
        ("keys?name=a&name=b", "name: stands twice"),
        ("keys?name=%zz", "name: has a broken %-escape"),
        ("keys?after=nope", "after: expected the last_id of the page before"),
        ("keys?after=conn_000000000000000000000", "after: expected the last_id of the page before"),
        ("keys?after=file:x", "after: expected the last_id of the page before"),
        ("keys/any?limit=1", "there is no parameter 'limit' here; it takes none"),
        ("audit?limit=many", "limit: expected a whole number from 1 to 999"),
        ("audit?before=0", "before: expected a whole number from 1 to"),
        ("audit?actor=me", "there is no parameter 'actor' here; it takes limit and before"),
        ("spend?group=key", "there is no parameter 'group' here; it takes by, from, to, tz, organization"),
        ("spend?by=keys", "by: "),
        ("whoami?x=1", "there is no parameter 'x' here; it takes none"),
        ("health?x=1", "there is no parameter 'x' here; it takes none"),
        ("engines?limit=1", "there is no parameter 'limit' here; it takes none"),
        ("openapi.json?x=1", "there is no parameter 'x' here; it takes none"),
    ],
)
def test_a_query_that_cannot_be_followed_is_refused(admin, path, says):
    answer = admin.call("owner", "GET", path)
    assert answer.status == 400 and answer.json()["error"]["message"].startswith(says), answer.body


def test_a_change_that_cannot_be_made_is_refused(admin):
    key = made(admin, "owner", "keys", {"name": "stays"})
    path = f"keys/{key['id']}"
    for body, says in (
        ([1], "JSON object"),
        ("text", "JSON object"),
        ({"nmae": "x"}, "did you mean 'name'"),
        ({"tps": "many"}, "tps"),
        ({"blocked": "yes"}, "blocked"),
        ({"models": 5}, "models"),
        ({"id": "key_other"}, "id: is read only"),
        ({"version": 99}, "version: is read only"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "created_at: is read only"),
        ({"source": "file"}, "source: is read only"),
    ):
        answer = admin.call("owner", "PATCH", path, body)
        assert answer.status == 400 and says in answer.json()["error"]["message"], (body, answer.body)
    assert admin.call("owner", "PATCH", path + "?cascade=true", {"tps": 1}).status == 400
    for query in ("?cascade=yes", "?force=true", "?open=1"):
        assert admin.call("owner", "DELETE", path + query).status == 400
    wrong = admin.call("owner", "POST", path + "/rotate", {"overlapp": "1h"})
    assert wrong.status == 400 and "there is only overlap" in wrong.json()["error"]["message"]
    read = admin.call("owner", "GET", path).json()
    assert {name: read[name] for name in read if name != "key"} == {name: key[name] for name in key if name != "key"}
    # What was read may be sent back as it was.
    assert admin.call("owner", "PATCH", path, read).status == 200


@pytest.mark.parametrize(
    "body, says",
    [
        ('{"name":"d1","name":"d2"}', "'name' stands twice"),
        ('{"name":"d1","n\\u0061me":"d2"}', "'name' stands twice"),
        ('{"name":"d1","provider":"openai","tls":{"verify":true,"verify":false}}', "'verify' stands twice"),
    ],
)
def test_a_member_stands_once(admin, body, says):
    headers = {"Authorization": f"Bearer {admin.keys['owner']}", "Content-Type": "application/json"}
    for path in ("/admin/v1/connections", "/key/generate"):
        answer = raw.call(admin.site.address, "POST", path, headers, body.encode())
        assert answer.status == 400 and says in answer.json()["error"]["message"], answer.body


def test_an_end_that_has_passed_is_refused(admin):
    refused = admin.call("owner", "POST", "keys", {"name": "over", "expires": "2020-01-01"})
    assert refused.status == 400 and "has passed" in refused.json()["error"]["message"]
    key = made(admin, "owner", "keys", {"name": "ends", "expires": "2100-01-01T00:00:00Z"})
    assert admin.call("owner", "PATCH", f"keys/{key['id']}", {"expires": "2020-01-01"}).status == 400
    assert admin.call("owner", "PATCH", f"keys/{key['id']}", {"expires": "2099-01-01", "tps": 1}).status == 200
    assert admin.site.run("vkey", "add", "--name", "over", "--expires", "2020-01-01").returncode == 2


def test_too_large(admin):
    answer = admin.call("owner", "POST", "keys", {"name": "x" * (2 << 20)})
    assert answer.status == 413


def test_the_command_line_over_http(admin):
    site = admin.site
    remote = {"LLM_GATEWAY_URL": site.url, "LLM_GATEWAY_ADMIN_KEY": admin.keys["admin"]}
    shown = json.loads(site.cli("team", "add", "--name", "remote", "--tps", "7", "--json", environment=remote))
    assert shown["tps"] == 7
    assert "remote" in site.cli("team", "list", environment=remote)
    refused = site.run("admin-key", "add", "--name", "x", environment=remote)
    assert refused.returncode == 1 and "may not change" in refused.stderr
    wrong = site.run("team", "list", environment=remote | {"LLM_GATEWAY_ADMIN_KEY": "wrong-key-here"})
    assert wrong.returncode == 1 and "no admin key" in wrong.stderr
    nobody = site.run("team", "list", environment=remote | {"LLM_GATEWAY_URL": "http://127.0.0.1:1"})
    assert nobody.returncode == 1 and "does not answer" in nobody.stderr
    # The command line goes before the environment.
    away = {"LLM_GATEWAY_URL": "http://127.0.0.1:1"}
    assert "remote" in site.cli("team", "list", "--config", str(site.config_file), environment=away)
    assert "remote" in site.cli("team", "list", "--url", site.url, environment=remote | away)
    both = site.run("team", "list", "--config", str(site.config_file), "--url", site.url, environment=remote)
    assert both.returncode == 2 and "--config" in both.stderr, both.stderr
    entries = json.loads(site.cli("audit", "--json"))["data"]
    assert any(entry["actor"] == "admin key the-admin" and entry["object_name"] == "remote" for entry in entries)


def test_a_change_serves_when_it_is_answered(admin):
    names = (f"at-once-{number}" for number in itertools.count())
    for _ in range(10):
        name = next(names)
        key = made(admin, "owner", "keys", {"name": name, "models": ["file-model"]})["key"]
        models = raw.call(admin.site.address, "GET", "/v1/models", {"Authorization": f"Bearer {key}"})
        assert models.status == 200, "the next call finds it"
        assert admin.call("owner", "DELETE", f"keys/{name}").status == 200
        models = raw.call(admin.site.address, "GET", "/v1/models", {"Authorization": f"Bearer {key}"})
        assert models.status == 401
    waiting.within(1, lambda: made(admin, "owner", "keys", {"name": next(names), "models": ["file-model"]}))


def test_connections_are_tested_and_secrets_rotated_over_http(admin):
    site = admin.site
    made(admin, "owner", "connections", to_simulator(site) | {"name": "there"})
    made(admin, "owner", "models", {"name": "there-model", "connection": "there"})
    tested = admin.call("admin", "POST", "connections/there/test").json()
    assert tested["ok"] and tested["status"] == 200 and tested["model"] == "there-model" and tested["answer"]["choices"]
    named = admin.call("admin", "POST", "connections/there/test", {"model": "another"}).json()
    assert named["model"] == "another"
    assert admin.call("admin", "POST", "connections/nowhere/test").status == 404
    wrong = admin.call("admin", "POST", "connections/there/test", {"model": 5})
    assert wrong.status == 400 and "model" in wrong.json()["error"]["message"]
    remote = ["--url", site.url, "--admin-key", "env:KEY"]
    environment = {"KEY": admin.keys["admin"]}
    assert "there answered 200" in site.cli("connection", "test", "there", *remote, environment=environment)

    key_file = site.directory / "data" / "master.key"
    before = key_file.read_text()
    environment = {"KEY": admin.keys["owner"]}
    assert "resealed" in site.cli("secrets", "rotate", *remote, environment=environment)
    after = key_file.read_text()
    assert after != before and len(after.split()) == 1
    assert admin.call("owner", "POST", "secrets/rotate").json()["resealed"] > 0
    assert admin.call("admin", "POST", "connections/there/test").json()["ok"], "the credential still opens"
    made(admin, "owner", "connections", to_simulator(site) | {"name": "later"})
    assert admin.call("admin", "POST", "connections/later/test", {"model": "m"}).json()["ok"]
    # Another process rotates: what is sealed here from then on is sealed under its key.
    site.cli("secrets", "rotate")
    assert admin.call("owner", "PATCH", "connections/later", {"api_key": CANARY}).status == 200
    assert admin.call("admin", "POST", "connections/later/test", {"model": "m"}).json()["ok"]


def test_what_was_spent(admin):
    site = admin.site
    made(admin, "owner", "prices", {"provider": "openai", "model": "spent-*", "input": "1", "output": "2"})
    made(admin, "owner", "connections", to_simulator(site) | {"name": "paid"})
    made(admin, "owner", "models", {"name": "spent-model", "connection": "paid"})
    total = 0
    for team in ("search", "other"):
        key = made(admin, "owner", "keys", {"name": f"spender-{team}", "team": team})
        usage = site.call(key["key"], "spent-model").json()["usage"]
        total += usage["prompt_tokens"] * 1000 + usage["completion_tokens"] * 2000

    def spend(role, query):
        answer = admin.call(role, "GET", f"spend?{query}")
        assert answer.status == 200, answer.body
        return {tuple(row[name] for name in query.split("&")[0][3:].split(",")): row for row in answer.json()["data"]}

    def own_rows(role):
        """Without the tests of connections, whose records are taken in at some time."""
        return {key: row for key, row in spend(role, "by=team,model").items() if key[1] == "spent-model"}

    waiting.until(lambda: set(own_rows("owner")) == {("search", "spent-model"), ("other", "spent-model")}, "the sums")
    assert sum(row["nano_dollars"] for row in own_rows("viewer").values()) == total
    assert set(spend("team-admin", "by=team")) == {("search",)}, "a team admin sees the own team's"
    assert set(spend("owner", "by=key&team=other")) == {("spender-other",)}
    assert not spend("owner", "by=key&to=2026-01-01")
    assert not spend("owner", "by=key&to=2026-01-01T12:30:00+05:30"), "a + may stand for itself"
    unknown = admin.call("owner", "GET", "spend?by=key&team=nope")
    assert unknown.status == 404 and "there is no team 'nope'" in unknown.json()["error"]["message"]
    made(admin, "owner", "teams", {"name": "idle"})
    assert not spend("owner", "by=key&team=idle"), "it has spent nothing"
    gone = made(admin, "owner", "keys", {"name": "gone", "team": "other"})
    site.call(gone["key"], "spent-model")
    assert admin.call("owner", "DELETE", f"keys/{gone['id']}").status == 200

    def remembered():
        return admin.call("owner", "GET", "spend?by=model&key=gone").status == 200

    waiting.until(remembered, "the ledger remembers who was removed")
    assert not spend("owner", "by=model&key=gone&to=2026-01-01")
    assert admin.call("owner", "GET", "spend?by=weather").status == 400
    assert admin.call("owner", "GET", "spend?from=yesterday").status == 400
    tagged = made(admin, "owner", "keys", {"name": "tagged", "tags": ["red", "blue"], "unpriced": "refuse"})
    assert site.call(tagged["key"], "spent-model").status == 200
    waiting.until(lambda: ("blue",) in spend("owner", "by=tag&tag=red&tz=Europe/Berlin"), "its sums")
    assert set(spend("owner", "by=tag&tag=red&tz=Europe/Berlin")) == {("red",), ("blue",)}
    assert set(spend("owner", "by=key&tag=blue")) == {("tagged",)}
    assert ("",) in spend("owner", "by=end_user") and not spend("owner", "by=key&end_user=nobody")
    assert not spend("owner", "by=tag&tag=re")
    assert not spend("team-admin", "by=tag&tag=red"), "it is of no team"
    wrong = admin.call("owner", "GET", "spend?tz=Mars")
    assert wrong.status == 400 and "tz: there is no time zone 'Mars'" in wrong.json()["error"]["message"]
    wrong = admin.call("owner", "PATCH", "keys/tagged", {"unpriced": "perhaps"})
    assert wrong.status == 400 and '"allow" or "refuse"' in wrong.json()["error"]["message"]
    made(admin, "owner", "models", {"name": "dear-model", "connection": "paid"})
    refused = site.call(tagged["key"], "dear-model")
    assert refused.status == 403 and "the model 'dear-model' has no price here" in refused.json()["error"]["message"]
    assert admin.call("owner", "PATCH", "keys/tagged", {"unpriced": None}).status == 200
    assert site.call(tagged["key"], "dear-model").status == 200
