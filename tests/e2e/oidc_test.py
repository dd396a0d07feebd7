"""Signing in to the admin API with OpenID Connect, against a real provider."""

import re
import urllib.parse

import httpx
import pytest
from control_plane_test import Site
from harness import canned, pkce, raw, waiting

pytestmark = pytest.mark.xdist_group("oidc")


class Browser:
    """Follows redirects itself, so that each step can be looked at, and keeps cookies."""

    def __init__(self, site):
        self.site = site
        self.client = httpx.Client(timeout=60, trust_env=False)

    def at(self, path, method="GET", **more):
        return self.client.request(method, self.site.url + path, **more)

    def to_provider(self, path="/admin/v1/login"):
        answer = self.at(path)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def consent(self, location, subject):
        """Signs in at the provider; where it sends the browser."""
        answer = self.client.post(location, data={"sub": subject})
        assert answer.status_code in (302, 303), answer.text
        return answer.headers["location"]

    def sign_in(self, subject):
        return self.client.get(self.consent(self.to_provider(), subject))


@pytest.fixture(scope="module")
def provider():
    with pkce.provider() as server:
        yield server


@pytest.fixture(scope="module")
def site(provider, tmp_path_factory):
    admin = {
        "oidc_issuer": provider.url,
        "oidc_client_id": "llm-gateway",
        "oidc_client_secret": "canary-oidc-secret",
        "owners": ["owner@example.com"],
        "admins": ["group:platform"],
        "viewers": ["viewer-subject"],
    }
    site = Site(tmp_path_factory.mktemp("oidc"), {"url": "sqlite"}, {"admin": admin}, public_url=True)
    for subject, claims in {
        "somebody": {"email": "owner@example.com", "email_verified": True},
        "one-of-the-platform": {"groups": ["platform"], "email": "p@example.com"},
        "viewer-subject": {},
        "stranger": {"email": "stranger@example.com"},
        "pretender": {"email": "owner@example.com", "email_verified": False},
    }.items():
        httpx.put(f"{provider.url}/users/{subject}", json=claims, trust_env=False).raise_for_status()
    yield site
    site.stop()
    assert "canary-oidc-secret" not in site.gateway.text()


@pytest.mark.parametrize(
    "subject, role, name",
    [
        ("somebody", "owner", "user owner@example.com"),
        ("one-of-the-platform", "admin", "user p@example.com"),
        ("viewer-subject", "viewer", "user viewer-subject"),
    ],
)
def test_roles(site, subject, role, name):
    browser = Browser(site)
    answer = browser.sign_in(subject)
    assert answer.status_code == 303 and answer.headers["location"] == "/admin/v1/whoami", answer.text
    assert browser.at("/admin/v1/whoami").json() == {"name": name, "role": role, "team": None}
    assert browser.at("/admin/v1/keys").status_code == 200
    made = browser.at("/admin/v1/keys", "POST", json={"name": f"by-{role}"}, headers={"Origin": site.url})
    assert made.status_code == (403 if role == "viewer" else 201)
    entries = Browser(site)
    entries.sign_in("somebody")
    if role != "viewer":

        def logged():
            log = entries.at("/admin/v1/audit").json()["data"]
            return any(entry["actor"] == name and entry["object_name"] == f"by-{role}" for entry in log)

        waiting.until(logged, "the change is in the audit log")


