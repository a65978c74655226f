"""The drivers in Java, compiled once for a module of tests."""

import subprocess
from pathlib import Path

SOURCES = Path(__file__).with_name("java")
# The manifests of the distribution's jars name all others.
LIBRARIES = ("/usr/share/java/jaxws-tools.jar", "/usr/share/java/jaxws-rt.jar")
# What runs for seconds is not worth optimising; what is said is compared, so it is said in English.
BRIEF = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Duser.language=en", "-Dfile.encoding=UTF-8")


class Java:
    """A folder of classes; those made of contracts are put there too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.classes = ":".join([str(folder), *LIBRARIES])
        compiler = ("javac", *(f"-J{option}" for option in BRIEF), "-encoding", "UTF-8", "-d", str(folder))
        self.run(*compiler, "-cp", self.classes, *map(str, sorted(SOURCES.glob("*.java"))))

    def program(self, name: str) -> tuple[str, ...]:
        """The command that starts a class."""
        return "java", *BRIEF, "-cp", self.classes, name

    def run(self, *command: str) -> str:
        """Run a command to its end; return what it printed."""
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=150, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
