"""What the upstream is sent and what the client gets back, byte for byte, on every surface."""

import gzip
import json

import pytest

from harness import raw

pytestmark = pytest.mark.xdist_group("wire")

# Spacing, order, number spelling, escapes and unknown members that a re-encoding would not keep.
BODY = (
    b'{ "temperature":1.0e-0,"stream" : false,\n "messages":[{"role":"user",'
    b'"content":"caf\\u00e9 \xe2\x9c\x93 \\/ \\ud83d\\ude00"}],'
    b'"big":123456789012345678901234567890,"neg":-0.0, "model" : %s ,"unknown":{"b":1,"a":[1,2.50,null]},"z":"" }'
)


def send(wire, target, body, request_id, *headers):
    return raw.call(
        wire.address,
        "POST",
        target,
        [*wire.bearer(), ("Content-Type", "application/json"), ("X-Request-ID", request_id), *headers],
        body,
    )


def seen(wire, request_id):
    [request] = wire.upstream.find(request_id)
    return request


@pytest.mark.parametrize(
    "target, model, upstream_model, upstream_target",
    [
        ("/v1/chat/completions", "scripted", "scripted-remote", "/v1/chat/completions"),
        ("/v1/completions", "scripted", "scripted-remote", "/v1/completions"),
        ("/v1/embeddings", "scripted", "scripted-remote", "/v1/embeddings"),
        ("/v1/responses", "scripted", "scripted-remote", "/v1/responses"),
        ("/v1/responses/input_tokens", "scripted", "scripted-remote", "/v1/responses/input_tokens"),
        ("/v1/moderations", "scripted", "scripted-remote", "/v1/moderations"),
        ("/v1/rerank", "scripted", "scripted-remote", "/v1/rerank"),
        ("/v1/images/generations", "scripted", "scripted-remote", "/v1/images/generations"),
        ("/v1/audio/speech", "scripted", "scripted-remote", "/v1/audio/speech"),
        ("/openai/v1/chat/completions", "scripted", "scripted-remote", "/v1/chat/completions"),
        ("/v1beta/openai/chat/completions", "scripted", "scripted-remote", "/v1/chat/completions"),
        ("/v1/chat/completions", "scripted-as-is", "scripted-as-is", "/v1/chat/completions"),
        ("/v1/chat/completions", "scripted-very-wild", "scripted-very-wild", "/v1/chat/completions"),
        ("/v1/chat/completions", "with-headers", "with-headers", "/base/v7/chat/completions"),
        ("/v1/messages", "scripted-claude", "scripted-remote", "/v1/messages"),
        ("/v1/messages/count_tokens", "scripted-claude", "scripted-remote", "/v1/messages/count_tokens"),
        ("/anthropic/v1/messages?beta=true", "scripted-claude", "scripted-remote", "/v1/messages?beta=true"),
        ("/v1/messages", "both", "both-claude", "/v1/messages"),
        ("/v1/chat/completions", "both", "both-gpt", "/v1/chat/completions"),
        (
            "/v1/chat/completions",
            "scripted-azure",
            "scripted-azure",
            "/openai/deployments/scripted-deployment/chat/completions?api-version=2024-05-01-preview",
        ),
    ],
)
def test_only_the_model_name_changes(wire, request_id, target, model, upstream_model, upstream_target):
    answer = send(wire, target, BODY % json.dumps(model).encode(), request_id)
    assert answer.status == 200 and answer.header("x-request-id") == request_id
    request = seen(wire, request_id)
    assert request.target == upstream_target
    assert request.body == BODY % json.dumps(upstream_model).encode()


@pytest.mark.parametrize(
    "target",
    [
        "/v1/chat/completions",
        "/v1/responses",
        "/openai/deployments/scripted-azure/chat/completions",
        "/v1/messages",
        "/v1beta/models/scripted-gemini:generateContent",
        "/model/scripted/converse",
        "/v2/chat",
    ],
)
def test_a_coded_body_is_refused_by_its_coding(wire, request_id, target):
    coded = gzip.compress(BODY % b'"scripted"')
    answer = send(wire, target, coded, request_id, ("Content-Encoding", "gzip"))
    assert answer.status == 415 and b"Content-Encoding: gzip" in answer.body
    if target == "/v1/messages":
        assert answer.json()["error"]["type"] == "invalid_request_error"
    elif target.startswith("/v1beta"):
        assert answer.json()["error"]["code"] == 415 and answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    elif target.startswith("/model"):
        assert answer.header("x-amzn-errortype") == "ValidationException"
    assert not wire.upstream.find(request_id)


