"""What anybody on the network can send: our nodes must answer the next call as if nothing had been."""

import json
import random
import re

import pytest

import lab
from driver import GO, OURS, REAL, ROOT, Cast

GOLDEN = ROOT / "core" / "internal" / "legacy" / "testdata" / "golden"
MUTATIONS = 10_000
BATCH = 50  # datagrams between two calls: more would overrun the socket's buffer, and test nothing
SEED = 1_1_1
MAX_UDP = 65507  # bytes of payload in IPv4
MORE_MEMORY, MORE_THREADS = 48, 24  # MB; 16 threads of Python's pool and a few of Go's

KILLERS = {
    "number": b"1",
    "array": b"[]",
    "null": b"null",
    "string": b'"x"',
    "nothing": b"",
    "deep": b"[" * 60_000,
    "deep object": b'{"a":' * 12_000,
    "deep argument": b'{"type":"request","id":"1","rpc":"echo","args":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep id": b'{"type":"request","id":' + b"[" * 400 + b"]" * 400 + b',"rpc":"echo","args":[1]}',
    "channel id object": b'{"type":"channel_data","channel_id":{}}',
    "channel id array": b'{"type":"channel_data","channel_id":[]}',
    "infinite seq": b'{"type":"channel_data","channel_id":"x","seq":Infinity}',
    "huge integer": b'{"type":"request","id":1,"rpc":"echo","args":[' + b"9" * 60_000 + b"]}",
    "huge exponent": b'{"type":"request","id":1,"rpc":"echo","args":[1e999999999]}',
    "huge id": json.dumps({"type": "request", "id": "i" * 60_000, "rpc": "add", "args": [1, 2]}).encode(),
    "long function": json.dumps({"type": "request", "id": 1, "rpc": "f" * 60_000}).encode(),
    "large call": json.dumps({"type": "request", "id": 1, "rpc": "echo", "args": ["x" * 60_000]}).encode(),
    "args number": b'{"type":"request","id":1,"rpc":"echo","args":1}',
    "kwargs null": b'{"type":"request","id":1,"rpc":"echo","args":[1],"kwargs":null}',
    "types": b'{"type":{},"id":[],"src":{},"dst":1,"rpc":[],"args":{},"kwargs":[]}',
    "many keys": json.dumps({str(i): i for i in range(4000)}).encode(),
    "duplicate keys": b"{" + b'"a":1,' * 9000 + b'"a":1}',
    "answer to nobody": b'{"type":"response","id":"x","result":1}',
    "not utf-8": b'{"type":"request","rpc":"\xff\xfe"}',
    "mark": b'\xef\xbb\xbf{"type":"request","id":1,"rpc":"echo","args":[1]}',
    "zeroes": bytes(MAX_UDP),
    "random": random.Random(SEED).randbytes(MAX_UDP),
}


class Target:
    """A node, and a socket on its host that talks to it."""

    def __init__(self, node, sock):
        self.node, self.sock = node, sock
        self.addr = ("127.0.0.1", node.info["port"])
        self.answers = []
        self._calls = 0
        sock.settimeout(1)

    def send(self, datagram):
        """Send bytes as they are."""
        self.sock.sendto(datagram, self.addr)

    def answers_calls(self):
        """Whether it does. A datagram may be lost when the buffer is full, so ask again."""
        for _ in range(5):
            self._calls += 1
            call = f"call-{self._calls}"
            self.send(json.dumps({"type": "request", "id": call, "rpc": "add", "args": [25, 17]}).encode())
            if self._result(call) == 42:
                return True
        return False

    def _result(self, call):
        """The result of one call; other answers are put aside."""
        try:
            while True:
                text = self.sock.recv(65535)
                answer = json.loads(text)
                if isinstance(answer, dict) and answer.get("id") == call:
                    return answer.get("result")
                self.answers.append((text, answer))
        except TimeoutError:
            return None


@pytest.fixture(scope="module")
def targets(programs):
    """One node of ours in each language, and one of 1.1.1 that knows both and must survive."""
    with lab.lan(1) as (host,), Cast(programs) as cast:
        nodes = {kind: cast.node(host, kind, f"{kind} target") for kind in (OURS, GO)}
        bystander = cast.node(host, REAL, "bystander")
        for node in (*nodes.values(), bystander):
            node.ready()
        made = {kind: Target(node, host.udp_socket()) for kind, node in nodes.items()}
        for target in made.values():
            target.bystander = bystander
        yield made
        for target in made.values():
            target.sock.close()


