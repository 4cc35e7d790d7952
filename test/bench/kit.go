//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// oldVersion is the PyPI release that PeerLink is compared with.
const oldVersion = "1.1.1"

// plotPackages is what plot.py imports.
const plotPackages = "matplotlib>=3.8"

// kit is what was built for the benchmarks. Paths are absolute.
type kit struct {
	out     string   // the directory of it all
	source  string   // test/bench
	library []string // the environment in which Python uses the PeerLink of this checkout
	python  string   // interpreter for that, and for plots
	old     string   // interpreter that has 1.1.1; empty if that is not measured
	hasZMQ  bool     // libzmq is measured
}

// prepare builds everything into build/bench. What is there already is not made anew,
// but for what comes from this checkout.
func prepare(ctx context.Context, o options, withOld bool) (kit, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return kit{}, err
	}
	if err := os.Chdir(root); err != nil {
		return kit{}, err
	}
	k := kit{out: filepath.Join(root, "build", "bench"), source: filepath.Join(root, "test", "bench")}
	if err := os.MkdirAll(k.out, 0o755); err != nil {
		return kit{}, err
	}
	if err := k.build(ctx, root); err != nil {
		return kit{}, err
	}
	if k.python, err = k.venv(ctx, o.makeEnv, "venv", plotPackages); err != nil {
		return kit{}, err
	}
	if withOld {
		k.old, err = k.venv(ctx, o.makeEnv, "venv-"+oldVersion, "peerlink=="+oldVersion)
	}
	return k, err
}

func moduleRoot(ctx context.Context) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	if err != nil || root == "." {
		return "", fmt.Errorf("run this in the checkout of PeerLink: no go.mod (%w)", err)
	}
	return root, nil
}

// build compiles the programs of this directory, and the library for C and Python.
func (k *kit) build(ctx context.Context, root string) error {
	progress("building programs and library")
	library := filepath.Join(k.out, "libpeerlink.so")
	k.library = []string{"PEERLINK_LIBRARY=" + library, "PYTHONPATH=" + filepath.Join(root, "python", "src")}
	err := command(ctx, "go", "build", "-o", k.out+"/", "./test/bench/rpc", "./test/bench/discovery", "./test/bench/flood")
	if err != nil {
		return err
	}
	if err := command(ctx, "go", "build", "-buildmode=c-shared", "-o", library, "./bind/capi"); err != nil {
		return err
	}
	if err := k.buildPeers(ctx); err != nil {
		return err
	}
	err = k.compile(ctx, "capi", "-I"+filepath.Join(root, "bind", "capi"), "-L"+k.out, "-lpeerlink", "-Wl,-rpath,"+k.out)
	if err != nil {
		return err
	}
	return k.buildZMQ(ctx)
}

// buildPeers builds NATS and gRPC in their own module: PeerLink does not depend on them.
func (k *kit) buildPeers(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", k.program("peers"), ".")
	cmd.Dir = k.script("peers")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	return finish(cmd)
}

// buildZMQ installs libzmq on Debian if it must. Without it the others are measured.
func (k *kit) buildZMQ(ctx context.Context) error {
	if command(ctx, "pkg-config", "--exists", "libzmq") != nil && os.Geteuid() == 0 {
		progress("installing libzmq")
		_ = command(ctx, "bash", "-c", ". test/need.sh && install_debian libzmq3-dev pkg-config")
	}
	flags, err := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", "libzmq").Output()
	if err != nil {
		progress("libzmq is left out: pkg-config does not find it (on Debian: apt-get install libzmq3-dev pkg-config)")
		return ctx.Err()
	}
	k.hasZMQ = true
	return k.compile(ctx, "zmq", strings.Fields(string(flags))...)
}

// compile compiles one of the programs in C.
func (k *kit) compile(ctx context.Context, name string, flags ...string) error {
	args := []string{"-std=c99", "-O2", "-Wall", "-Wextra", "-o", k.program(name), k.script("c/" + name + ".c")}
	return command(ctx, "gcc", append(append(args, flags...), "-lpthread")...)
}

// venv returns the interpreter of a virtual environment that has a package.
func (k *kit) venv(ctx context.Context, python, name, pkg string) (string, error) {
	dir := filepath.Join(k.out, name)
	interpreter := filepath.Join(dir, "bin", "python")
	complete := filepath.Join(dir, "complete")
	if have, err := os.ReadFile(complete); err == nil && string(have) == pkg {
		return interpreter, nil
	}
	progress("installing %s", pkg)
	if err := command(ctx, python, "-m", "venv", "--clear", dir); err != nil {
		return "", err
	}
	err := command(ctx, interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pkg)
	if err != nil {
		return "", err
	}
	return interpreter, os.WriteFile(complete, []byte(pkg), 0o644)
}

// program is one that was built from this directory.
func (k kit) program(name string) string { return filepath.Join(k.out, name) }

// script is a Python script of this directory.
func (k kit) script(name string) string { return filepath.Join(k.source, name) }

// command runs a program to its end.
func command(ctx context.Context, name string, args ...string) error {
	return finish(exec.CommandContext(ctx, name, args...))
}

func finish(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// plot draws what one benchmark measured. Without publishing it goes beside the figures.
func plot(ctx context.Context, k kit, o options, name string) error {
	dir := k.out
	if o.publish {
		dir = filepath.Join("docs", "bench")
	}
	progress("plots of %s into %s", name, dir)
	return command(ctx, k.python, k.script("plot.py"), filepath.Join(k.out, name+".json"), dir)
}
