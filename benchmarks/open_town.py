"""A town for load: a gateway that bounds nobody's rate, and works in several processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.machine import process_cpu_s, process_memory_mib
from node.cli.demo.town import ServiceProcess, Town, run

PASSWORD: Final = "a long password for the bench"
_NO_LIMIT: Final = "1000000/minute"


class OpenTown(Town):
    """The town. Use it as a context.

    Attributes:
        services: Its processes by name.
    """

    def __init__(self, folder: Path, *, workers: int, login: str | None = None) -> None:
        """Prepare it in a folder.

        Args:
            folder: Where.
            workers: How many processes the gateway has.
            login: Who works at the verifier's page, with `PASSWORD`; nobody where it is left out.
        """
        super().__init__(folder)
        self.services: dict[str, ServiceProcess] = {}
        self._workers = workers
        self._login = login

    def _serve(self, *arguments: str) -> ServiceProcess:
        if arguments[0] == "gateway":
            self._set_up_gateway(self.folder / "gateway")
        service = self.services[arguments[0]] = super()._serve(*arguments)
        return service

    def _set_up_gateway(self, folder: Path) -> None:
        file = folder / "gateway.toml"
        settings = f'verifier_rate = "{_NO_LIMIT}"\nwallet_rate = "{_NO_LIMIT}"\n'
        settings += f"workers = {self._workers}\nrequest_seconds = 3600\n"
        file.write_text(settings + file.read_text(encoding="utf-8"), encoding="utf-8")
        if self._login is not None:
            password = self.folder / "password"
            password.write_text(PASSWORD, encoding="utf-8")
            run(
                *("gateway", "add-login", str(folder), self._login, "--verifier", "ward_office"),
                *("--password-file", str(password)),
            )

    def processes(self, service: str) -> Sequence[int]:
        """Return the numbers of a service's processes."""
        pid = self.services[service].process.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, workers)]

    def cpu_s(self, service: str) -> float:
        """Return how much CPU a service has used, in seconds."""
        return sum(map(process_cpu_s, self.processes(service)))

    def memory_mib(self, service: str) -> float:
        """Return how much memory a service has, in MiB."""
        return sum(map(process_memory_mib, self.processes(service)))
