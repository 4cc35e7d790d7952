package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	peerlink "github.com/peerlink/peerlink/core"
)

// secretFile writes a file that only its owner can read.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// noSecret takes the environment of whoever runs the tests away.
func noSecret(t *testing.T) {
	t.Helper()
	t.Setenv(secretEnv, "") // restores it at the end
	_ = os.Unsetenv(secretEnv)
}

// withoutSecret fails the test if text has the secret in it.
func withoutSecret(t *testing.T, secret string, text ...string) {
	t.Helper()
	for _, s := range text {
		if secret != "" && strings.Contains(s, secret) {
			t.Errorf("the secret is in %q", s)
		}
	}
}

func TestRealm(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	secret, other := peerlink.NewSecret(), peerlink.NewSecret()
	file := secretFile(t, secret+"\n")
	name := uniqueName()
	ready, _ := serveDemo(t, name, "--no-state", "--secret-file", file)

	for _, tt := range []struct {
		title, env string
		args       []string
		member     bool
	}{
		{"file", "", []string{"--secret-file", file}, true},
		{"environment", secret, nil, true},
		{"file before environment", other, []string{"--secret-file", file}, true},
		{"1.x allowed", secret, []string{"--allow-legacy"}, true},
		{"its key allowed", secret, []string{"--allow", ready.Fingerprint}, true},
		{"one of two keys allowed", secret, []string{"--allow", strings.Repeat("00", 32), "--allow", ready.Fingerprint}, true},
		{"another key allowed", secret, []string{"--allow", strings.Repeat("00", 32)}, false},
		{"wrong secret", other, nil, false},
		{"wrong password", "hunter2", nil, false},
		{"wrong secret, 1.x allowed", other, []string{"--allow-legacy"}, false},
		{"no secret", "", nil, false},
	} {
		t.Run(tt.title, func(t *testing.T) {
			try := func(wantCode int, want string, args ...string) {
				t.Helper()
				if tt.env != "" {
					t.Setenv(secretEnv, tt.env)
				}
				code, stdout, stderr := command(t, append(args, tt.args...)...)
				if code != wantCode || !strings.Contains(stdout, want) {
					t.Errorf("%q: %d %s %s", args, code, stdout, stderr)
				}
				withoutSecret(t, secret, stdout, stderr)
				withoutSecret(t, tt.env, stdout, stderr)
			}
			if tt.member {
				try(0, `"authenticated":true,"fingerprint":"`+ready.Fingerprint+`"`, "ping", name, "--json")
				try(0, "security authenticated", "ping", name)
				try(0, "42", "call", name, "add", "25", "17")
				return
			}
			try(1, `{"error":{"code":`, "ping", name, "--json", "--timeout", "300ms")
			try(1, "", "call", name, "add", "25", "17", "--timeout", "300ms")
		})
	}
}

// Who is not of the realm does not even see its nodes.
func TestDiscoverInRealm(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	const secret = "a password of our own"
	name := uniqueName()
	ready, _ := serveDemo(t, name, "--no-state", "--secret-file", secretFile(t, secret))
	for _, tt := range []struct {
		env                  string
		args                 []string
		found, authenticated bool
	}{
		{secret, nil, true, true},
		{secret, []string{"--allow", strings.Repeat("00", 32)}, true, false}, // listed, but nothing is proved
		{"hunter2", nil, false, false},
		{"", nil, false, false},
	} {
		if tt.env != "" {
			t.Setenv(secretEnv, tt.env)
		}
		p, found := discovered(t, name, tt.args...)
		if found != tt.found || p.Authenticated != tt.authenticated || p.Encrypted != tt.authenticated ||
			tt.authenticated && p.Fingerprint != ready.Fingerprint {
			t.Errorf("%q %q: %+v", tt.env, tt.args, p)
		}
	}
}

