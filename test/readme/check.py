"""Checks the README: its code is that of the examples, and the examples do what it says.

A code block that is an example has a line before it that names the file:

    <!-- examples/python/phone1.py -->
    ```python

Usage: check.py README.md
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

MAX_LINES = 150
BLOCK = re.compile(r"^<!-- (?P<file>examples/\S+) -->\n```\w*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def shown(text: str) -> dict[str, str]:
    """Return the code blocks of the README by the file they show."""
    return {m["file"]: m["code"] for m in BLOCK.finditer(text)}


def complaints(readme: Path) -> list[str]:
    """Return what is wrong with the README."""
    text = readme.read_text(encoding="utf-8")
    blocks = shown(text)
    out = [
        f"{name} in the README differs from the file"
        for name, code in blocks.items()
        if not (readme.parent / name).is_file() or (readme.parent / name).read_text(encoding="utf-8") != code
    ]
    languages = {name.split("/")[1] for name in blocks}
    out += [f"no example in {lang}" for lang in sorted({"python", "go", "c", "kotlin"} - languages)]
    if text.count("\n") >= MAX_LINES:
        out.append(f"{text.count(chr(10))} lines, {MAX_LINES} are too many")
    return out


if __name__ == "__main__":
    problems = complaints(Path(sys.argv[1]))
    for problem in problems:
        print(f"README: {problem}")
    sys.exit(bool(problems))
