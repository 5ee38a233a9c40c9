"""What the figures were taken on: they mean nothing without it."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine and the code of one run.

    Attributes:
        commit: The commit's id, with `+` where files were changed since.
        cpu: The processor's name.
        cores: How many this process may use.
        python: The interpreter's version.
        system: The operating system.
        filesystem: That of the ledger's folder.
        load: The machine's load average over the last minute, before the run.
    """

    commit: str
    cpu: str
    cores: int
    python: str
    system: str
    filesystem: str
    load: float


def read_machine(folder: Path) -> Machine:
    """Return what is known of this machine.

    Args:
        folder: Where the ledger's files will be.
    """
    return Machine(
        commit=_commit(),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        filesystem=_output("stat", "--file-system", "--format=%T", str(folder)) or "unknown",
        load=round(os.getloadavg()[0], 2),
    )


def process_cpu_s(pid: int) -> float:
    """Return how much CPU a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def process_memory_mib(pid: int) -> float:
    """Return how much memory a process holds now, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the process has ended")


def _commit() -> str:
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "status", "--porcelain")
    return f"{commit}{'+' if changed else ''}" if commit else "none yet"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
