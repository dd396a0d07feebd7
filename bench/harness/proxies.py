"""The configurations under test: nginx, haproxy and the gateway, each one worker, each over the same canned upstream.

nginx and haproxy are set up as their own manuals advise for a busy reverse proxy: keep-alive to the upstream, no limit
of requests a connection that would make them reconnect, buffers that keep bodies out of files, no access log.
"""

from pathlib import Path

KEY = "sk-bench-3f8a1c5e7d9b2460"  # of the gateway's only client; made up
MODELS = 2000

# Kinds of upstream listeners: what bench-canned is told, and how the proxies reach it.
UPSTREAMS = {
    "plain": "0,chunks=100,interval_ms=2,bytes=1024",
    "tls": "0,tls,bytes=1024",
    "held": "0,delay_ms=4000,bytes=1024",
    "slow": "0,chunks=12,interval_ms=1000",
}


def nginx_config(directory: Path, ports: dict[str, int], upstreams: dict[str, int], root: bool, ca: Path) -> str:
    servers = ""
    for kind, port in ports.items():
        scheme = "https" if kind == "tls" else "http"
        # "stream" is the plain upstream again, unbuffered as server-sent events need it.
        upstream = upstreams["plain" if kind == "stream" else kind]
        unbuffered = "proxy_buffering off;" if kind in ("stream", "slow") else ""
        tls = ""
        if kind == "tls":
            tls = (f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; "
                   "proxy_ssl_name localhost; proxy_ssl_server_name on;")
        servers += f"""
  upstream {kind} {{
    server 127.0.0.1:{upstream};
    keepalive 64;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass {scheme}://{kind}; {unbuffered} {tls} }}
  }}"""
    return f"""
daemon off;
{"user root;" if root else ""}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_max_body_size 20m;
  client_body_buffer_size 256k;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 300s;
{servers}
}}
"""


def haproxy_config(ports: dict[str, int], upstreams: dict[str, int], ca: Path) -> str:
    sections = ""
    for kind, port in ports.items():
        upstream = upstreams["plain" if kind == "stream" else kind]
        tls = f" ssl verify required ca-file {ca} verifyhost localhost sni str(localhost)" if kind == "tls" else ""
        streaming = "option http-no-delay" if kind in ("stream", "slow") else ""
        sections += f"""
listen {kind}
  bind 127.0.0.1:{port} backlog 4096
  {streaming}
  server upstream 127.0.0.1:{upstream} maxconn 20000{tls}
"""
    return f"""
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
{sections}
"""


# Three levels of limits that never refuse, a budget that lasts, and a price, so that every call is reserved, priced,
# settled and recorded.
GOVERNED = """
[[organizations]]
name = "org"
rpm = 60000000
budget = "9000000000"
[[teams]]
name = "team"
organization = "org"
tps = 1000000
tpm = 1000000000000
[[prices]]
provider = "openai"
model = "*"
input = "1"
output = "2"
"""
GOVERNED_KEY = """
team = "team"
concurrency = 100000
rpm = 60000000
tpm = 1000000000000
budget = "9000000000"
"""
UNGOVERNED = """
[ledger]
enabled = false
"""


def gateway_config(directory: Path, port: int, upstreams: dict[str, int], ca: Path,
                   governed: bool | None = None) -> str:
    """Everything at its default but addresses, one worker, and room for the 5,000 streams towards one host. `governed`:
    with limits, budgets and the ledger, or without any of it."""
    text = f"""
[server]
listen = "127.0.0.1:{port}"
data_dir = "{directory}/gateway-{port}"
workers = 1

[log]
output = "{directory}/gateway-{port}/access.log"

[[keys]]
name = "bench"
key = "{KEY}"
models = ["*"]
"""
    if governed is not None:
        text += GOVERNED_KEY + GOVERNED if governed else UNGOVERNED
    for kind in UPSTREAMS:
        scheme = "https" if kind == "tls" else "http"
        text += f"""
[[connections]]
name = "{kind}"
provider = "openai"
endpoint = "{scheme}://127.0.0.1:{upstreams[kind]}"
api_key = "sk-upstream-{kind}"
max_connections = 20000
proxy = "none"
"""
        if kind == "tls":
            text += f'tls.ca_file = "{ca}"\ntls.server_name = "localhost"\n'
    names = [(f"bench-{kind}", kind) for kind in UPSTREAMS]
    names += [(f"model-{number:04d}", "plain") for number in range(MODELS - len(names))]
    for name, connection in names:
        text += f'\n[[models]]\nname = "{name}"\nconnection = "{connection}"\nremote = "canned"\n'
    return text
