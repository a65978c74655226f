"""Real servers for the tests in temporary directories, never in a container: PostgreSQL, Redis, tokens of SoftHSM."""

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

# A user that PostgreSQL agrees to run as: it refuses root.
UNPRIVILEGED = "nobody"


class Postgres:
    """One PostgreSQL cluster."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lgsp-pg-"))
        self._made: set[str] = set()
        self._data = self.folder / "data"
        if os.geteuid() == 0:
            os.chown(self.folder, pwd.getpwnam(UNPRIVILEGED).pw_uid, -1)
        self._run("initdb", "-D", str(self._data), "-U", "lgsp", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        self.start()

    def start(self) -> None:
        """Start and wait until connections are accepted; not crash-safe, since no test is about the server's disk."""
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `immediate` breaks every connection as a crash does."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def fresh(self, name: str = "gateway") -> str:
        """Return the address of an empty database of this name; what an earlier test left in it is gone.

        Emptying one is much cheaper than making one: a new database is hundreds of files.
        """
        if name not in self._made:
            self._sql("postgres", f"CREATE DATABASE {name}")
            self._made.add(name)
        self._sql(
            name,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
        )
        return f"postgresql+asyncpg://lgsp@/{name}?host={self.folder}"

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self.folder)

    def _sql(self, database: str, *statements: str) -> None:
        commands = [part for statement in statements for part in ("-c", statement)]
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-U", "lgsp", database, *commands)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_newest_postgres() / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={UNPRIVILEGED}", "--regid=nogroup", "--clear-groups", *command]
        # A file, not a pipe: the server that pg_ctl starts would keep a pipe open for ever.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(command, cwd="/", stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False)
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read().decode()}")


class Redis:
    """One Redis server without persistence; `options` are more of its own."""

    def __init__(self, *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lgsp-redis-"))
        self.socket = self.folder / "s"
        self.start(*options)

    def start(self, *options: str) -> None:
        """Start and wait until connections are accepted."""
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self.folder), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout is not None
        said = b""
        for line in self._process.stdout:
            said += line
            # "Ready to accept connections" on TCP, "ready to accept connections at ..." on a socket.
            if b"eady to accept connections" in line:
                break
        else:
            raise RuntimeError(f"redis-server did not start: {said.decode()}")
        self._drain = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._drain.start()

    @property
    def url(self) -> str:
        """The address as `redis.url` takes it."""
        return f"unix://{self.socket}"

    def ask(self, *command: str) -> str:
        """Return what the server answers to a command."""
        done = subprocess.run(
            ["redis-cli", "-s", str(self.socket), *command], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def flush(self) -> None:
        """Forget everything."""
        self.ask("flushall")

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End at once, as a crash does; `start` starts it again."""
        self._process.kill()
        self._ended()

    def close(self) -> None:
        """Stop the server and remove its files."""
        self._process.terminate()
        self._ended()
        shutil.rmtree(self.folder)

    def _ended(self) -> None:
        self._process.wait()
        self._drain.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


class SoftHsm:
    """Tokens of SoftHSM, a PKCS#11 module that keeps its keys in files.

    It reads its configuration from the environment of the process when it is started, so there is one for each process.
    """

    PIN = "29-10-1945"
    SO_PIN = "security-officer"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lgsp-hsm-"))
        self.tokens = self.folder / "tokens"
        self.tokens.mkdir()
        self.configuration = self.folder / "softhsm2.conf"
        self.configuration.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        found = [path for path in _SOFTHSM if path.exists()]
        if not found:
            raise RuntimeError("SoftHSM is not installed: `make test` installs it")
        self.module = found[0]
        os.environ["SOFTHSM2_CONF"] = str(self.configuration)

    def token(self, label: str) -> None:
        """Make an empty token of this label."""
        self._run(
            "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", self.PIN, "--so-pin", self.SO_PIN
        )

    def import_key(self, token: str, key: Path, label: str, identifier: str) -> None:
        """Put the private key of a PEM file on a token; `identifier` is hexadecimal."""
        named = ("--label", label, "--id", identifier, "--pin", self.PIN)
        self._run("softhsm2-util", "--import", str(key), "--token", token, *named, "--force")

    def tool(self, token: str, *arguments: str) -> None:
        """Run OpenSC's pkcs11-tool, logged in."""
        logged_in = ("--token-label", token, "--login", "--pin", self.PIN)
        self._run("pkcs11-tool", "--module", str(self.module), *logged_in, *arguments)

    def uri(self, token: str, label: str) -> str:
        """The address of a private key, as `key` takes it."""
        return f"pkcs11:token={token};object={label};type=private?module-path={self.module}"

    def close(self) -> None:
        """Remove all tokens."""
        del os.environ["SOFTHSM2_CONF"]
        shutil.rmtree(self.folder)

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")


_SOFTHSM = [Path(folder, "softhsm", "libsofthsm2.so") for folder in ("/usr/lib", "/usr/local/lib", "/usr/lib64")]


def _newest_postgres() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: `make test` installs it")
    return found[-1].parent
