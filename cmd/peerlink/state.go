package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	peerlink "github.com/peerlink/peerlink/core"
)

// stateFlags say where a node keeps its key.
type stateFlags struct {
	dir  string
	none bool
}

// of returns the directory for the node of a name: "" is none.
func (s stateFlags) of(name string) (string, error) {
	if s.none || s.dir != "" {
		return s.dir, nil
	}
	return defaultStateDir(name)
}

// defaultStateDir is where the node of a name keeps its key.
func defaultStateDir(name string) (string, error) {
	base, err := stateHome(runtime.GOOS, os.Getenv)
	if err != nil {
		return "", &peerlink.Error{Code: peerlink.CodeIO, Op: "find state directory", Err: err}
	}
	return filepath.Join(base, "peerlink", fileName(name)), nil
}

// stateHome is where the user's programs keep their state.
func stateHome(goos string, getenv func(string) string) (string, error) {
	home, rest := "HOME", filepath.Join(".local", "state")
	switch goos {
	case "windows":
		home, rest = "LocalAppData", ""
	case "darwin":
		rest = filepath.Join("Library", "Application Support")
	default:
		if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) { // others are to be ignored
			return dir, nil
		}
	}
	dir := getenv(home)
	if dir == "" {
		return "", errors.New(home + " is not set; give --state-dir or --no-state")
	}
	return filepath.Join(dir, rest), nil
}

// fileName makes a file name that every system takes, and that no other node name
// gets, not even where case and accents do not count: Phone1-0a37f8d4.
func fileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
			return r
		}
		return '_'
	}, name)
	return fmt.Sprintf("%s-%.4x", safe, sha256.Sum256([]byte(name)))
}
