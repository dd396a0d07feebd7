"""Which tests run on one of pytest's processes, one after the other."""

import functools
import pathlib
import re

from xdist.scheduler import LoadScopeScheduling

TESTS = pathlib.Path(__file__).resolve().parent.parent
GROUP = re.compile(r'^pytestmark = pytest\.mark\.xdist_group\("([\w-]+)"\)$', re.MULTILINE)


class ByGroup(LoadScopeScheduling):
    """Files of one group: they share what takes long to start, or are too heavy to run beside one another. xdist's own
    `loadgroup` hands the group on in a test's name, and pytest 9.2 does not let it change that any more."""

    def _split_scope(self, nodeid):
        return group_of(nodeid.partition("::")[0]) or nodeid


@functools.cache
def group_of(file):
    found = GROUP.search((TESTS / file).read_text())
    return found[1] if found else None
