"""Build hook of hatchling: puts the library, compiled from Go, into the wheel.

``pip install ./python`` needs Go and a C compiler, and makes a wheel for this
machine only. Environment:

PEERLINK_LIBRARY  path of a library that is ready: neither is needed then
PEERLINK_TARGET   a key of TARGETS: a wheel for others to install, compiled by Zig
PEERLINK_ZIG      the command of Zig (default: ``python -m ziglang``)
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Target(NamedTuple):
    """What to give the compilers, and what to call the result."""

    goos: str
    goarch: str
    zig: str
    platform: str
    file: str


TARGETS = {
    "linux-amd64": Target(
        "linux", "amd64", "x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64.manylinux2014_x86_64", "libpeerlink.so"
    ),
    "linux-arm64": Target(
        "linux", "arm64", "aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64.manylinux2014_aarch64", "libpeerlink.so"
    ),
    "windows-amd64": Target("windows", "amd64", "x86_64-windows-gnu", "win_amd64", "peerlink.dll"),
    "windows-arm64": Target("windows", "arm64", "aarch64-windows-gnu", "win_arm64", "peerlink.dll"),
    "darwin-arm64": Target("darwin", "arm64", "aarch64-macos.12.0", "macosx_12_0_arm64", "libpeerlink.dylib"),
    "darwin-amd64": Target("darwin", "amd64", "x86_64-macos.12.0", "macosx_12_0_x86_64", "libpeerlink.dylib"),
}
MACOS = "12.0"  # the oldest that Go supports
HOST_FILE = {"win32": "peerlink.dll", "darwin": "libpeerlink.dylib"}.get(sys.platform, "libpeerlink.so")


class CustomBuildHook(BuildHookInterface[Any]):
    """The hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell hatchling what the wheel is for."""
        if self.target_name != "wheel":
            return
        target = self._target()
        library = self._library(target)
        name = target.file if target else HOST_FILE
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{target.platform if target else host_platform()}"
        if version == "editable":
            installed = Path(self.root, "src", "peerlink", "_lib", name)
            installed.parent.mkdir(exist_ok=True)
            shutil.copy2(library, installed)
        else:
            build_data["force_include"][str(library)] = f"peerlink/_lib/{name}"

    def _target(self) -> Target | None:
        key = os.environ.get("PEERLINK_TARGET")
        if not key:
            return None
        if key not in TARGETS:
            fail(f"PEERLINK_TARGET={key} is none of {', '.join(TARGETS)}")
        return TARGETS[key]

    def _library(self, target: Target | None) -> Path:
        if ready := os.environ.get("PEERLINK_LIBRARY"):
            path = Path(ready)
            if not path.is_file():
                fail(f"PEERLINK_LIBRARY={ready} is no file")
            return path
        if target is None and "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
            fail("this Python is for musl (Alpine), where Go libraries cannot be loaded (go.dev/issue/54805)")
        path = Path(self.root, "build", target.platform if target else "host", target.file if target else HOST_FILE)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._compile(target, path)
        return path

    def _compile(self, target: Target | None, path: Path) -> None:
        source = self._source()
        go = shutil.which("go")
        if go is None:
            fail("to build from source, Go is needed, and 'go' is not in PATH: get it from https://go.dev/dl")
        if target is None and sys.platform != "win32" and shutil.which(compiler := c_compiler(go)) is None:
            fail(f"to build from source, a C compiler is needed, and '{compiler}' is not in PATH: install gcc or clang")
        command = [go, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"]
        command += [f"-ldflags={link_flags(source, target)}", "-o", str(path), "./bind/capi"]
        self.app.display_info(shlex.join(command))
        if subprocess.run(command, cwd=source, env=self._environment(target), check=False).returncode != 0:
            fail("go build failed; its messages are above")

    def _source(self) -> Path:
        root = Path(self.root)
        places = [p for p in (root / "gosrc", root.parent) if (p / "go.mod").is_file() and (p / "bind/capi").is_dir()]
        if not places:
            fail("the Go sources are neither beside the package nor in it: build from a checkout or an sdist")
        return places[0]

    def _environment(self, target: Target | None) -> dict[str, str]:
        env = dict(os.environ, CGO_ENABLED="1", MACOSX_DEPLOYMENT_TARGET=MACOS)
        if target:
            zig = os.environ.get("PEERLINK_ZIG") or f"{shlex.quote(sys.executable)} -m ziglang"
            env.update(GOOS=target.goos, GOARCH=target.goarch)
            env.update(CC=f"{zig} cc -target {target.zig}", CXX=f"{zig} c++ -target {target.zig}")
        return env


def host_platform() -> str:
    """The platform tag of this machine. On macOS Python's own may promise another processor too."""
    if sys.platform == "darwin":
        return f"macosx_{MACOS.replace('.', '_')}_{platform.machine()}"
    return re.sub(r"[-.]", "_", sysconfig.get_platform())


def link_flags(source: Path, target: Target | None) -> str:
    """No symbols; and on ELF systems only pl_* is visible."""
    flags = "-s -w"
    exports = source / "bind" / "capi" / "peerlink.map"
    goos = target.goos if target else {"win32": "windows"}.get(sys.platform, sys.platform)
    if goos in ("windows", "darwin") or not exports.is_file():
        return flags
    return f"{flags} '-extldflags=-Wl,--version-script={exports.resolve()}'"


def c_compiler(go: str) -> str:
    """The command that Go will run to compile C."""
    shown = subprocess.run([go, "env", "CC"], capture_output=True, text=True, check=False).stdout
    return (shlex.split(shown) or ["gcc"])[0]


def fail(message: str) -> NoReturn:
    """End the build with one line."""
    raise SystemExit(f"peerlink: {message}")