@pytest.fixture(params=[OURS, GO])
def target(request, targets):
    """A node that works before and after the test, and has not grown by it."""
    target = targets[request.param]
    assert target.answers_calls()
    memory, threads = target.node.usage()
    yield target
    assert target.answers_calls()
    after = target.node.usage()
    assert after[0] - memory < MORE_MEMORY, f"{memory} MB before, {after[0]} MB after"
    assert after[1] - threads < MORE_THREADS, f"{threads} threads before, {after[1]} after"


def check(answers):
    """Whatever we answer, 1.1.1 must survive it, since the sender's address may be forged: an object, not deep."""
    for text, answer in answers:
        assert isinstance(answer, dict), text
        assert answer["type"] in ("response", "error"), text
        assert max(map(len, re.findall(rb"[\[{]+", text)), default=0) < 500, text
    answers.clear()


@pytest.mark.parametrize("killer", KILLERS)
def test_killer(target, killer):
    target.send(KILLERS[killer])
    assert target.answers_calls()
    check(target.answers)


def test_killers_in_a_burst(target):
    for _ in range(20):
        for datagram in KILLERS.values():
            target.send(datagram)
        assert target.answers_calls()
    check(target.answers)


def test_mutations(target):
    rng = random.Random(SEED)
    seeds = golden()
    for i in range(MUTATIONS):
        target.send(mutated(rng, rng.choice(seeds)))
        if i % BATCH == 0:
            assert target.answers_calls(), f"datagram {i} of seed {SEED}"
    assert target.answers_calls()
    assert len(target.answers) > MUTATIONS / 20, "so few are still requests that this tests nothing"
    check(target.answers)


def test_bystander_survived(targets):
    """Real nodes that know the nodes attacked were sent nothing that harms, and call them as ever."""
    for target in targets.values():
        assert target.bystander.do("answers_itself")
        assert target.bystander.call(target.node.name, "add", 25, 17) == 42


def test_the_real_one_does_not_survive(programs):
    """A control: what looks for a dead receive thread finds one."""
    with lab.only_loopback() as (host,), Cast(programs) as cast:
        node = cast.node(host, REAL, "victim").ready()
        assert node.do("answers_itself")
        with host.udp_socket() as sock:
            sock.sendto(KILLERS["array"], ("127.0.0.1", node.info["port"]))
        assert not node.do("answers_itself")
        node.kill()


def golden():
    """The datagrams of 1.1.1 that are kept for the tests of the core."""
    files = sorted([*GOLDEN.glob("rpc-*.hex"), *GOLDEN.glob("ch-*.hex")])
    assert len(files) > 20, GOLDEN
    seeds = [bytes.fromhex("".join(f.read_text().split())) for f in files]
    return seeds + 8 * [s for s in seeds if b'"request"' in s]  # most are answers, which our node is not waiting for


def mutated(rng, datagram):
    """One to four changes: of tokens, after which it may still be a request, or of bytes, after which it seldom is."""
    change = rng.choice((replaced_token, changed_bytes))
    data = bytearray(datagram)
    for _ in range(rng.randint(1, 4)):
        data = change(rng, data)
    return bytes(data[:MAX_UDP])


def changed_bytes(rng, data):
    """Overwrite, remove, repeat, insert or cut off."""
    at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    match rng.randrange(5):
        case 0:
            return data[:at] + rng.randbytes(1) + data[at + 1 :]
        case 1:
            return data[:at] + data[to:]
        case 2:
            return data[:to] + data[at:]
        case 3:
            return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]
        case _:
            return data[:at]


TOKENS = [b"null", b"1", b"-1", b"1e400", b"NaN", b"Infinity", b"[]", b"{}", b'""', b'"request"', b'"\\ud800"',
          b"[[[[[[]]]]]]", b"9" * 5000, b"true", b'{"type": "request"}']  # fmt: skip


SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*|null|true|false|\[\]|\{\}')


def replaced_token(rng, data):
    """Put another value in the place of one that is no container: of those little would be left."""
    values = [found for found in SCALAR.finditer(bytes(data)) if not found[1]]  # else it is a key
    if not values:
        return data
    chosen = rng.choice(values)
    return data[: chosen.start()] + rng.choice(TOKENS) + data[chosen.end() :]
