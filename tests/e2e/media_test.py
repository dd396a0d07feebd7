"""Images by URL for providers that take only bytes: the gateway fetches them, within limits."""

import base64
import gzip
import threading

import anthropic
import openai
import pytest

from harness import canned, clouds, metrics, waiting

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-media"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
BYTES_MAX = 4096


class Site:
    """A web server with pictures, and the providers behind the gateway."""

    def __init__(self):
        self.over = threading.Event()
        self.held, self.let_go = threading.Event(), threading.Event()

    def __call__(self, request):
        if request.method == "GET":
            return self.picture(request.path)
        if "hold it" in request.body.decode():
            self.held.set()
            self.let_go.wait(60)
        if request.path.endswith("/converse"):
            return 200, clouds.CONVERSE
        return 200, clouds.GENERATED

    def picture(self, path):
        if path.startswith("/pixel.png"):
            return 200, PIXEL, {"Content-Type": "image/png"}
        if path == "/lying.jpg":
            return 200, PIXEL, {"Content-Type": "image/jpeg"}
        if path == "/moved.png":
            return 302, b"", {"Location": "/pixel.png"}
        if path == "/circle.png":
            return 302, b"", {"Location": "/circle.png"}
        if path.startswith("/half.png"):
            return 200, PIXEL + bytes(BYTES_MAX // 2 - len(PIXEL)), {"Content-Type": "image/png"}
        if path == "/large.png":
            return 200, PIXEL + bytes(BYTES_MAX), {"Content-Type": "image/png"}
        if path == "/slow.png":
            self.over.wait(60)
        if path == "/packed.png":
            return 200, gzip.compress(PIXEL), {"Content-Type": "image/png", "Content-Encoding": "gzip"}
        if path == "/packed_badly.png":
            return 200, PIXEL, {"Content-Type": "image/png", "Content-Encoding": "gzip"}
        if path == "/empty.png":
            return 200, b"", {"Content-Type": "image/png"}
        if path == "/page.png":
            return 200, b"<!doctype html><p>no such picture", {"Content-Type": "text/html; charset=utf-8"}
        return 404, b"no such picture"


@pytest.fixture(scope="module")
def site():
    answers = Site()
    running = canned.Canned(answers)
    running.answers = answers
    yield running
    answers.over.set()
    answers.let_go.set()
    running.stop()


def start(site, tmp_path_factory, server):
    connections = [
        {"name": "google", "provider": "google", "endpoint": site.url, "api_key": "canary-upstream"},
        {
            "name": "bedrock",
            "provider": "bedrock",
            "endpoint": site.url,
            "region": clouds.REGION,
            "api_key": "canary-upstream",
        },
    ]
    models = [
        {"name": "gemini", "connection": "google", "remote": "gemini-2.5-flash"},
        {"name": "claude", "connection": "bedrock", "remote": "anthropic.claude-sonnet-4-5-20250929-v1:0"},
    ]
    return canned.gateway(tmp_path_factory.mktemp("media"), KEY, connections, models, server)


@pytest.fixture(scope="module")
def trusting(site, tmp_path_factory):
    limits = {"fetch_private_addresses": True, "fetch_media_max_bytes": BYTES_MAX}
    with start(site, tmp_path_factory, limits) as running:
        yield running


@pytest.fixture(scope="module")
def careful(site, tmp_path_factory):
    with start(site, tmp_path_factory, {}) as running:
        yield running


@pytest.fixture(scope="module")
def without(site, tmp_path_factory):
    with start(site, tmp_path_factory, {"fetch_media_max_bytes": 0}) as running:
        yield running


def ask(gateway, model, *urls, words="What is it?"):
    content = [{"type": "text", "text": words}]
    content += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0, timeout=60) as sdk:
        return sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])


def sent(site, part):
    posts = [request for request in site.requests if request.method == "POST" and part in request.path]
    return posts[-1].json()


@pytest.mark.parametrize("path", ["/pixel.png", "/moved.png", "/lying.jpg", "/packed.png"])
def test_bytes_arrive(trusting, site, path):
    ask(trusting, "gemini", site.url + path)
    data = sent(site, "generateContent")["contents"][0]["parts"][1]["inlineData"]
    # The bytes say what they are, whatever the server says.
    assert base64.b64decode(data["data"]) == PIXEL and data["mimeType"] == "image/png"
    ask(trusting, "claude", site.url + path)
    image = sent(site, "converse")["messages"][0]["content"][1]["image"]
    assert base64.b64decode(image["source"]["bytes"]) == PIXEL and image["format"] == "png"


def test_other_clients_too(trusting, site):
    source = {"type": "url", "url": site.url + "/pixel.png"}
    with anthropic.Anthropic(base_url=trusting.url, api_key=KEY, max_retries=0) as sdk:
        sdk.messages.create(
            model="gemini",
            max_tokens=9,
            messages=[{"role": "user", "content": [{"type": "image", "source": source}]}],
        )
    data = sent(site, "generateContent")["contents"][0]["parts"][0]["inlineData"]
    assert base64.b64decode(data["data"]) == PIXEL