// Allow of a server keeps members of the realm out.
func TestServeAllow(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	file := secretFile(t, peerlink.NewSecret())
	name := uniqueName()
	serveDemo(t, name, "--no-state", "--secret-file", file, "--allow", strings.Repeat("ab", 32))
	if code, stdout, stderr := command(t, "call", name, "add", "1", "2", "--secret-file", file, "--timeout", "1s"); code != 1 {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
}

func TestConfigure(t *testing.T) {
	for _, tt := range []struct {
		app  app
		want peerlink.Compat
	}{
		{app{}, peerlink.CompatDefault},
		{app{legacy: true}, peerlink.CompatOn},
	} {
		if got := tt.app.configure(peerlink.Config{}).Compat; got != tt.want {
			t.Errorf("legacy %v: %v", tt.app.legacy, got)
		}
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		title, content string
		mode           os.FileMode
		want, err      string
	}{
		{"whole file", "s3cret", 0o600, "s3cret", ""},
		{"line", "s3cret\n", 0o600, "s3cret", ""},
		{"line of Windows", "s3cret\r\n", 0o600, "s3cret", ""},
		{"first of two lines", "s3cret\nother\n", 0o600, "s3cret", ""},
		{"blanks belong to it", " s3cret \n", 0o400, " s3cret ", ""},
		{"empty", "", 0o600, "", "is empty; for the open realm give no secret at all"},
		{"empty line", "\ns3cret\n", 0o600, "", "is empty"},
		{"readable by the group", "s3cret", 0o640, "", "is open to other users (mode 0640): chmod 600 it"},
		{"readable by others", "s3cret", 0o604, "", "is open to other users"},
		{"writable by others", "s3cret", 0o602, "", "is open to other users"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			if runtime.GOOS == "windows" && tt.mode&0o077 != 0 {
				t.Skip("Windows has no such permissions")
			}
			name := filepath.Join(dir, tt.title)
			if err := os.WriteFile(name, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(name, tt.mode); err != nil {
				t.Fatal(err)
			}
			checkRead(t, secretSource{file: name}, tt.want, tt.err, peerlink.CodeInvalid)
		})
	}
	checkRead(t, secretSource{file: filepath.Join(dir, "missing")}, "", "missing", peerlink.CodeIO)
	checkRead(t, secretSource{file: dir}, "", "", 0)
}

func TestSecretEnv(t *testing.T) {
	for _, tt := range []struct{ value, err string }{
		{"s3cret", ""},
		{"", "PEERLINK_SECRET is empty"},
	} {
		t.Setenv(secretEnv, tt.value)
		checkRead(t, secretSource{}, tt.value, tt.err, peerlink.CodeInvalid)
		if _, set := os.LookupEnv(secretEnv); set {
			t.Error("it is still in the environment")
		}
	}
	checkRead(t, secretSource{}, "", "", 0) // not set: the open realm

	t.Setenv(secretEnv, "s3cret")
	checkRead(t, secretSource{file: secretFile(t, "another")}, "another", "", 0)
	if _, set := os.LookupEnv(secretEnv); set {
		t.Error("it is still in the environment")
	}
}

// checkRead reads a secret. A code of 0 leaves it open whether that is an error.
func checkRead(t *testing.T, s secretSource, want, wantErr string, code peerlink.Code) {
	t.Helper()
	got, err := s.read(context.Background(), t.Output())
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if wantErr == "" {
		if err != nil && code != 0 {
			t.Error(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), wantErr) || peerlink.CodeOf(err) != code {
		t.Errorf("%v (%v)", err, peerlink.CodeOf(err))
		return
	}
	withoutSecret(t, "s3cret", err.Error())
}

// What is refused is not quoted: it may be on its way into a log.
func TestSecretIsNeverPrinted(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	const secret = "plk1_tooShortToBeOne"
	long := strings.Repeat("hunter2", 200)
	for _, tt := range []struct {
		title  string
		args   []string
		env    string
		code   int
		stderr string
	}{
		{"damaged", []string{"discover", "--wait", "1ms"}, secret, 1, "damaged"},
		{"damaged, log", []string{"discover", "--wait", "1ms", "--log"}, secret, 1, "damaged"},
		{"too long", []string{"discover", "--wait", "1ms"}, long, 1, "at most 1024 bytes"},
		{"no UTF-8", []string{"discover", "--wait", "1ms"}, secret + "\xff", 1, ""},
		{"argument", []string{"discover", "--secret", secret}, "", 2, "--secret-file FILE or --secret-prompt"},
		{"argument with =", []string{"discover", "--secret=" + secret}, "", 2, "--secret-file FILE or --secret-prompt"},
		{"argument before the command", []string{"--secret", secret, "discover"}, "", 2, "--secret-file FILE or --secret-prompt"},
		{"argument of secret", []string{"secret", secret}, "", 2, "takes no such argument"},
		{"argument of secret new", []string{"secret", "new", secret}, "", 2, "takes no such argument"},
		{"argument of secret new --secret", []string{"secret", "new", "--secret", secret}, "", 2, "--secret-file FILE or --secret-prompt"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv(secretEnv, tt.env)
			}
			for _, args := range [][]string{tt.args, append([]string{"--json"}, tt.args...)} {
				code, stdout, stderr := command(t, args...)
				if code != tt.code || !strings.Contains(stdout+stderr, tt.stderr) {
					t.Errorf("%d %s %s", code, stdout, stderr)
				}
				withoutSecret(t, secret, stdout, stderr)
				withoutSecret(t, "hunter2", stdout, stderr)
				if tt.env != "" {
					t.Setenv(secretEnv, tt.env)
				}
			}
		})
	}
}

