"""Reads the Prometheus text format."""

import re

from . import raw, waiting

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """[(name, labels, value)]; a line that is none is an error."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        found.append((match[1], dict(LABEL.findall(match[2] or "")), float(match[3])))
    return found


def scrape(gateway):
    answer = raw.call(gateway.address, "GET", "/metrics")
    assert answer.status == 200, answer
    return samples(answer.body.decode())


def total(found, name, **labels):
    """Sum over the series that have these labels."""
    return sum(
        value
        for key, have, value in found
        if key == name and all(have.get(label) == wanted for label, wanted in labels.items())
    )


def in_flight(gateway):
    """Requests in flight as the gateway last counted them; it does so about once a second."""
    return total(scrape(gateway), "llm_gateway_requests_in_flight")


def wait_until_idle(gateway):
    """Until nothing is in flight and no client but the scrape's own is connected."""
    waiting.until(lambda: in_flight(gateway) == 0, "no request is in flight")
    waiting.until(
        lambda: total(scrape(gateway), "llm_gateway_connections_open", side="client") <= 1, "no client is connected"
    )
