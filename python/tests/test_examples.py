"""The programs in examples/python. They use the names and the network of the machine, as users do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from peerlink import _lib

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"
ISOLATED = ["unshare", "--user", "--map-root-user", "--net"]

PROGRAM = """
import signal, subprocess, sys
phone1, phone2 = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
one = subprocess.Popen([sys.executable, phone1], stdout=subprocess.DEVNULL)
two = subprocess.run([sys.executable, phone2], stdout=subprocess.PIPE, timeout=30)
one.send_signal(signal.SIGINT)
print(two.returncode, two.stdout.decode().strip(), one.wait(10))
"""


def isolated() -> bool:
    """Whether programs can be run without a network but lo."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*ISOLATED, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="an sdist has no examples")
@pytest.mark.skipif(not isolated(), reason="the examples would announce themselves on the LAN: needs unshare and ip")
def test_quick_start() -> None:
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[1] / "src"), PEERLINK_LIBRARY=_lib.library_path())
    command = [*ISOLATED, sys.executable, "-c", PROGRAM, str(EXAMPLES / "phone1.py"), str(EXAMPLES / "phone2.py")]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["0", "42", "0"], "")
