"""Processor time that a hypervisor gave to others while we measured. It hits whoever is busiest, not all alike."""

from pathlib import Path

TRIES = 4  # a busy host would make this endless
TICKS_MAX = 1  # of 10 ms, over all processors; from 2 of a second on the slowest answers are several times slower


def stolen_ticks(stat: str | None = None) -> int:
    """Since the machine began; always 0 on a machine of its own (proc_stat(5): the eighth figure of `cpu`)."""
    words = (Path("/proc/stat").read_text() if stat is None else stat).split("\n", 1)[0].split()
    return int(words[8]) if len(words) > 8 else 0


def calmest(run, stolen=stolen_ticks) -> tuple:
    """Runs until next to nothing was stolen meanwhile, TRIES times at most. The calmest result, the ticks stolen from
    it, and how often it ran."""
    found = []
    while len(found) < TRIES and (not found or min(found)[0] > TICKS_MAX):
        before = stolen()
        result = run()
        found.append((stolen() - before, len(found), result))
    ticks, _, result = min(found)
    return result, ticks, len(found)
