"""The two programs of the README of 1.1.1, as they stand, under both implementations."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import lab
from driver import OURS, REAL, Program, eventually

AT_ONCE = 4  # pairs of programs: each program begins with a second of imports

PAIRS = [
    pytest.param(hosts, server, client, id=f"{server} server, {client} client, {hosts} host{'s' * (hosts - 1)}")
    for hosts in (1, 2)
    for server in (OURS, REAL)
    for client in (OURS, REAL)
]


@pytest.fixture(scope="module")
def blocks(programs):
    """The server and the client, out of the metadata of the real wheel."""
    read = "import importlib.metadata as m; d = m.metadata('peerlink'); print(d.get_payload() or d['Description'])"
    readme = subprocess.run([programs.real, "-X", "utf8", "-c", read], capture_output=True, check=True).stdout.decode()
    return block_under(readme, "Phone1 (server)"), block_under(readme, "Phone2 (client)")


def block_under(readme, heading):
    """The first Python block after a heading."""
    found = re.search(rf"^#+ {re.escape(heading)}\s*$.*?^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no {heading}"
    return found[1]


@pytest.fixture(scope="module")
def results(programs, blocks):
    """What all pairs did, run a few at once, each on a network of its own."""

    def run(pair):
        hosts, server, client = pair.values
        with lab.lan(hosts) as made:
            return run_pair(programs, blocks, (made[0], server), (made[-1], client))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {pair.values: future for pair, future in [(p, pool.submit(run, p)) for p in PAIRS]}


def run_pair(programs, blocks, server, client):
    """Run the server until the client has ended."""
    serving = Program(programs, *server, blocks[0])
    try:
        assert eventually(lambda: "Phone1 ready" in serving.output(), 20), serving.output()
        calling = Program(programs, *client, blocks[1])
        try:
            code = calling.process.wait(30)
        finally:
            calling.end()
        return code, calling.output(), serving.process.poll(), serving.output()
    finally:
        serving.end()


@pytest.mark.parametrize(("hosts", "server", "client"), PAIRS)
def test_quick_start(results, hosts, server, client):
    code, printed, server_code, served = results[hosts, server, client].result(120)
    assert "42" in printed.splitlines(), f"client:\n{printed}\nserver:\n{served}"
    assert code == 0, printed
    assert server_code is None, f"the server ended:\n{served}"
    assert "Traceback" not in printed + served
