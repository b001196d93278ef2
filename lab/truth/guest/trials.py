"""Inside the guest: runs the trials that were asked for and writes what each measured."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import accounting
import killing
import limits
import reclaim
from kit import LIBC, ROOT, put, swap

OUT = os.environ.get("OUT", "/out")
TRIALS = {**limits.TRIALS, **reclaim.TRIALS, **killing.TRIALS, **accounting.TRIALS}


def main() -> None:
    """One after the other; a trial that breaks is an entry with its traceback."""
    put("/proc/self/oom_score_adj", -1000)
    LIBC.mlockall(1)
    put(f"{ROOT}/cgroup.subtree_control", "+memory")
    found = {}
    for name in sys.argv[1:] or TRIALS:
        swap(on=False)
        put("/proc/sys/vm/drop_caches", 3)
        begin = time.monotonic()
        try:
            found[name] = TRIALS[name]()
        except Exception:
            found[name] = {"failed": traceback.format_exc()}
        print(name, f"{time.monotonic() - begin:.1f} s", found[name], flush=True)
        with open(f"{OUT}/found.json", "w") as file:
            json.dump(found, file)


main()
