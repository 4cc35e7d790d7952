//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

// machine is where and with what something was measured.
type machine struct {
	Date       string  `json:"date"`
	CPU        string  `json:"cpu"`
	CPUs       int     `json:"cpus"`
	Kernel     string  `json:"kernel"`
	Go         string  `json:"go"`
	Python     string  `json:"python"`
	PeerLink   string  `json:"peerlink"`
	Commit     string  `json:"commit"`
	Old        string  `json:"compared_with"`
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
}

func (b bench) facts(ctx context.Context) machine {
	return machine{
		Date:       time.Now().UTC().Format(time.DateOnly),
		CPU:        cpuModel(),
		CPUs:       runtime.NumCPU(),
		Kernel:     strings.TrimSpace(contents("/proc/sys/kernel/osrelease")),
		Go:         strings.TrimPrefix(runtime.Version(), "go"),
		Python:     output(ctx, b.python, "-c", "import platform; print(platform.python_version())"),
		PeerLink:   peerlink.Version,
		Commit:     output(ctx, "git", "rev-parse", "--short", "HEAD"),
		Old:        oldVersion,
		LoadBefore: loadAverage(),
	}
}

func (m machine) String() string {
	return fmt.Sprintf("Measured %s: %s, %d CPUs, Linux %s, Go %s, Python %s, PeerLink %s (%s). Load average %.1f before, %.1f after.\n",
		m.Date, m.CPU, m.CPUs, m.Kernel, m.Go, m.Python, m.PeerLink, m.Commit, m.LoadBefore, m.LoadAfter)
}

func cpuModel() string {
	for line := range strings.Lines(contents("/proc/cpuinfo")) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// loadAverage is that of the last minute.
func loadAverage() (load float64) {
	_, _ = fmt.Sscan(contents("/proc/loadavg"), &load)
	return load
}

func contents(file string) string {
	b, _ := os.ReadFile(file) // no fact is worth failing for
	return string(b)
}

func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func collect[T any](list []T, f func(T) float64) []float64 {
	var out []float64
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(list))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// fill puts text between the markers <!-- name --> and <!-- /name --> of a file.
func fill(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	open, shut := []byte("<!-- "+name+" -->\n"), []byte("<!-- /"+name+" -->")
	head, rest, found := bytes.Cut(old, open)
	_, foot, closed := bytes.Cut(rest, shut)
	if !found || !closed {
		return fmt.Errorf("%s has no markers for %s", file, name)
	}
	whole := slices.Concat(head, open, []byte("\n"+text+"\n"), shut, foot)
	return os.WriteFile(file, whole, 0o644)
}
