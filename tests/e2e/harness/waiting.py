"""Waiting for a condition: polled with a deadline, never slept for. And measuring on a machine that others use too."""

import time

POLL_SECONDS = 0.01
# Sanitizer builds on two busy cores are slow; a test that works never waits so long.
DEADLINE_SECONDS = 60


def until(condition, what, seconds=DEADLINE_SECONDS):
    """The first true value of `condition()`; an AssertionError that says `what` after the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(POLL_SECONDS)


def undisturbed(measure, tries=8):
    """The result of the first `measure()` that holds. For what is only true while nobody takes the processor away: that
    makes one or the other measurement wrong, a fault makes all of them wrong."""
    for _ in range(tries - 1):
        try:
            return measure()
        except AssertionError:
            pass
    return measure()


def within(seconds, action):
    """The result of `action()`, which takes less than so long, at least when it is undisturbed."""

    def measure():
        began = time.monotonic()
        result = action()
        took = time.monotonic() - began
        assert took < seconds, f"it took {took:.2f} s instead of less than {seconds} s"
        return result

    return undisturbed(measure)