def test_the_request_to_the_provider(site, provider):
    location = urllib.parse.urlparse(Browser(site).to_provider())
    query = urllib.parse.parse_qs(location.query)
    assert location.geturl().startswith(provider.url)
    assert query["response_type"] == ["code"] and query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [site.url + "/admin/v1/callback"] and "openid" in query["scope"][0]
    assert all(len(query[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    again = urllib.parse.parse_qs(urllib.parse.urlparse(Browser(site).to_provider()).query)
    assert all(query[name] != again[name] for name in ("state", "nonce", "code_challenge"))


def test_the_provider_verifies_pkce(site, provider):
    verified = provider.pkce.verified
    assert Browser(site).sign_in("somebody").status_code == 303
    assert provider.pkce.verified > verified and not provider.pkce.refused
    browser = Browser(site)
    callback = browser.consent(browser.to_provider(), "somebody")
    (code,) = urllib.parse.parse_qs(urllib.parse.urlparse(callback).query)["code"]
    provider.pkce.challenges[code] = "of another sign-in"
    assert browser.client.get(callback).status_code == 401
    assert provider.pkce.refused == 1
    assert browser.at("/admin/v1/keys").status_code == 401


@pytest.mark.parametrize("subject", ["stranger", "pretender"])
def test_without_a_role_nobody_comes_in(site, subject):
    browser = Browser(site)
    assert browser.sign_in(subject).status_code == 403
    assert browser.at("/admin/v1/keys").status_code == 401


def test_cookies(site):
    browser = Browser(site)
    answer = browser.sign_in("somebody")
    cookies = answer.headers.get_list("set-cookie")
    session = next(each for each in cookies if each.startswith("lgw_session="))
    assert "HttpOnly" in session and "SameSite=Lax" in session and "Path=/admin" in session
    assert "owner@example.com" not in session
    value = re.match(r"lgw_session=([^;]+)", session)[1]
    for forged in (value[:-6] + "AAAAAA", "v1.00000000.AAAA", "x"):
        answer = raw.call(site.address, "GET", "/admin/v1/keys", {"Cookie": f"lgw_session={forged}"})
        assert answer.status == 401
    assert browser.at("/admin/v1/logout", "POST", headers={"Origin": site.url}).status_code == 200
    assert browser.at("/admin/v1/keys").status_code == 401


def test_signing_out_ends_the_session_everywhere(site):
    browser, other = Browser(site), Browser(site)
    answer = browser.sign_in("somebody")
    other.sign_in("somebody")
    session = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("lgw_session="))
    kept = {"Cookie": session.split(";")[0]}
    assert raw.call(site.address, "GET", "/admin/v1/whoami", kept).status == 200
    answer = browser.at("/admin/v1/logout", "POST", headers={"Origin": site.url})
    assert answer.status_code == 200 and "Max-Age=0" in answer.headers["set-cookie"]
    assert raw.call(site.address, "GET", "/admin/v1/whoami", kept).status == 401, "whoever kept the cookie is out"
    assert other.at("/admin/v1/whoami").status_code == 200, "another session of the same person goes on"
    log = other.at("/admin/v1/audit?limit=20").json()["data"]
    assert ("sign-out", "user owner@example.com") in [(entry["action"], entry["actor"]) for entry in log]
    assert not site.gateway.stop()
    site.start()
    assert raw.call(site.address, "GET", "/admin/v1/whoami", kept).status == 401, "after a restart, too"
    assert other.at("/admin/v1/whoami").status_code == 200


def test_another_sites_page_changes_nothing(site):
    browser = Browser(site)
    browser.sign_in("somebody")
    for headers in ({"Origin": "https://evil.example"}, {}, {"Origin": "null"}):
        answer = browser.at("/admin/v1/keys", "POST", json={"name": "evil"}, headers=headers)
        assert answer.status_code == 403
        assert browser.at("/admin/v1/logout", "POST", headers=headers).status_code == 403
        assert browser.at("/admin/v1/whoami").status_code == 200, "nobody is signed out by it"


def test_a_sign_in_is_one_browsers(site):
    mine, theirs = Browser(site), Browser(site)
    callback = mine.consent(mine.to_provider(), "somebody")
    assert theirs.client.get(callback).status_code == 401, "a link to a finished sign-in signs nobody else in"
    theirs.to_provider()
    assert theirs.client.get(callback).status_code == 401, "another sign-in's state"
    assert mine.client.get(callback).status_code == 303
    assert mine.client.get(callback).status_code == 401, "once"


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=y", "?error=access_denied&state=z"])
def test_callbacks_that_are_none(site, query):
    assert Browser(site).at("/admin/v1/callback" + query).status_code == 401


def test_the_way_back_is_ours(site):
    for path, wanted in (("/admin/v1/audit", "/admin/v1/audit"), ("//evil.example", "/admin/v1/whoami"),
                         ("https://evil.example", "/admin/v1/whoami"), ("/\\evil", "/admin/v1/whoami")):
        browser = Browser(site)
        location = browser.to_provider("/admin/v1/login?return=" + urllib.parse.quote(path, safe=""))
        answer = browser.client.get(browser.consent(location, "somebody"))
        assert answer.headers["location"] == wanted


def test_another_provider_begins_anew(tmp_path):
    """What one has said of a person, and what of its keys is remembered, is nothing to the next."""
    with pkce.provider() as first, pkce.provider() as second:
        for each in (first, second):
            claims = {"email": "owner@example.com", "email_verified": True}
            httpx.put(f"{each.url}/users/somebody", json=claims, trust_env=False).raise_for_status()
        admin = {"oidc_issuer": first.url, "oidc_client_id": "llm-gateway", "oidc_client_secret": "canary-oidc-secret"}
        admin["owners"] = ["owner@example.com"]
        site = Site(tmp_path, {"url": "sqlite"}, {"admin": admin}, public_url=True)
        inside, halfway = Browser(site), Browser(site)
        assert inside.sign_in("somebody").status_code == 303
        assert inside.at("/admin/v1/whoami").status_code == 200
        callback = halfway.consent(halfway.to_provider(), "somebody")
        site.config_file.write_text(site.config_file.read_text().replace(first.url, second.url))
        site.cli("reload")
        assert inside.at("/admin/v1/whoami").status_code == 401
        late = halfway.client.get(callback)
        assert late.status_code == 401 and "another provider" in late.text, late.text
        assert Browser(site).to_provider().startswith(second.url)
        assert inside.sign_in("somebody").status_code == 303
        assert inside.at("/admin/v1/whoami").status_code == 200
        site.stop()


def test_an_issuer_may_end_with_a_slash(tmp_path):
    def answer(request):
        documents = {
            "/realm/.well-known/openid-configuration": {
                "issuer": url + "/",
                "authorization_endpoint": url + "/authorize",
                "token_endpoint": url + "/token",
                "jwks_uri": url + "/keys",
            },
            "/realm/keys": {"keys": []},
        }
        return (200, documents[request.path]) if request.path in documents else (404, {})

    provider = canned.Canned(answer)
    url = provider.url + "/realm"
    admin = {"oidc_issuer": url + "/", "oidc_client_id": "llm-gateway", "owners": ["owner@example.com"]}
    site = Site(tmp_path, {"url": "sqlite"}, {"admin": admin}, public_url=True)
    assert Browser(site).to_provider().startswith(url + "/authorize?")
    site.stop()
    provider.stop()


def test_refused_sign_ins_are_logged(site):
    browser = Browser(site)
    browser.sign_in("somebody")

    def logged():
        Browser(site).sign_in("stranger")  # again: of many refusals in one second the log has only some
        log = browser.at("/admin/v1/audit?limit=500").json()["data"]
        reasons = [entry["detail"]["reason"] for entry in log if entry["action"] == "sign-in refused"]
        return "no role for stranger@example.com" in reasons

    waiting.until(logged, "the refusal is in the audit log")
