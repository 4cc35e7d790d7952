package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	peerlink "github.com/peerlink/peerlink/core"
)

// output writes results for people, or as JSON for programs.
type output struct {
	stdout, stderr io.Writer
	json           bool
}

// print writes v as JSON if that is wanted, else the text.
func (o output) print(v any, format string, args ...any) {
	if !o.json {
		fmt.Fprintf(o.stdout, format+"\n", args...)
		return
	}
	enc := json.NewEncoder(o.stdout)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

// fail reports why a command did not succeed.
func (o output) fail(err error) {
	if !o.json {
		fmt.Fprintf(o.stderr, "peerlink: %s\n", printable(err.Error()))
		return
	}
	o.print(map[string]any{"error": map[string]any{
		"code":    int(peerlink.CodeOf(err)),
		"kind":    peerlink.CodeOf(err).String(),
		"message": err.Error(),
	}}, "")
}

// printable replaces what could steer a terminal: names and errors come from the
// network.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// peerJSON is how a peer looks in JSON output.
type peerJSON struct {
	Name          string   `json:"name"`
	ID            string   `json:"id"`
	Address       string   `json:"address"`
	Version       string   `json:"version"`
	Legacy        bool     `json:"legacy"`
	Encrypted     bool     `json:"encrypted"`
	Authenticated bool     `json:"authenticated"`
	Fingerprint   string   `json:"fingerprint,omitempty"` // unless Encrypted is false
	RTT           float64  `json:"rtt_ms,omitempty"`      // unless not known yet
	Loss          *float64 `json:"loss,omitempty"`        // 0 to 1, unless Encrypted is false
}

func describe(p *peerlink.Peer) peerJSON {
	d := peerJSON{
		Name: p.Name(), ID: p.ID().String(), Address: p.Addr().String(),
		Version: p.Version(), Legacy: p.Legacy(), RTT: milliseconds(p.RTT()),
		Authenticated: p.Authenticated(),
	}
	// From what a session says, not from whether there is one now: it may end between
	// two questions.
	if key, loss := p.Fingerprint(), p.Loss(); key != (peerlink.Fingerprint{}) {
		d.Encrypted, d.Fingerprint, d.Loss = true, key.String(), &loss
	}
	d.Authenticated = d.Authenticated && d.Encrypted
	return d
}

// security says in a word how traffic with the peer is protected.
func (p peerJSON) security() string {
	switch {
	case p.Authenticated:
		return "authenticated"
	case p.Encrypted:
		return "encrypted"
	}
	return "none"
}

// fingerprint is its beginning: enough for people to compare.
func (p peerJSON) fingerprint() string {
	if !p.Encrypted {
		return "-"
	}
	return p.Fingerprint[:16]
}

func (p peerJSON) roundTrip() string {
	if p.RTT == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f ms", p.RTT)
}

func (p peerJSON) loss() string {
	if p.Loss == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100**p.Loss)
}
