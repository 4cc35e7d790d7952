"""Draw what was measured: plot.py FILE.json DIRECTORY [svg|png]. The name of the file says what it is."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable
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


def pairs_of_bars(
    axes: Any,
    labels: list[str],
    bars: list[tuple[str, str, list[float]]],
    write: Callable[[float], str] | None = None,
) -> None:
    """Two horizontal bars for each row, each with its value written at its end."""
    write = write or short
    for offset, (label, colour, values) in zip((BAR / 2, -BAR / 2), bars, strict=True):
        at = [len(labels) - 1 - i + offset for i in range(len(labels))]
        drawn = axes.barh(at, values, BAR * 0.94, color=colour, label=label)
        axes.bar_label(drawn, ["" if math.isnan(v) else write(v) for v in values], padding=3, fontsize=8.5)
    axes.set_yticks(range(len(labels) - 1, -1, -1), labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.figure.legend(frameon=False, loc="outside lower center", ncols=2)


def short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}".replace(",", "\u2009")
    return f"{value:.3g}"


def logarithmic(axes: Any, values: list[float]) -> None:
    """Begin a decade's part below the least, and leave room for the numbers."""
    there = [v for v in values if not math.isnan(v)] or [1]
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: short(x))
    axes.set_xlim(min(there) / 2.5, max(there) * 2.2)


def labels_of(rows: list[dict[str, Any]]) -> list[str]:
    return [row["label"] for row in rows]


def latency(data: dict[str, Any]) -> Any:
    rows = data["rows"]
    floor = next(row for row in rows if row["key"] == "udp")
    fig, axes = figure(len(rows))
    p50, p99 = ([row[key] / floor[key] for row in rows] for key in ("p50_us", "p99_us"))
    pairs_of_bars(axes, labels_of(rows), [("p50", DARK, p50), ("p99", LIGHT, p99)], write="{:.2f}".format)
    axes.set_xlim(0, max(p50 + p99) * 1.1)
    axes.axvline(1, color="#999999", linewidth=0.8, linestyle=":")
    axes.set_title("Round trip of a 64-byte echo, both ends on one CPU")
    absolute = f"p50 {floor['p50_us']:.1f} µs, p99 {floor['p99_us']:.1f} µs"
    axes.set_xlabel(f"times that of bare UDP ({absolute}); less is better")
    return fig


def throughput(data: dict[str, Any]) -> Any:
    rows = data["rows"]
    fig, axes = figure(len(rows))
    one, many = [r["calls_per_s"] for r in rows], [r["calls_per_s_of16"] for r in rows]
    bars = [("one after the other, one CPU", DARK, one), ("16 in flight, all CPUs", LIGHT, many)]
    pairs_of_bars(axes, labels_of(rows), bars)
    logarithmic(axes, one + many)
    axes.set_title("64-byte echoes per second")
    axes.set_xlabel("calls/s, logarithmic; more is better")
    return fig


def results(data: dict[str, Any]) -> Any:
    """One row for each size, one bar for each contestant; what failed has none."""
    rows = data["rows"]
    sizes = sorted({row["bytes"] for row in rows})
    names = list(dict.fromkeys(labels_of(rows)))
    speed = {(row["label"], row["bytes"]): row["mb_per_s"] or math.nan for row in rows}
    values = [[speed[name, size] for size in sizes] for name in names]
    fig, axes = figure(len(sizes))
    legend = [name + (" (fails)" if all(map(math.isnan, v)) else "") for name, v in zip(names, values, strict=True)]
    pairs_of_bars(axes, [binary(size) for size in sizes], list(zip(legend, (DARK, LIGHT), values, strict=True)))
    logarithmic(axes, [v for row in values for v in row])
    axes.set_title("Results of a size, one after the other")
    axes.set_xlabel("MB/s, logarithmic; more is better")
    return fig


def binary(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def discovery(data: dict[str, Any]) -> Any:
    rows = [r for r in data["rows"] if r["joiner_sees_ms"]]
    fig, axes = figure(len(rows))
    sees, seen = ([statistics.median(r[key]) for r in rows] for key in ("joiner_sees_ms", "joiner_is_seen_ms"))
    bars = [("the new node sees the other", DARK, sees), ("the other sees it", LIGHT, seen)]
    pairs_of_bars(axes, labels_of(rows), bars)
    logarithmic(axes, sees + seen)
    axes.set_title(f"From start to seeing each other, median of {data['starts']} starts")
    axes.set_xlabel("ms, logarithmic; less is better")
    return fig


PLOTS = {
    "rpc": {"latency": latency, "calls": throughput},
    "results": {"results": results},
    "discovery": {"discovery": discovery},
}


def main(source: Path, target: Path, kind: str = "svg") -> None:
    plt.rcParams.update(STYLE)
    target.mkdir(parents=True, exist_ok=True)
    data = json.loads(source.read_text())
    metadata = {"Date": None} if kind == "svg" else None
    for name, draw in PLOTS.get(source.stem, {}).items():
        draw(data).savefig(target / f"{name}.{kind}", metadata=metadata, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
