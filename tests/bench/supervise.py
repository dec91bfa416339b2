"""The platform as the benchmark starts it: the real services, with a register of as many homes as are asked for.

python -m tests.bench.supervise up                as `pingan up`
python -m tests.bench.supervise run               its supervisor

`BENCH_HOMES` is the size of the sample register, which is loaded at the first start. `BENCH_PROFILE=<folder>` runs the
services under cProfile; each leaves `<folder>/<name>.prof` when it stops.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from pingan.local.places import data_folder
from pingan.local.platform import PYTHON, Platform
from pingan.local.services import Preparations, Service, services
from pingan.local.supervisor import Supervisor, supervise
from pingan.local.up import bring_up

SELF = (sys.executable, "-P", "-m", "tests.bench.supervise", "run")


def table(platform: Platform) -> list[Service]:
    """The services, each under a profiler if that is asked for."""
    folder = os.environ.get("BENCH_PROFILE")
    if not folder:
        return services(platform)

    def profiled(one: Service) -> Service:
        profiler = (sys.executable, "-m", "cProfile", "-o", f"{folder}/{one.name}.prof", "-m", "pingan")
        return replace(one, command=(*profiler, *one.command[len(PYTHON) :]))

    return [profiled(one) for one in services(platform)]


def make(platform: Platform) -> Supervisor:
    sample = (*Preparations().sample, "--homes", os.environ.get("BENCH_HOMES", "20"))
    return Supervisor(platform, table(platform), commands=Preparations(sample=sample))


if __name__ == "__main__":
    if sys.argv[1] == "up":
        sys.exit(bring_up(data_folder(), SELF))
    sys.exit(supervise(Path(os.environ["PINGAN_DATA"]), make))
