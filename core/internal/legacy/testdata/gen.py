"""Makes the tables of what CPython's json module does, next to this file.

floats.txt    a line each: the bits of a float64 in hex, then json.dumps of it
loads.txt     a line each: a text in hex, then json.dumps(json.loads(text)), or
              "-" if it is refused

Run with CPython 3.11 or later; the seed is fixed, so the tables come out the
same.
"""

import json
import pathlib
import random
import struct
import sys

HERE = pathlib.Path(__file__).parent
sys.setrecursionlimit(20000)
rnd = random.Random(1111)


def floats():
    values = [0.0, -0.0, 1.0, -1.0, 0.1, 1e300, 1e22, 1e16, 1e15, 5e-324, 2.2250738585072014e-308]
    values += [123456789012345.0, 9999999999999998.0, 9007199254740993.0, 1.7976931348623157e308]
    values += [float("nan"), float("inf"), float("-inf"), 1 / 3, 2.5, 1e-4, 1e-5, 9.999999999999999e-05]
    for e in range(-20, 25):
        for m in (1.0, 1.5, 9.99999999999, rnd.uniform(1, 10)):
            values.append(float(f"{m}e{e}"))
    for _ in range(1500):
        values.append(struct.unpack(">d", rnd.randbytes(8))[0])
    for _ in range(300):
        values.append(rnd.uniform(-1000, 1000))
        values.append(float(rnd.randrange(1 << rnd.randrange(1, 70))))
    for _ in range(200):
        values.append(struct.unpack(">f", rnd.randbytes(4))[0])
    return values


CHARS = 'ab"\\/\b\f\n\r\t\x00\x1f\x7f \u00e9\u2028\u20ac\ud7ff\ue000\ufffd\uffff\U0001f600\U0010ffff\ud800\udc00\udbff\udfff'


def text():
    return "".join(rnd.choice(CHARS) for _ in range(rnd.randrange(8)))


def integer():
    return rnd.choice([0, 1, -1, 23, 24, 255, 256, 65536, rnd.getrandbits(rnd.randrange(1, 200))]) * rnd.choice([1, -1])


def scalar():
    return rnd.choice([text, integer, rnd.random, lambda: rnd.choice([None, True, False, 1.0, -0.0])])()


def value(depth=0):
    kind = rnd.randrange(4, 6) if depth == 0 else rnd.randrange(6 if depth < 4 else 4)
    if kind < 4:
        return scalar()
    if kind == 4:
        return [value(depth + 1) for _ in range(rnd.randrange(5))]
    return {text(): value(depth + 1) for _ in range(rnd.randrange(5))}


TOKENS = ["{", "}", "[", "]", ",", ":", " ", "\n", '"', '"a"', '"b"', '"\\u0061"', "1", "-1", "0", "-0", "-", "1.5", "1e5"]
TOKENS += ["1E+05", ".5", "1.", "01", "true", "false", "null", "NaN", "Infinity", "-Infinity", "nan", "1e400", "-1e400"]
TOKENS += ['"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00\\ud83d"', '"\\uD83D\\uDE00"', '"\\u12"', '"\\x"', '"\t"', "\ufeff", "\u00a0", "\f"]
# Whole texts: most of them traps that other readers fall into.
FIXED = """
| [] | {} | [ ] | { } | [1,] | {"a":1,} | [,1] | {"a"} | {"a":} | {1:2} | {"a":1 "b":2} | 1 2 | [1 2] | "a"b | tru | truE | nullx
| 01 | -01 | 1. | .1 | 1e | 1e+ | +1 | - | -- 1 | 0x10 | 1_000 | Inf | -NaN | Infinit | -Infinity | [NaN,Infinity,-Infinity] | 1e400 | -1e400
| 1e-400 | -1e-400 | 0.0 | -0.0 | -0 | 0e5 | 1E5 | 1e5 | 1e16 | 123456789012345678 | 1180591620717411303424 | -18446744073709551616
| -18446744073709551617 | 18446744073709551615 | 18446744073709551616 | 9223372036854775808 | -9223372036854775809 | 99999999999999999999
| {"a":1,"a":2} | {"a":1,"b":2,"a":3} | {"a":1,"\\u0061":2} | {"a":{"x":1,"x":2},"a":[{"x":3,"x":4}]} | {"":1} | "\\/" | "\\u0000"
| "\\ud83d\\ude00" | "\\ud83d" | "\\ude00" | "\\ud83dx" | "\\ud83d\\ud83d\\ude00" | "\\uD83d\\uDe00" | "\\u00e9" | "\\u 123" | "\\u+123"
| "\\ud83d\\u12" | "\\u123g" | "\\a" | "\\ | "\\" | "a | " | ' | 'a' | // | [1]// | {"a":1}x | NaN1 | [[[]]] | "\u007f" | "\u00e9\u20ac\U0001f600"
"""


def texts():
    for t in FIXED.split("|"):
        yield t.strip("\n").encode()
    yield b"\xef\xbb\xbf{}"
    for bad in (b'"\xff"', b'"\xc3"', b'"\xc0\x80"', b'"\xf4\x90\x80\x80"', b"\xff", b'{"\xe9":1}'):
        yield bad
    yield b"9" * 4300
    yield b"-" + b"9" * 4300
    yield b"9" * 4301
    yield b"1." + b"9" * 5000
    yield b"[" * 512 + b"]" * 512
    yield b'{"a":' * 511 + b"1.0" + b"}" * 511
    yield ("{" + ", ".join(f'"k{i % 37}": {i}' for i in range(80)) + "}").encode()
    yield ("[" + ",".join(str(i) for i in range(300)) + "]").encode()
    for _ in range(700):
        v = value()
        yield json.dumps(v).encode()
        raw = json.dumps(v, ensure_ascii=False, separators=(",", ":"))
        if not any("\ud800" <= c <= "\udfff" for c in raw):
            yield raw.encode()
    for _ in range(1500):
        yield "".join(rnd.choice(TOKENS) for _ in range(rnd.randrange(1, 7))).encode()
    for _ in range(800):
        b = bytearray(json.dumps(value()).encode())
        for _ in range(rnd.randrange(1, 3)):
            i = rnd.randrange(len(b))
            b[i : i + rnd.randrange(2)] = rnd.choice([b"", b'"', b"\\", b"{", b"]", b",", b":", b"e", b".", b"-", b"0", b"\x01", b"\xed"])
            if not b:
                break
        yield bytes(b)


def reread(t):
    try:
        return json.dumps(json.loads(t.decode("utf-8")))
    except (ValueError, RecursionError):
        return "-"


with open(HERE / "floats.txt", "w", encoding="ascii") as f:
    for v in floats():
        print(struct.pack(">d", v).hex(), json.dumps(v), file=f)

with open(HERE / "loads.txt", "w", encoding="ascii") as f:
    for t in dict.fromkeys(texts()):
        print(t.hex() or ".", reread(t), file=f)