@pytest.mark.parametrize("spelling", [b'"scripted"', b'"scri\\u0070ted"', b'"\\u0073cripted"'])
def test_escaped_model_names_are_read(wire, request_id, spelling):
    assert send(wire, "/v1/chat/completions", BODY % spelling, request_id).status == 200
    assert seen(wire, request_id).body == BODY % b'"scripted-remote"'


@pytest.mark.parametrize(
    "target, upstream_target",
    [
        ("/v1beta/models/scripted-gemini:generateContent", "/v1beta/models/scripted-remote:generateContent"),
        ("/v1/models/scripted-gemini:generateContent", "/v1/models/scripted-remote:generateContent"),
        (
            "/v1beta/models/scripted-gemini:streamGenerateContent?alt=sse",
            "/v1beta/models/scripted-remote:streamGenerateContent?alt=sse",
        ),
        ("/v1beta/models/scripted-gemini:countTokens", "/v1beta/models/scripted-remote:countTokens"),
        ("/v1beta/models/scripted-gemini:embedContent", "/v1beta/models/scripted-remote:embedContent"),
        ("/v1beta/models/scripted-gemini:batchEmbedContents", "/v1beta/models/scripted-remote:batchEmbedContents"),
        (
            "/v1beta/models/scripted-gemini:generateContent?$alt=json%3Benum-encoding%3Dint",
            "/v1beta/models/scripted-remote:generateContent?$alt=json%3Benum-encoding%3Dint",
        ),
        (
            "/v1beta1/publishers/google/models/scripted-gemini:generateContent",
            "/v1beta/models/scripted-remote:generateContent",
        ),
        (
            "/v1/projects/p/locations/l/publishers/google/models/scripted-gemini:generateContent",
            "/v1beta/models/scripted-remote:generateContent",
        ),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b'{ "contents":[{"parts":[{"text":"x"}]}], "n":1.50 }',
        b'{"content":{"parts":[]},"model":"models/%s", "n":1e2 }',
    ],
)
def test_gemini_models_stand_in_the_path(wire, request_id, target, upstream_target, body):
    named = b"%s" in body
    assert send(wire, target, body % b"scripted-gemini" if named else body, request_id).status == 200
    request = seen(wire, request_id)
    assert request.target == upstream_target
    assert request.body == (body % b"scripted-remote" if named else body)


def test_owned_by_chooses_and_is_taken_out(wire, request_id):
    body = b'{"model":"both","owned_by":"openai","messages":[]}'
    assert send(wire, "/v1/chat/completions", body, request_id).status == 200
    assert seen(wire, request_id).json() == {"model": "both-gpt", "messages": []}
    refused = send(wire, "/v1/chat/completions", b'{"model":"both","owned_by":"nobody","messages":[]}', request_id)
    assert refused.status == 404


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"scripted","model":"gpt-4o"}',
        b'{"model":"scripted","mod\\u0065l":"gpt-4o"}',
        b'{"model":"scripted","stream":true,"stream":false}',
        b'{"model":"both","owned_by":"a","owned_by":"b"}',
        b'{"model":5}',
        b'{"model":null}',
        b'{"model":""}',
        b'["model"]',
        b'{"model":"scripted"',
        b'{"model":"scripted"}x',
        b"",
        b"\xff\xfe",
        b'{"model":"\xff"}',
        b'{"messages":[]}',
        b'"scripted"',
        b'{"model":"a\\u0000b"}',
        b"{'model':'x'}",
    ],
)
def test_bodies_that_are_refused(wire, request_id, body):
    answer = send(wire, "/v1/chat/completions", body, request_id)
    assert answer.status == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert not wire.upstream.find(request_id)


