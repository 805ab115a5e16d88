"""Whether one process of an installation is well: what a container's health check asks.

It is asked every few seconds: nothing is imported here but what the one question needs.
"""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from pathlib import Path

from loop.clock import now_ms
from loop.refusals import Refusal
from settings import Settings, read_settings

_SECONDS = 4.0
"""How long an answer may take: a container's own patience is often five."""


class NotHealthy(Refusal):
    """A process that is not there, or not ready."""


def check(process: str, use_case: str = "") -> str:
    """A sentence that says that the process is well. Raises NotHealthy, or what keeps it from being asked.

    serving, webapp: it answers on its port of this machine. trainer, reporting: it has said in the database
    within 15 seconds that it is there for the use case (the current one where none is named, as the process
    itself would take it), on this host; reporting: and the port of Evidently's pages is open. annotations: as
    trainer, within 30 seconds, which it says while it reaches Grafana.
    """
    settings = read_settings()
    use_case = use_case or settings.current_use_case
    if process == "serving":
        return _answers(settings, settings.api_port, "/readyz", "the API")
    if process == "webapp":
        return _answers(settings, settings.web_port, "/livez", "the web pages")
    if process == "trainer":
        return _is_there(settings, "trainer", use_case)
    if process == "reporting":
        said = _is_there(settings, "reporter", use_case)
        # Without a connection: the first one makes Evidently load, which takes 300 MB.
        if not _is_listening(settings.reporting_port):
            raise NotHealthy(
                f"the reporter is there, but nothing listens on port {settings.reporting_port}, where "
                "Evidently's pages should; see its log"
            )
        return f"{said}, and Evidently's pages wait on port {settings.reporting_port}"
    if process == "annotations":
        return _is_there(settings, "annotator", use_case, within_seconds=30)
    raise Refusal(
        f"{process} is none of the processes: ask for serving, webapp, reporting, trainer or annotations"
    )


def _answers(settings: Settings, port: int, path: str, what: str) -> str:
    host = settings.host
    connection = http.client.HTTPConnection(
        "127.0.0.1" if host in ("0.0.0.0", "localhost") else "::1" if host == "::" else host,
        port,
        timeout=_SECONDS,
    )
    with closing(connection):
        try:
            # By the name that each of them takes for its own, wherever it is bound.
            connection.request("GET", path, headers={"host": f"localhost:{port}"})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise NotHealthy(
                f"{what} cannot be reached on port {port} ({error}); see the log of its process"
            ) from error
        told = answer.read(2_000).decode("utf-8", "replace").strip()
    if answer.status != 200:
        raise NotHealthy(f"{what} on port {port} answered {path} with status {answer.status}: {told}")
    return f"{what} on port {port} answered {path}"


def _is_listening(port: int) -> bool:
    """Whether any process here listens on a TCP port; true where the system does not tell (not Linux)."""
    tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]
    fields = [line.split()[1:4] for table in tables for line in table.read_text().splitlines()[1:]]
    return not tables or any(
        state == "0A" and int(local.rpartition(":")[2], 16) == port for local, _, state in fields
    )


def _is_there(settings: Settings, role: str, use_case: str, within_seconds: int = 15) -> str:
    from storage.database import Database
    from storage.migration import revision
    from storage.processes import here

    if settings.missing_file is not None:
        raise NotHealthy(f"there is no database {settings.missing_file} yet: no {role} has begun")
    host = socket.gethostname()
    with closing(Database.open(settings.database)) as database, database.reading() as connection:
        if revision(connection) is None:
            raise NotHealthy(f"the database holds no tables yet: no {role} has begun")
        asked: dict[str, int] = {"at_ms": now_ms(), "within_ms": 1_000 * within_seconds}
        found = here(connection, role, host, use_case=use_case, **asked)
        another = None if found else here(connection, role, host, **asked)
    if found is None:
        instead = (
            "see the log of its process"
            if another is None
            else f"one of {another.use_case} is (process {another.pid}): start it again if {use_case} "
            f"became the current use case since, or ask with --use-case {another.use_case}"
        )
        raise NotHealthy(
            f"no {role} of {use_case} on {host} has said within {within_seconds} seconds that it is there; "
            f"{instead}"
        )
    return f"the {role} of {found.use_case} is there (process {found.pid} on {host})"
