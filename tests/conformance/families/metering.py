"""Family H: what the gateway's ledger says of the calls of family A is what the provider reported, whichever client
asked. Read when the program has ended."""

import json
import subprocess

from families.answers import judged_calls
from judge import answers
from results import Check
from wire.gateway import processes

EXPORT_SECONDS = 300


def records(file):
    command = [processes.binary(), "ledger", "export", "--format", "json", "--config", str(file)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=EXPORT_SECONDS).stdout
    found = {}
    for record in map(json.loads, lines.splitlines()):
        found.setdefault(record["id"], []).append(record)
    return found


def judge(world):
    if not judged_calls:
        return
    found = records(world.gateway.file)
    for name, (case, client, mode) in judged_calls.items():
        told = answers.origin(case).usage
        check = Check("H", client, case.provider, case.id, mode, case.features, case.dialect, recorded=case.recorded)
        mine = found.get(name, [])
        if len(mine) != 1:
            check.add("records", f"{len(mine)} records of one call")
        elif told and (told["input"] or told["output"]) and mine[0]["outcome"] == "completed":
            compare(check, mine[0], told)
        world.report.add(check)


def compare(check, given, told):
    record = {name: value or 0 for name, value in given.items()}
    written = record["cache_write"] + record["cache_write_1h"]
    # Sound and pictures are parts of input and output.
    metered = {
        "input": record["input"] + record["cache_read"] + written,
        "cached": record["cache_read"],
        "written": written,
        "output": record["output"],
    }
    for name, value in metered.items():
        wanted = told[name] or 0
        spared = name == "cached" and wanted > (told["input"] or 0)  # more cached than read: nobody's arithmetic
        more = name == "output" and (told["reasoning"] or 0) > wanted  # xAI counts reasoning apart
        if value != wanted and not spared and not (more and value == wanted + told["reasoning"]):
            check.add("metered", f"{name} {value} instead of {wanted}")
    if told["reasoning"] and given["reasoning"] not in (None, told["reasoning"]):
        check.add("metered", f"reasoning {record['reasoning']} instead of {told['reasoning']}")
    if record["estimated"]:
        check.add("metered", "marked as estimated")
