"""Outcomes of checks, the accepted losses, the report."""

import collections
import dataclasses
import json
import re
import tomllib

import cases as recordings

THRESHOLDS = {"A": 99.0, "B": 98.0, "C": 100.0, "D": 100.0, "E": 99.0, "F": 100.0,
              "I": 100.0, "V": 99.0, "K": 100.0, "H": 100.0}  # percent; issue 3
PASS, FAIL, POLICY, SKIP = "pass", "fail", "policy", "skip"
DEBUG_BYTES = 20000


@dataclasses.dataclass
class Check:
    family: str
    client: str
    provider: str
    case: str
    mode: str = ""
    features: set = dataclasses.field(default_factory=set)
    target: str = ""  # the upstream's dialect, where it is not the case's provider's
    findings: list = dataclasses.field(default_factory=list)  # (aspect, text)
    accepted: list = dataclasses.field(default_factory=list)  # (aspect, reason)
    recorded: bool = True
    debug: dict = dataclasses.field(default_factory=dict)
    skipped: str = ""

    @property
    def outcome(self):
        if self.skipped:
            return SKIP
        if self.findings:
            return FAIL
        return POLICY if self.accepted else PASS

    def add(self, aspect, text):
        self.findings.append((aspect, text))

    def keep(self, call, answer=None, captured=()):
        """What is needed to see why, should it fail."""
        self.debug = {
            "sent": {"target": call.target, "body": call.body} if call else None,
            "upstream": [
                {"target": each.target, "body": each.body.decode("utf-8", "replace")[:DEBUG_BYTES]} for each in captured
            ],
        }
        if answer is not None:
            self.debug["answer"] = {
                "status": answer.status,
                "headers": answer.headers,
                "complete": answer.complete,
                "body": answer.body.decode("utf-8", "backslashreplace")[:DEBUG_BYTES],
            }


async def undisturbed(measure, tries):
    """The first check of `measure()` without a finding, or else the last: a machine that others use too makes one of
    them wrong, a fault all of them."""
    for _ in range(tries):
        check = await measure()
        if not check.findings:
            break
    return check


class Policy:
    """Accepted losses: a finding that one of them describes is no failure."""

    def __init__(self, file):
        self.entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accept", [])
        for entry in self.entries:
            assert entry.get("reason"), f"{file}: an accepted loss without a reason: {entry}"
            unknown = set(entry) - {"family", "client", "target", "aspect", "feature", "text", "reason"}
            assert not unknown, f"{file}: unknown keys {unknown}"

    @staticmethod
    def matches(entry, check, aspect, text):
        def listed(name, value):
            wanted = entry.get(name)
            return wanted is None or value in (wanted if isinstance(wanted, list) else [wanted])

        wanted = entry.get("feature")
        features = wanted if isinstance(wanted, list) else [wanted]
        return (
            listed("family", check.family)
            and listed("client", check.client)
            and listed("target", check.target)
            and listed("aspect", aspect)
            and (wanted is None or bool(check.features & set(features)))
            and ("text" not in entry or re.search(entry["text"], text) is not None)
        )

    def apply(self, check):
        left = []
        for aspect, text in check.findings:
            entry = next((each for each in self.entries if self.matches(each, check, aspect, text)), None)
            if entry is None:
                left.append((aspect, text))
            else:
                check.accepted.append((aspect, entry["reason"]))
        check.findings = left


def cell():
    return collections.Counter()


class Report:
    def __init__(self, policy):
        self.policy = policy
        self.checks = []

    def add(self, check):
        self.policy.apply(check)
        self.checks.append(check)

    def table(self):
        cells = collections.defaultdict(cell)
        for check in self.checks:
            provider = check.provider if check.recorded else "not recorded"
            cells[check.family, check.client, provider][check.outcome] += 1
        return cells

    def rates(self):
        """Percent passed of what was judged, by family; real recordings only."""
        found = {}
        for family in sorted({check.family for check in self.checks}):
            counts = collections.Counter(
                check.outcome for check in self.checks if check.family == family and check.recorded
            )
            judged = counts[PASS] + counts[POLICY] + counts[FAIL]
            found[family] = 100.0 * (counts[PASS] + counts[POLICY]) / judged if judged else 100.0
        return found

    def below(self):
        return [family for family, rate in self.rates().items() if rate < THRESHOLDS[family]]

    def print(self):
        cells = self.table()
        for family in sorted({key[0] for key in cells}):
            providers = sorted({key[2] for key in cells if key[0] == family})
            width = max(len(each) for each in [*providers, "0000/0000 +000"])
            print(f"\nfamily {family}: passed/judged +by policy")
            print(" " * 18 + " ".join(each.rjust(width) for each in providers))
            for client in [each for each in (*recordings.DIALECTS, "") if any(k[:2] == (family, each) for k in cells)]:
                row = [self.cell_text(cells.get((family, client, each))) for each in providers]
                print((client or "-").ljust(18) + " ".join(each.rjust(width) for each in row))
        self.print_causes()
        print()
        for family, rate in self.rates().items():
            state = "" if rate >= THRESHOLDS[family] else "  BELOW"
            print(f"family {family}: {rate:6.2f} % (at least {THRESHOLDS[family]:g} %){state}")

    @staticmethod
    def cell_text(counts):
        if not counts:
            return "."
        judged = counts[PASS] + counts[FAIL] + counts[POLICY]
        text = f"{counts[PASS] + counts[POLICY]}/{judged}"
        return text + (f" +{counts[POLICY]}" if counts[POLICY] else "")

    def print_causes(self):
        causes = collections.defaultdict(list)
        for check in self.checks:
            for aspect, text in check.findings:
                causes[check.family, aspect, check.client].append((check, text))
        if causes:
            print("\nfailures by cause: family aspect client: count, an example")
        for key, found in sorted(causes.items(), key=lambda each: -len(each[1])):
            check, text = found[0]
            print(f"  {' '.join(key)}: {len(found)}  {check.case} [{check.mode}] {ascii(text[:200])}")

    def write(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        failures = directory / "failures"
        failures.mkdir(exist_ok=True)
        for old in failures.glob("*.json"):
            old.unlink()
        listed = []
        for check in self.checks:
            entry = dataclasses.asdict(check)
            entry.pop("debug")
            entry["features"], entry["outcome"] = sorted(check.features), check.outcome
            if check.outcome != PASS:
                listed.append(entry)
            if check.outcome == FAIL:
                name = f"{check.family}-{check.client}-{check.target}-{check.case}-{check.mode}".replace("/", "_")
                text = json.dumps(entry | {"debug": check.debug}, indent=1, ensure_ascii=False, default=str)
                (failures / f"{name[:200]}.json").write_bytes(text.encode("utf-8", "backslashreplace"))
        table = [{"family": k[0], "client": k[1], "provider": k[2], **v} for k, v in sorted(self.table().items())]
        document = {"rates": self.rates(), "thresholds": THRESHOLDS, "cells": table, "checks": listed}
        data = json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
        (directory / "report.json").write_bytes(data)