var newSecret = regexp.MustCompile(`^plk1_[A-Za-z0-9_-]{43}$`)

func TestSecretNew(t *testing.T) {
	code, first, stderr := command(t, "secret", "new")
	if code != 0 || stderr != "" || !newSecret.MatchString(first) {
		t.Errorf("%d %q %q", code, first, stderr)
	}
	code, second, _ := command(t, "secret", "new", "--json")
	var got map[string]string
	if err := json.Unmarshal([]byte(second), &got); err != nil || code != 0 || len(got) != 1 || !newSecret.MatchString(got["secret"]) || got["secret"] == first {
		t.Errorf("%d %q: %v", code, second, err)
	}
}

func TestSecretNewFile(t *testing.T) {
	noSecret(t)
	name := filepath.Join(t.TempDir(), "realm.secret")
	code, stdout, stderr := command(t, "secret", "new", "--out", name)
	if code != 0 || !strings.Contains(stdout, name) || stderr != "" {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	info, err := os.Stat(name)
	if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	secret, err := secretSource{file: name}.read(t.Context(), t.Output())
	if err != nil || !newSecret.MatchString(secret) {
		t.Error(err)
	}
	withoutSecret(t, secret, stdout)

	code, stdout, stderr = command(t, "secret", "new", "--out", name, "--json")
	if code != 1 || !strings.Contains(stdout, `{"error":{"code":12,`) || stderr != "" {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	if again, err := (secretSource{file: name}).read(t.Context(), t.Output()); err != nil || again != secret {
		t.Error("the file was overwritten")
	}
	if code, _, stderr := command(t, "secret", "new", "--out", filepath.Join(t.TempDir(), "no", "folder")); code != 1 || stderr == "" {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestSecretUsage(t *testing.T) {
	for _, tt := range []struct {
		args, want string
		code       int
	}{
		{"secret", "Print a new secret that cannot be guessed", 0},
		{"secret new --secret-file x", "secret new takes no --secret-file", 2},
		{"secret new --name x", "secret new takes no --name", 2},
		{"discover --secret-file x --secret-prompt", "[secret-file secret-prompt] were all set", 2},
		{"serve --state-dir x --no-state", "[no-state state-dir] were all set", 2},
		{"discover --allow 12", "--allow", 2},
		{"discover --state-dir x", "unknown flag: --state-dir", 2},
	} {
		if code, stdout, stderr := command(t, strings.Fields(tt.args)...); code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%s: %d %s %s", tt.args, code, stdout, stderr)
		}
	}
	// The flags of nodes mean nothing to secret.
	for _, args := range [][]string{{"secret", "--help"}, {"secret", "new", "--help"}, {"help", "secret", "new"}} {
		if code, stdout, _ := command(t, args...); code != 0 || !strings.Contains(stdout, "--json") || strings.Contains(stdout, "--allow") {
			t.Errorf("%q: %d %s", args, code, stdout)
		}
	}
	for _, args := range [][]string{{"--help"}, {"ping", "--help"}} {
		if _, stdout, _ := command(t, args...); !strings.Contains(stdout, "--secret-file FILE") || strings.Contains(stdout, "--secret ") {
			t.Errorf("%q: %s", args, stdout)
		}
	}
}