def test_headers_that_pass_and_headers_that_do_not(wire, request_id):
    answer = send(
        wire,
        "/v1/chat/completions",
        BODY % b'"scripted"',
        request_id,
        ("x-api-key", wire.keys.full),
        ("Cookie", "a=b"),
        ("OpenAI-Beta", "assistants=v2"),
        ("X-Custom", "kept as is"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("Accept-Encoding", "gzip, br"),
        ("OpenAI-Organization", "client-org"),
        ("Connection", "X-Hop"),
        ("X-Hop", "dropped"),
        ("Proxy-Authorization", "Basic Zm9v"),
        ("traceparent", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
    )
    assert answer.status == 200 and answer.header("x-upstream-header") == "kept"
    request = seen(wire, request_id)
    assert request.header("authorization") == f"Bearer {wire.keys.scripted}"
    assert request.header("x-custom") == "kept as is" and request.header("openai-beta") == "assistants=v2"
    assert request.header("traceparent")
    for name in (
        "x-api-key",
        "cookie",
        "x-forwarded-for",
        "openai-organization",
        "x-hop",
        "proxy-authorization",
        "api-key",
    ):
        assert request.header(name) is None, name
    assert request.header("host") == wire.upstream.url.removeprefix("http://")
    names = [name for name, _ in request.headers]
    assert len(names) == len(set(names)), names


@pytest.mark.parametrize("place", ["authorization", "x-api-key", "api-key", "x-goog-api-key", "query"])
@pytest.mark.parametrize(
    "target, model",
    [
        ("/v1/chat/completions", "scripted"),
        ("/v1/messages", "scripted-claude"),
        ("/v1beta/models/scripted-gemini:generateContent", ""),
        ("/openai/deployments/scripted-azure/chat/completions?api-version=2024-10-21", ""),
    ],
)
def test_the_key_in_each_of_its_places_on_every_surface(wire, request_id, place, target, model):
    key, headers = wire.keys.full, [("X-Request-ID", request_id)]
    if place == "query":
        target += ("&" if "?" in target else "?") + f"key={key}"
    else:
        headers.append((place, f"Bearer {key}" if place == "authorization" else key))
    assert raw.post_json(wire.address, target, {"model": model} if model else {}, headers).status == 200
    request = seen(wire, request_id)
    assert key not in request.head.decode("latin-1") and "key=" not in request.target.replace("api-key=", "")
    wrong = [(name, value.replace(key, "wrong-key-12345")) for name, value in headers]
    assert raw.post_json(wire.address, target.replace(key, "wrong-key-12345"), {"model": model}, wrong).status in (
        400,
        401,
    )


def test_configured_headers_are_sent(wire, request_id):
    send(wire, "/v1/chat/completions", BODY % b'"with-headers"', request_id, ("X-Team", "the client's"))
    assert [value for name, value in seen(wire, request_id).headers if name == "x-team"] == ["canary-header-value"]
    assert seen(wire, request_id).header("authorization") is None


def test_binary_answers_are_byte_equal(wire, request_id):
    answer = send(
        wire,
        "/v1/audio/speech",
        b'{"model":"scripted","input":"x","voice":"alloy"}',
        request_id,
        ("x-script", "speech"),
    )
    assert answer.header("content-type") == "audio/mpeg" and answer.body == bytes(range(256)) * 512


@pytest.mark.parametrize("script", ["stream", "stream-in-bytes"])
def test_streams_are_byte_equal(wire, request_id, script):
    answer = send(
        wire, "/v1/chat/completions", b'{"model":"scripted","stream":true}', request_id, ("x-script", script)
    )
    assert answer.complete and answer.header("content-type") == "text/event-stream"
    assert answer.body.endswith(b"data: [DONE]\n\n") and answer.body.count(b"data: ") == 3


MULTIPART = (
    b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b'RIFF\x00\xff\r\n--front\r\nname="model"\r\n\r\nnot-the-model\r\n--frontier\r\n'
    b'Content-Disposition: form-data; name="model"\r\n\r\n%s\r\n--frontier\r\n'
    b'Content-Disposition: form-data; name="language"\r\n\r\nen\r\n--frontier--\r\n'
)


@pytest.mark.parametrize("target", ["/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits"])
def test_the_model_in_a_form_is_replaced(wire, request_id, target):
    answer = raw.call(
        wire.address,
        "POST",
        target,
        [*wire.bearer(), ("X-Request-ID", request_id), ("Content-Type", "multipart/form-data; boundary=frontier")],
        MULTIPART % b"scripted",
    )
    assert answer.status == 200
    request = seen(wire, request_id)
    assert request.body == MULTIPART % b"scripted-remote"
    assert request.header("content-type") == "multipart/form-data; boundary=frontier"


ALIAS = "/openai/deployments/{}/audio/transcriptions?api-version=2024-10-21"
NO_MODEL = MULTIPART.replace(b'--frontier\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n', b"", 1)
MODEL_FIRST = b'--frontier\r\nContent-Disposition: form-data; name="model"\r\n\r\nscripted-remote\r\n'


@pytest.mark.parametrize(
    "model, body, upstream_target, upstream_body",
    [
        ("scripted-azure", NO_MODEL, ALIAS.format("scripted-deployment"), NO_MODEL),
        ("scripted-azure", MULTIPART % b"any", ALIAS.format("scripted-deployment"), MULTIPART % b"any"),
        ("scripted", NO_MODEL, "/v1/audio/transcriptions", MODEL_FIRST + NO_MODEL),
        ("scripted", MULTIPART % b"any", "/v1/audio/transcriptions", MULTIPART % b"scripted-remote"),
    ],
)
def test_a_form_under_a_deployment_has_its_model_in_the_path(
    wire, request_id, model, body, upstream_target, upstream_body
):
    answer = raw.call(
        wire.address,
        "POST",
        ALIAS.format(model),
        [*wire.bearer(), ("X-Request-ID", request_id), ("Content-Type", "multipart/form-data; boundary=frontier")],
        body,
    )
    assert answer.status == 200
    request = seen(wire, request_id)
    assert (request.target, request.body) == (upstream_target, upstream_body)


def test_a_form_without_a_model_is_refused(wire, request_id):
    answer = raw.call(
        wire.address,
        "POST",
        "/v1/audio/transcriptions",
        [*wire.bearer(), ("X-Request-ID", request_id), ("Content-Type", "multipart/form-data; boundary=frontier")],
        b'--frontier\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--frontier--\r\n',
    )
    assert answer.status == 400 and not wire.upstream.find(request_id)


@pytest.mark.parametrize(
    "method, target",
    [
        ("GET", "/v1/files"),
        ("GET", "/v1/files/file-1/content"),
        ("DELETE", "/v1/files/file-1"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/batches/batch-1"),
        ("GET", "/v1/responses/resp_1?include=a"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("POST", "/v1/conversations"),
        ("POST", "/v1/realtime/client_secrets"),
    ],
)
def test_calls_without_a_model(wire, request_id, method, target):
    answer = raw.call(
        wire.address,
        method,
        target,
        [*wire.bearer(), ("X-Request-ID", request_id), ("x-llm-gateway-connection", "scripted-openai")],
        b'{"a":1}' if method == "POST" else b"",
    )
    assert answer.status == 200
    request = seen(wire, request_id)
    assert (request.method, request.target) == (method, target)
    assert request.header("x-llm-gateway-connection") is None


# What an SDK of each vendor sends beside its key.
VERSIONS = {"anthropic": ("anthropic-version", "2023-06-01"), "google": ("x-goog-api-key", None)}


def as_vendor(wire, vendor, key, request_id):
    name, value = VERSIONS[vendor]
    return [("Authorization", f"Bearer {key}"), (name, value or key), ("X-Request-ID", request_id)]


@pytest.mark.parametrize("vendor", VERSIONS)
@pytest.mark.parametrize(
    "method, target", [("GET", "/v1/files"), ("POST", "/v1/files"), ("GET", "/v1/files/f"), ("POST", "/v1/batches")]
)
def test_paths_of_several_vendors_go_to_the_clients_own(wire, request_id, vendor, method, target):
    headers = as_vendor(wire, vendor, wire.keys.full, request_id)
    named = [*headers, ("x-llm-gateway-connection", f"scripted-{vendor}")]
    body = b"the file" if method == "POST" else b""
    assert raw.call(wire.address, method, target, named, body).status == 200
    request = seen(wire, request_id)
    assert (request.method, request.target, request.body) == (method, target, body)
    own = "x-api-key" if vendor == "anthropic" else "x-goog-api-key"
    assert request.header(own) == wire.keys.scripted and request.header("authorization") is None

    other = [*headers[:-1], ("X-Request-ID", request_id + "-o"), ("x-llm-gateway-connection", "scripted-openai")]
    refused = raw.call(wire.address, method, target, other, body)
    assert refused.status == 404 and not wire.upstream.find(request_id + "-o")
    error = refused.json()["error"]
    assert error["type"] == "not_found_error" if vendor == "anthropic" else error["status"] == "NOT_FOUND"


def test_a_file_of_a_vendor_that_the_key_may_not_use_goes_nowhere(wire, request_id):
    headers = as_vendor(wire, "google", wire.keys.narrow, request_id)
    assert raw.call(wire.address, "POST", "/v1/files", headers, b"the file").status == 404
    assert not wire.upstream.find(request_id)


def test_chunked_requests(wire, request_id):
    body = BODY % b'"scripted"'
    pieces = b"".join(
        b"%X;ext=1\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
    )
    answer = raw.call(
        wire.address,
        "POST",
        "/v1/chat/completions",
        [*wire.bearer(), ("X-Request-ID", request_id), ("Transfer-Encoding", "chunked")],
        pieces + b"0\r\nX-Trailer: ignored\r\n\r\n",
    )
    assert answer.status == 200
    assert seen(wire, request_id).body == BODY % b'"scripted-remote"'


def test_expect_continue(wire, request_id):
    body = BODY % b'"scripted"'
    head = raw.request(
        "POST",
        "/v1/chat/completions",
        [*wire.bearer(), ("X-Request-ID", request_id), ("Expect", "100-continue"), ("Content-Length", str(len(body)))],
    )
    with raw.connect(wire.address) as sock:
        sock.sendall(head)
        interim = sock.recv(4096)
        assert interim.startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        received = b""
        while b"scripted" not in received:
            received += sock.recv(4096)
    assert received.startswith(b"HTTP/1.1 200 ")


def test_large_bodies(wire, request_id):
    filler = b"x" * (8 << 20)
    body = b'{"filler":"' + filler + b'","model":"scripted"}'
    assert send(wire, "/v1/chat/completions", body, request_id).status == 200
    assert seen(wire, request_id).body == body.replace(b'"scripted"', b'"scripted-remote"')


@pytest.mark.parametrize("declared", [True, False])
def test_bodies_over_the_limit(wire, request_id, declared):
    size = (10 << 20) + 1
    headers = [*wire.bearer(), ("X-Request-ID", request_id)]
    if declared:
        data = raw.request("POST", "/v1/chat/completions", [*headers, ("Content-Length", str(size))])
    else:
        data = raw.request("POST", "/v1/chat/completions", [*headers, ("Transfer-Encoding", "chunked")])
        data += b"%x\r\n" % size + b" " * size
    received, closed = raw.exchange(wire.address, data)
    assert closed and raw.parse_answers(received)[0].status == 413
    assert not wire.upstream.find(request_id)


def test_pipelined_requests_are_answered_in_order(wire):
    data = b"".join(
        raw.request("GET", f"/v1/models/{name}", wire.bearer())
        for name in ("scripted", "dead", "hasty", "no-such-one")
    )
    data += raw.request("GET", "/health", [("Connection", "close")])
    received, closed = raw.exchange(wire.address, data)
    answers = raw.parse_answers(received)
    assert closed and [answer.status for answer in answers] == [200, 200, 200, 404, 200]
    assert [answer.json()["id"] for answer in answers[:3]] == ["scripted", "dead", "hasty"]


def test_head_has_no_body(wire):
    answer = raw.call(wire.address, "HEAD", "/v1/models", wire.bearer())
    assert answer.status == 200 and answer.body == b""


@pytest.mark.parametrize(
    "method, target, status",
    [
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/v1/models", 405),
        ("POST", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v1/../metrics", 400),
        ("GET", "/v1//models", 400),
        ("GET", "/v1/%2e%2e/metrics", 400),
        ("DELETE", "/health", 405),
        ("OPTIONS", "/v1/models", 405),
    ],
)
def test_paths_that_are_refused(wire, method, target, status):
    answer = raw.call(wire.address, method, target, wire.bearer())
    assert answer.status == status and answer.json()["error"]["message"]
    assert (answer.header("allow") is not None) == (status == 405)
