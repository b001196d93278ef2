"""The rank keys, one file each, by their names in :data:`memwarden.guard.ir.RankKey`."""

from typing import Final

from memwarden.guard.ir import RankKey
from memwarden.guard.rankings import (
    badness,
    culprit,
    current,
    effective,
    growth,
    io_cost,
    io_pressure,
    oom_score,
    oomd_growth,
    pgscan,
    pressure,
    priority,
    qos,
    rss,
    size,
    swap,
    swap_biased,
)
from memwarden.guard.rankings.key import Key

KEYS: Final[dict[RankKey, Key]] = {
    "culprit": culprit.KEY,
    "size": size.KEY,
    "current": current.KEY,
    "effective": effective.KEY,
    "growth": growth.KEY,
    "swap": swap.KEY,
    "swap-biased": swap_biased.KEY,
    "pressure": pressure.KEY,
    "io-pressure": io_pressure.KEY,
    "pgscan": pgscan.KEY,
    "io-cost": io_cost.KEY,
    "badness": badness.KEY,
    "oom-score": oom_score.KEY,
    "rss": rss.KEY,
    "qos": qos.KEY,
    "priority": priority.KEY,
    "oomd-growth": oomd_growth.KEY,
}
