"""Runs the quick starts: Phone1 in one language, Phone2 in another, all pairs. Each must print 42.

Phone2 calls a function of Phone1, so all pairs show that each language calls each other one, in both directions.
A language is left out only by name: --without kotlin.

Usage: quickstarts.py [--without LANGUAGE]...
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 60  # seconds for one Phone2; it needs milliseconds, and a JVM a second
JVM = ROOT / "_build" / "jvm"


def kotlin(phone: str) -> list[str]:
    """Return the command for a compiled Kotlin example."""
    classpath = [JVM / "maven" / "classes", *sorted((JVM / "maven" / "lib").glob("*.jar"))]
    return [
        "java",
        f"-Djava.library.path={JVM / 'lib'}",
        "-cp",
        os.pathsep.join(map(str, classpath)),
        f"{phone.capitalize()}Kt",
    ]


def command(language: str, phone: str) -> list[str]:
    """Return how to run a phone."""
    return {
        "python": lambda: [sys.executable, str(ROOT / "examples/python" / f"{phone}.py")],
        "go": lambda: [str(ROOT / "build/examples/go" / phone)],
        "c": lambda: [str(ROOT / "build/examples/c" / phone)],
        "cpp": lambda: [str(ROOT / "build/examples/cpp" / phone)],
        "kotlin": lambda: kotlin(phone),
    }[language]()


def ask(server: str, client: str) -> str:
    """Return what Phone2 in one language prints while Phone1 runs in another, or what went wrong."""
    with subprocess.Popen(command(server, "phone1"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as phone1:
        try:
            done = subprocess.run(
                command(client, "phone2"), check=False, capture_output=True, text=True, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {TIMEOUT} s"
        finally:
            phone1.kill()
    return done.stdout.strip() if done.returncode == 0 else f"exit {done.returncode}: {done.stderr.strip()}"


def main() -> int:
    """Run all pairs and count."""
    languages = ["python", "go", "c", "cpp", "kotlin"]
    parser = argparse.ArgumentParser()
    parser.add_argument("--without", action="append", default=[], choices=languages)
    without = parser.parse_args().without
    pairs = list(itertools.product([lang for lang in languages if lang not in without], repeat=2))
    failed = 0
    for server, client in pairs:
        answer = ask(server, client)
        good = answer.split()[-1:] == ["42"]
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} Phone1 in {server}, Phone2 in {client}: {answer}", flush=True)
    print(f"{len(pairs) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
