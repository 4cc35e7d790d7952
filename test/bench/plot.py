"""Draw what was measured: plot.py FILE.json DIRECTORY [svg|png]. The name of the file says what it is."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "figure.facecolor": "white",  # readable on dark pages too
    "svg.fonttype": "none",  # text stays text: small and selectable
    "svg.hashsalt": "peerlink",  # the same data gives the same file
}
DARK, LIGHT = "#1f4e79", "#9dc3e6"
BAR = 0.38
Y_PER_ROW = 0.62  # inch


def figure(rows: int) -> tuple[Any, Any]:
    return plt.subplots(figsize=(7.6, 1.3 + Y_PER_ROW * rows), layout="constrained")


def pairs_of_bars(axes: Any, rows: list[dict[str, Any]], bars: list[tuple[str, str, list[float]]]) -> None:
    """Two horizontal bars for each row, each with its value written at its end."""
    for offset, (label, colour, values) in zip((BAR / 2, -BAR / 2), bars, strict=True):
        at = [len(rows) - 1 - i + offset for i in range(len(rows))]
        drawn = axes.barh(at, values, BAR * 0.94, color=colour, label=label)
        axes.bar_label(drawn, [short(v) for v in values], padding=3, fontsize=8.5)
    axes.set_yticks(range(len(rows) - 1, -1, -1), [row["label"] for row in rows])
    axes.set_xscale("log")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.xaxis.set_major_formatter(lambda x, _: short(x))
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.27 / len(rows) ** 0.5), ncols=2)


def short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}".replace(",", "\u2009")
    return f"{value:.3g}"


def with_room(axes: Any, values: list[float]) -> None:
    """Begin a decade's part below the least, and leave room for the numbers."""
    axes.set_xlim(min(values) / 2.5, max(values) * 2.2)


def latency(data: dict[str, Any]) -> Any:
    rows = data["rows"]
    fig, axes = figure(len(rows))
    p50, p99 = [r["p50_us"] for r in rows], [r["p99_us"] for r in rows]
    pairs_of_bars(axes, rows, [("p50", DARK, p50), ("p99", LIGHT, p99)])
    with_room(axes, p50 + p99)
    axes.set_title("Round trip of a 64-byte echo, both ends on one CPU")
    axes.set_xlabel("µs, logarithmic; less is better")
    return fig


def throughput(data: dict[str, Any]) -> Any:
    rows = data["rows"]
    fig, axes = figure(len(rows))
    one, many = [r["calls_per_s"] for r in rows], [r["calls_per_s_of16"] for r in rows]
    pairs_of_bars(axes, rows, [("one after the other, one CPU", DARK, one), ("16 in flight, all CPUs", LIGHT, many)])
    with_room(axes, one + many)
    axes.set_title("64-byte echoes per second")
    axes.set_xlabel("calls/s, logarithmic; more is better")
    return fig


def discovery(data: dict[str, Any]) -> Any:
    rows = [r for r in data["rows"] if r["joiner_sees_ms"]]
    fig, axes = figure(len(rows))
    sees, seen = ([statistics.median(r[key]) for r in rows] for key in ("joiner_sees_ms", "joiner_is_seen_ms"))
    bars = [("the new node sees the other", DARK, sees), ("the other sees it", LIGHT, seen)]
    pairs_of_bars(axes, rows, bars)
    with_room(axes, sees + seen)
    axes.set_title(f"From start to seeing each other, median of {data['starts']} starts")
    axes.set_xlabel("ms, logarithmic; less is better")
    return fig


PLOTS = {"rpc": {"latency": latency, "calls": throughput}, "discovery": {"discovery": discovery}}


def main(source: Path, target: Path, kind: str = "svg") -> None:
    plt.rcParams.update(STYLE)
    target.mkdir(parents=True, exist_ok=True)
    data = json.loads(source.read_text())
    metadata = {"Date": None} if kind == "svg" else None
    for name, draw in PLOTS[source.stem].items():
        draw(data).savefig(target / f"{name}.{kind}", metadata=metadata, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
