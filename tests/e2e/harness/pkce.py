"""What oidc_provider_mock leaves out of a provider: a code is given for its code_verifier only (RFC 7636)."""

import base64
import contextlib
import hashlib
import io
import threading
import urllib.parse

import oidc_provider_mock
import werkzeug.serving


class WithPkce:
    def __init__(self, app):
        self.app = app
        self.challenges = {}  # by code
        self.verified, self.refused = 0, 0

    def __call__(self, environ, start_response):
        query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
        path = environ["PATH_INFO"]

        def start(status, headers, *more):
            location = dict(headers).get("Location", "")
            code = urllib.parse.parse_qs(urllib.parse.urlparse(location).query).get("code")
            if code and path.endswith("/authorize"):
                self.challenges[code[0]] = query.get("code_challenge", [""])[0]
            return start_response(status, headers, *more)

        if path.endswith("/token"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            form = urllib.parse.parse_qs(body.decode())
            if form.get("grant_type") == ["authorization_code"] and not self._fits(form):
                self.refused += 1
                start_response("400 Bad Request", [("Content-Type", "application/json")])
                return [b'{"error":"invalid_grant","error_description":"the code_verifier does not fit"}']
            self.verified += 1
        return self.app(environ, start)

    def _fits(self, form):
        verifier = form.get("code_verifier", [""])[0]
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = self.challenges.get(form.get("code", [""])[0])
        return len(verifier) >= 43 and base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge


@contextlib.contextmanager
def provider():
    """A provider on a port of its own; `.url`, and `.pkce` with what was verified."""
    pkce = WithPkce(oidc_provider_mock.app())
    server = werkzeug.serving.make_server("localhost", 0, pkce, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    server.pkce, server.url = pkce, f"http://localhost:{server.server_port}"
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
