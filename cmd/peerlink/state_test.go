package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestKeySurvivesRestart(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	name, dir := uniqueName(), filepath.Join(t.TempDir(), "state")
	first, stop := serveDemo(t, name, "--state-dir", dir)
	stop()
	info, err := os.Stat(filepath.Join(dir, "identity"))
	if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	second, stop := serveDemo(t, name, "--state-dir", dir, "--secret-file", secretFile(t, "s3cret"))
	stop()
	third, stop := serveDemo(t, name, "--no-state")
	stop()
	if len(first.Fingerprint) != 64 || first.Fingerprint != second.Fingerprint || first.Fingerprint == third.Fingerprint {
		t.Errorf("%s %s %s", first.Fingerprint, second.Fingerprint, third.Fingerprint)
	}
}

func TestDefaultStateDir(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	home := t.TempDir()
	for _, env := range []string{"XDG_STATE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(env, home)
	}
	name := uniqueName()
	first, stop := serveDemo(t, name)
	stop()
	second, stop := serveDemo(t, name)
	stop()
	other, stop := serveDemo(t, name+"/..")
	stop()
	if first.Fingerprint != second.Fingerprint || first.Fingerprint == other.Fingerprint {
		t.Errorf("%s %s %s", first.Fingerprint, second.Fingerprint, other.Fingerprint)
	}
	dir, err := defaultStateDir(name)
	if err != nil || !strings.HasPrefix(dir, home) {
		t.Errorf("%s %v", dir, err)
	}
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*", "identity")); len(found) != 2 {
		t.Errorf("%q", found)
	}
	// Those who only ask keep nothing.
	before, _ := os.ReadDir(filepath.Dir(dir))
	command(t, "discover", "--wait", "1ms")
	if after, _ := os.ReadDir(filepath.Dir(dir)); len(after) != len(before) {
		t.Errorf("%v, before %v", after, before)
	}
}

// A key that others can read is no key any more.
func TestOpenKeyIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	onLoopback(t)
	noSecret(t)
	name, dir := uniqueName(), t.TempDir()
	_, stop := serveDemo(t, name, "--state-dir", dir)
	stop()
	if err := os.Chmod(filepath.Join(dir, "identity"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := command(t, "serve", "--name", name, "--state-dir", dir); code != 1 || !strings.Contains(stderr, "chmod 600") {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
}

func TestStateHome(t *testing.T) {
	join := filepath.Join
	root, err := filepath.Abs("/x")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		goos string
		env  map[string]string
		want string // empty: an error
	}{
		{"linux", map[string]string{"HOME": "/h"}, join("/h", ".local", "state")},
		{"linux", map[string]string{"HOME": "/h", "XDG_STATE_HOME": root}, root},
		{"linux", map[string]string{"HOME": "/h", "XDG_STATE_HOME": "relative"}, join("/h", ".local", "state")},
		{"linux", nil, ""},
		{"darwin", map[string]string{"HOME": "/h", "XDG_STATE_HOME": root}, join("/h", "Library", "Application Support")},
		{"windows", map[string]string{"LocalAppData": `C:\l`, "HOME": "/h"}, `C:\l`},
		{"windows", map[string]string{"HOME": "/h"}, ""},
	} {
		got, err := stateHome(tt.goos, func(key string) string { return tt.env[key] })
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %v: %q %v", tt.goos, tt.env, got, err)
		}
	}
}

func TestFileName(t *testing.T) {
	safe := regexp.MustCompile(`^[A-Za-z0-9_-]+-[0-9a-f]{8}$`)
	seen := map[string]string{}
	for _, name := range []string{
		"Phone1", "phone1", "Phone 1", "Phone_1", "..", ".", "/", "../../etc", `a\b`, "CON", "nul.txt", "a.", "é", "e\u0301", "ẞ",
		"-rf", strings.Repeat("ä", 31), "\xff", "",
	} {
		got := strings.ToLower(fileName(name))
		if !safe.MatchString(got) && name != "" || len(got) > 80 || seen[got] != "" {
			t.Errorf("%q: %s, which is also %q", name, got, seen[got])
		}
		seen[got] = name
	}
	if got := fileName("Phone1"); got != "Phone1-b1afed83" {
		t.Error(got) // another one would lose the keys of all
	}
}