def test_schemes_are_the_same_in_capitals(trusting, site):
    ask(trusting, "gemini", site.url.replace("http:", "HTTP:") + "/pixel.png")
    data = sent(site, "generateContent")["contents"][0]["parts"][1]["inlineData"]
    assert base64.b64decode(data["data"]) == PIXEL


@pytest.mark.parametrize(
    "path", ["/missing.png", "/large.png", "/circle.png", "/packed_badly.png", "/empty.png", "/page.png"]
)
def test_what_cannot_be_had_is_refused(trusting, site, path):
    before = len([request for request in site.requests if request.method == "POST"])
    with pytest.raises(openai.BadRequestError) as error:
        ask(trusting, "gemini", site.url + path)
    assert error.value.code == "invalid_image_url"
    assert len([request for request in site.requests if request.method == "POST"]) == before


def fetched(site):
    return len([request for request in site.requests if request.method == "GET"])


def test_a_url_that_is_repeated_is_fetched_once(trusting, site):
    before = fetched(site)
    ask(trusting, "gemini", *[site.url + "/pixel.png"] * 3, site.url + "/pixel.png?2")
    parts = sent(site, "generateContent")["contents"][0]["parts"][1:]
    assert [base64.b64decode(part["inlineData"]["data"]) for part in parts] == [PIXEL] * 4
    assert fetched(site) == before + 2


def test_the_files_of_a_request_are_bounded_together(trusting, site):
    half = site.url + "/half.png"
    ask(trusting, "gemini", half + "?1", half + "?2")
    for urls in [(half + "?1", half + "?2", site.url + "/pixel.png"), (half, half, half)]:
        limit = f"{BYTES_MAX} bytes together .fetch_media_max_bytes."
        with pytest.raises(openai.BadRequestError, match=limit) as error:
            ask(trusting, "gemini", *urls)
        assert error.value.code == "invalid_image_url"
        assert error.value.param.startswith("messages[0].content[")


def test_the_memory_of_all_requests_is_bounded(site, tmp_path_factory):
    """Half of the files of a request, twice a third more for base64, leaves no room for as much again."""
    memory = BYTES_MAX // 2 * 8 // 3 * 3 // 2
    limits = {"fetch_private_addresses": True, "fetch_media_max_bytes": BYTES_MAX, "fetch_media_memory": memory}
    half = site.url + "/half.png"
    with start(site, tmp_path_factory, limits) as gateway:

        def metric(name):
            return metrics.total(metrics.scrape(gateway), name)

        first = threading.Thread(target=ask, args=(gateway, "gemini", half), kwargs={"words": "hold it"})
        first.start()
        assert site.answers.held.wait(60)
        with pytest.raises(openai.APIStatusError, match="fetch_media_memory") as error:
            ask(gateway, "claude", half)
        assert error.value.status_code == 503 and error.value.response.headers["retry-after"] == "1"
        # A call gives back what it holds behind the end of its answer.
        most = BYTES_MAX // 2 * 8 // 3
        waiting.until(lambda: 0 < metric("llm_gateway_fetched_media_bytes") <= most, "only the first holds any")
        ask(gateway, "claude", site.url + "/pixel.png")
        site.answers.let_go.set()
        first.join()
        waiting.until(lambda: metric("llm_gateway_fetched_media_bytes") == 0, "all is given back")
        ask(gateway, "claude", half)
        assert metric("llm_gateway_fetched_media_refusals_total") == 1


def test_the_urls_of_a_request_are_bounded(trusting, site):
    before = fetched(site)
    with pytest.raises(openai.BadRequestError, match="at most 100 images") as error:
        ask(trusting, "gemini", *[f"{site.url}/pixel.png?{i}" for i in range(101)])
    assert error.value.param == "messages[0].content[101]"
    assert fetched(site) == before


def test_a_server_that_does_not_answer_is_not_waited_for(trusting, site):
    with pytest.raises(openai.BadRequestError) as error:
        ask(trusting, "gemini", site.url + "/slow.png")
    assert error.value.code == "invalid_image_url" and "within 15 seconds" in str(error.value)


def test_bytes_that_are_no_base64_are_refused(trusting):
    with pytest.raises(openai.BadRequestError, match="base64") as error:
        ask(trusting, "gemini", "data:image/png;base64,iVBOR!!!")
    assert error.value.param == "messages[0].content[1]"


@pytest.mark.parametrize(
    "url",
    [
        "{site}/pixel.png",
        "http://localhost:{port}/pixel.png",
        "http://[::1]:{port}/pixel.png",
        "http://[::ffff:127.0.0.1]:{port}/pixel.png",
        "http://2130706433:{port}/pixel.png",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/a.png",
    ],
)
def test_internal_addresses_are_refused(careful, site, url):
    before = len(site.requests)
    with pytest.raises(openai.BadRequestError) as error:
        ask(careful, "gemini", url.format(site=site.url, port=site.url.rsplit(":", 1)[1]))
    assert error.value.code == "invalid_image_url"
    assert len(site.requests) == before


def test_fetching_can_be_turned_off(without, site):
    with pytest.raises(openai.BadRequestError, match="base64"):
        ask(without, "gemini", site.url + "/pixel.png")
