from __future__ import annotations

import math

import pytest

from peerlink._codec import decode_arguments, decode_result, encode_arguments, encode_result


def test_arguments_are_an_array_and_perhaps_an_object() -> None:
    assert encode_arguments((25, 17), {}) == b"[25, 17]"
    assert encode_arguments((25, 17), {"scale": 2}) == b'[25, 17]{"scale": 2}'
    assert encode_arguments((), {}) == b"[]"


@pytest.mark.parametrize(
    ("payload", "args", "kwargs"),
    [
        (b"[25, 17]", [25, 17], {}),
        (b'[25,17]{"scale":2}', [25, 17], {"scale": 2}),
        (b' [1]\n {"a": null} ', [1], {"a": None}),
        (b'"abc"', "abc", {}),
        (b"[]null", [], None),
        ('["é😀"]'.encode(), ["é😀"], {}),
    ],
)
def test_decode_arguments(payload: bytes, args: object, kwargs: object) -> None:
    assert decode_arguments(payload) == (args, kwargs)


@pytest.mark.parametrize("payload", [b"", b"[1", b"[1]{}{}", b"[1]x", b"\xff"])
def test_decode_arguments_refuses(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_arguments(payload)


def test_everything_json_dumps_can_write_comes_back() -> None:
    value = {"a": [1, 1.0, -0.0, 2**70, "\ud800", "é", "😀", None, True, math.inf, -math.inf], "1": {}}
    back = decode_result(encode_result(value))
    assert back == value
    assert [type(x) for x in back["a"]] == [type(x) for x in value["a"]]
    assert math.isnan(decode_result(encode_result(math.nan)))


def test_encoding_is_that_of_json_dumps() -> None:
    assert encode_result({1: "é", None: (1, 2)}) == b'{"1": "\\u00e9", "null": [1, 2]}'
    with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
        encode_result({1})


def test_no_result_is_none() -> None:
    assert decode_result(b"") is None
