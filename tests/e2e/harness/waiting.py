"""Waiting for a condition: polled with a deadline, never slept for."""

import time

POLL_SECONDS = 0.01
# Sanitizer builds on two busy cores are slow; a test that works never waits so long.
DEADLINE_SECONDS = 30


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
