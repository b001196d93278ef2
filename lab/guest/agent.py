"""Runs the scenarios of one boot, one after the other, and writes what it saw under $OUT."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rootar
import scenarios
import stage
from cgroups import Tree, get, put
from kmsg import Kmsg

OUT = os.environ.get("OUT", "/out")


def prepare() -> None:
    """The agent itself must outlive every shortage: unkillable, and locked in memory as far as it is now."""
    put("/proc/self/oom_score_adj", "-1000")
    put("/proc/sys/kernel/sysrq", "1")
    # A huge page that small ones are copied into is charged before those are given back
    # (mm/khugepaged.c:alloc_charge_folio): for a moment 2 MiB are in the usage that no figure has.
    put("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", str(3600 * 1000))
    libc = ctypes.CDLL("libc.so.6")
    libc.mlockall(1)
    libc.prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: a grandchild whose parent was killed is ours to wait for
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    os.makedirs("/scratch", exist_ok=True)
    for name in ("kept", "bare"):
        with open(f"/scratch/{name}", "wb", buffering=0) as file:
            file.writelines([b"\xa5" * stage.MIB] * 64)
    os.sync()
    gc.freeze()


def run(scenario: scenarios.Scenario, tree: Tree) -> dict[str, object]:
    """One scenario from its cgroups to their removal; its files are written in any case."""
    folder = os.path.join(OUT, scenario.name)
    os.makedirs(folder, exist_ok=True)
    log = Kmsg()
    log.mark(f"scenario {scenario.name} begins")
    log.drain()
    scene = stage.Stage(scenario, tree)
    begin = time.monotonic()
    try:
        scene.set_up()
        scene.approach()
        before = rootar.record(tree.mounts, kernel_threads=scenario.limit is None)
        write(folder, "before.rootar", before)
        scene.note("before")
        scene.act()
        if scenario.act == "hang":
            write(folder, "during.rootar", rootar.record(tree.mounts, kernel_threads=False))
        scene.settle()
        scene.note("after")
    except Exception:
        scene.result["error"] = traceback.format_exc()
    finally:
        scene.tear_down()
        write(folder, "kmsg", log.drain())
        scene.result["kmsg_gaps"] = log.gaps
        log.mark(f"scenario {scenario.name} ends")
        os.close(log.fd)
    scene.result["seconds"] = round(time.monotonic() - begin, 2)
    write(folder, "result.json", json.dumps(scene.result, indent=1).encode())
    return scene.result


def write(folder: str, name: str, data: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def main() -> None:
    """Every scenario that this boot can stage, or those named in the file ``only``."""
    prepare()
    tree = Tree()
    only = get("only").split()
    numa = os.path.isdir(stage.NODE1)
    for scenario in scenarios.V1 if tree.v1 else scenarios.NUMA if numa else scenarios.V2:
        if only and scenario.name not in only:
            continue
        if scenario.mglru is not None and not os.path.exists(stage.LRU_GEN):
            continue
        result = run(scenario, tree)
        if "error" in result:  # somebody died too early, say; the second time it counts
            say(f"{scenario.name}: {str(result['error']).strip().splitlines()[-1]}; once more")
            result = run(scenario, tree)
        say(f"{scenario.name}: died {result['died']} in {result['seconds']} s")


def say(line: str) -> None:
    """One line for whoever watches the console, and for the job's output."""
    with open("/dev/ttyS0", "w") as console:
        console.write(f"lab: {line}\n")
    print(line, flush=True)


main()
