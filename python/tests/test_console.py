from __future__ import annotations

import io
import re

import pytest

from peerlink._console import emit, say


def test_what_the_stream_cannot_encode_is_replaced() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "cp1252", newline="\n")
    emit("🚀 Node-é", stream)
    stream.seek(0)
    assert stream.read() == "? Node-é\n"


def test_streams_that_are_gone_swallow_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    emit("x", closed)
    monkeypatch.setattr("sys.stdout", None)
    emit("x")


def test_surrogates_do_not_raise() -> None:
    emit("\ud800", io.TextIOWrapper(io.BytesIO(), "utf-8"))


def test_say_has_the_form_of_old(capsys: pytest.CaptureFixture[str]) -> None:
    say("Phone1", "hello")
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\]\[PeerLink:Phone1\] hello\n", capsys.readouterr().out)
