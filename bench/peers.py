"""The rivals: what a team would write itself in an afternoon, started in production mode, logging off, WSDL cached.

None of them authenticates, limits, signs, verifies or records anything.
"""

from __future__ import annotations

import getpass
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.gateways import http_question
from bench.processes import start
from sandbox.ports import free_port

_HERE: Final = Path(__file__).parent / "rivals"
_WSDL: Final = Path(__file__).parent.parent / "schemas" / "wsdl" / "tax.wsdl"
_NODE: Final = Path(sys.prefix) / "bench-node"
_ASKING: Final = {"Content-Type": "application/json", "Accept": "application/json"}


class Absent(Exception):
    """A rival cannot be started on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where rivals run: a directory for their files, the stack that ends them, their cores, the source they ask."""

    directory: Path
    stack: ExitStack
    cores: Iterable[int]
    endpoint: str

    @property
    def wsdl(self) -> Path:
        """The contract with the address of the source in place of the published one."""
        path = self.directory / "tax.wsdl"
        text = _WSDL.read_text(encoding="utf-8")
        path.write_text(text.replace("http://localhost/thue", self.endpoint), encoding="utf-8")
        return path


@dataclass(frozen=True, slots=True)
class Rival:
    """A rival at work: the processes that it consists of (with their descendants) and its port."""

    pids: tuple[int, ...]
    port: int

    def question(self) -> bytes:
        """Return the whole HTTP request."""
        return http_question(self.port, "/taxpayer", _ASKING)


def flask_zeep(place: Place) -> Rival:
    """Flask and zeep under gunicorn, one synchronous worker."""
    if shutil.which("gunicorn", path=str(Path(sys.executable).parent)) is None:
        raise Absent("gunicorn is not installed: requirements/bench.txt")
    port = free_port()
    process = start(
        [sys.executable, "-m", "gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}", "flask_zeep:app"],
        place.stack,
        place.directory / "flask.log",
        cores=place.cores,
        env={"WSDL": str(place.wsdl), "ENDPOINT": place.endpoint},
        cwd=_HERE,
    )
    return Rival((process.pid,), port)


def node_soap(place: Place) -> Rival:
    """node `soap` and fastify."""
    node = shutil.which("node")
    if node is None or not (_NODE / "node_modules" / "soap").is_dir():
        raise Absent(f"node or its packages are not installed: npm ci in {_NODE.name}")
    # Modules are looked for beside the script.
    script = shutil.copy(_HERE / "node" / "server.js", _NODE)
    port = free_port()
    process = start(
        [node, str(script), str(place.wsdl), place.endpoint, str(port)],
        place.stack,
        place.directory / "node.log",
        cores=place.cores,
        env={"NODE_ENV": "production"},
    )
    return Rival((process.pid,), port)


_FPM = """\
[global]
daemonize = no
error_log = {directory}/fpm.log
log_level = warning
[www]
user = {user}
listen = {directory}/fpm.sock
listen.mode = 0600
pm = static
pm.max_children = 4
php_admin_value[soap.wsdl_cache_enabled] = 1
php_admin_value[soap.wsdl_cache_dir] = {directory}
php_admin_value[soap.wsdl_cache_ttl] = 86400
php_admin_value[opcache.enable] = 1
php_admin_value[opcache.validate_timestamps] = 0
"""

# Connections to the pool are not kept: a child that waits on a kept one takes none of those that queue.
_NGINX = """\
user {user};
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {directory}/body;
  fastcgi_temp_path {directory}/fastcgi;
  proxy_temp_path {directory}/proxy;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = /taxpayer {{
      fastcgi_pass unix:{directory}/fpm.sock;
      fastcgi_param SCRIPT_FILENAME {script};
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param WSDL {wsdl};
      fastcgi_param ENDPOINT {endpoint};
    }}
  }}
}}
"""


def php_soap(place: Place) -> Rival:
    """PHP's SoapClient under php-fpm with four children, behind nginx."""
    fpm = next(iter(sorted(Path("/usr/sbin").glob("php-fpm*"), reverse=True)), None)
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if fpm is None or nginx is None:
        raise Absent("php-fpm or nginx is not installed: packages nginx-light, php-fpm, php-soap")
    if "soap" not in subprocess.run([fpm, "-m"], capture_output=True, text=True, check=False).stdout.split():
        raise Absent("php-fpm has no soap extension: package php-soap")
    directory, user, port = place.directory, getpass.getuser(), free_port()
    script = shutil.copy(_HERE / "php" / "taxpayer.php", directory)
    names = {"directory": directory, "user": user, "port": port, "script": script, "wsdl": place.wsdl}
    (directory / "fpm.conf").write_text(_FPM.format(**names))
    (directory / "nginx.conf").write_text(_NGINX.format(**names, endpoint=place.endpoint))
    log = directory / "php.log"
    pool = start([str(fpm), "-R", "-F", "-y", f"{directory}/fpm.conf"], place.stack, log, cores=place.cores)
    front = start(
        [nginx, "-p", str(directory), "-e", f"{directory}/nginx.log", "-c", f"{directory}/nginx.conf"],
        place.stack,
        log,
        cores=place.cores,
    )
    return Rival((front.pid, pool.pid), port)


RIVALS: Final[dict[str, Callable[[Place], Rival]]] = {
    "node_soap": node_soap,
    "php_soap": php_soap,
    "flask_zeep": flask_zeep,
}


def versions() -> dict[str, str]:
    """Return what the rivals are made of, as far as it is there."""
    found = {name: version(name) for name in ("flask", "gunicorn", "zeep") if _has(name)}
    for name, command, word in (("node", ["node", "-v"], 0), ("php", ["php", "-v"], 1), ("nginx", ["nginx", "-v"], 2)):
        path = shutil.which(command[0], path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/node/bin")
        if path is not None:
            said = subprocess.run([path, command[1]], capture_output=True, text=True, check=False)
            words = (said.stdout or said.stderr).split()
            found[name] = words[word].removeprefix("nginx/").removeprefix("v") if len(words) > word else "unknown"

    for name in ("soap", "fastify"):
        about = _NODE / "node_modules" / name / "package.json"
        if about.exists():
            found[name] = json.loads(about.read_text(encoding="utf-8"))["version"]
    return found


def _has(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True
