package peerlink

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const (
	module   = "github.com/peerlink/peerlink/"
	internal = module + "core/internal/"
)

// mayImport says which of our packages a package may import, and why. A package
// that is not listed may import none.
var mayImport = map[string]map[string]string{
	"core": {
		"core/internal/disco":          "the peer table and the contract of backends",
		"core/internal/disco/mdns":     "the default backend",
		"core/internal/disco/zeroconf": "the other backend",
		"core/internal/legacy":         "the dialect of 1.x",
		"core/internal/limit":          "what strangers can cause is bounded",
		"core/internal/link":           "liveness of peers",
		"core/internal/netio":          "sockets",
		"core/internal/rpc":            "calls that wait",
		"core/internal/seal":           "realms, identities and handshakes",
		"core/internal/wire":           "CBOR of arguments and results",
	},
	"core/internal/link": {
		"core/internal/seal":   "opens and seals packets",
		"core/internal/window": "what was received, and what is in flight",
		"core/internal/wire":   "what is in packets",
	},
	"core/internal/netio/netiotest": {"core/internal/netio": "tests its contract"},
	"core/internal/simnet":          {"core/internal/netio": "implements its Network"},
	"core/internal/disco":           {"core/internal/netio": "the type of an interface"},
	"core/internal/disco/discotest": {"core/internal/disco": "tests its contract", "core/internal/netio": "the type of an interface"},
	"core/internal/disco/mdns": {
		"core/internal/disco":              "implements its contract",
		"core/internal/disco/mdns/dnsname": "names on the wire",
		"core/internal/limit":              "what strangers can cause is bounded",
		"core/internal/netio":              "the type of an interface",
	},
	"core/internal/disco/zeroconf": {
		"core/internal/disco":              "implements its contract",
		"core/internal/disco/mdns/dnsname": "names on the wire",
		"core/internal/netio":              "the type of an interface",
	},
	"bind/capi":    {"core": "bindings are the first users of the public API"},
	"bind/mobile":  {"core": "bindings are the first users of the public API"},
	"cmd/peerlink": {"core": "so is the command"},
}

// Pure packages get time and randomness as arguments, and own no goroutine.
var (
	pure      = []string{"legacy", "wire", "link", "seal", "window"}
	impureStd = []string{"net", "os", "log/slog", "sync", "math/rand", "math/rand/v2", "syscall", "context"}
)

type listedPackage struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
	Dir        string
}

// packages lists the module as the go command sees it.
func packagesOf(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles,Dir", "./...")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestImportDirection(t *testing.T) {
	for _, p := range packagesOf(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(from, "test/") || strings.HasPrefix(from, "examples/") {
			checkUsers(t, p)
			continue
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			if ours && mayImport[from][to] == "" {
				t.Errorf("%s imports %s: no reason is given for that in mayImport", from, to)
			}
		}
	}
}

// checkUsers holds examples and tests to the public API.
func checkUsers(t *testing.T, p listedPackage) {
	t.Helper()
	for _, imp := range p.Imports {
		if strings.HasPrefix(imp, internal) {
			t.Errorf("%s imports %s, which users cannot", p.ImportPath, imp)
		}
	}
}

func TestPurePackagesAreDeterministic(t *testing.T) {
	for _, p := range packagesOf(t) {
		name, ok := strings.CutPrefix(p.ImportPath, internal)
		if !ok || !contains(pure, name) {
			continue
		}
		for _, imp := range p.Imports {
			if contains(impureStd, imp) {
				t.Errorf("%s imports %s", name, imp)
			}
		}
		for _, file := range p.GoFiles {
			src, err := os.ReadFile(p.Dir + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			for _, banned := range []string{"time.Now", "time.After", "time.Sleep", "\tgo func"} {
				if strings.Contains(string(src), banned) {
					t.Errorf("%s/%s uses %s", name, file, strings.TrimSpace(banned))
				}
			}
		}
	}
}

// The core must stay linkable into a phone app: what reaches beyond one network
// lives in modules of its own.
func TestCoreDoesNotLinkWhatPhonesDoNotNeed(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./core")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		for _, banned := range []string{"github.com/pion/", "github.com/nats-io/", "github.com/quic-go/", "github.com/spf13/", "net/http"} {
			if strings.HasPrefix(dep, banned) {
				t.Errorf("core links %s", dep)
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
