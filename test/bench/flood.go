//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a node is flooded with, and what it is to do meanwhile.
const (
	floodRate = 100000 // packets/s
	goodRate  = 2000   // calls/s
)

// floodRow is one phase.
type floodRow struct {
	Label    string       `json:"label"`
	Kind     string       `json:"kind"` // what is sent; empty: nothing
	Offered  int          `json:"offered_packets_per_s"`
	Sent     floodSent    `json:"sent"`
	Calls    floodAnswers `json:"calls"`
	Before   serverState  `json:"server_before"`
	After    serverState  `json:"server_after"`
	LogLines float64      `json:"server_log_lines_per_s"`
}

// floodSent is what the sender prints.
type floodSent struct {
	Packets int     `json:"packets"`
	Seconds float64 `json:"seconds"`
}

func (s floodSent) rate() float64 {
	if s.Seconds == 0 {
		return 0
	}
	return float64(s.Packets) / s.Seconds
}

// floodAnswers is what the client prints.
type floodAnswers struct {
	Seconds  float64 `json:"seconds"`
	OK       int     `json:"ok"`
	Timeouts int     `json:"timeouts"`
	Errors   int     `json:"errors"`
	Example  string  `json:"example_of_an_error,omitempty"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
}

// serverState is what the server prints. Packets are those of its host.
type serverState struct {
	Now     int `json:"rss_kib"`
	Max     int `json:"max_rss_kib"` // since it was last asked
	Packets int `json:"udp_packets"` // read from sockets
	Dropped int `json:"udp_dropped"` // because the queue of a socket was full
}

type floodReport struct {
	Machine machine     `json:"machine"`
	Network string      `json:"network"`
	Rows    []*floodRow `json:"rows"`
}

// measureFlood goes through its phases with one server.
func measureFlood(ctx context.Context, b bench) (report, error) {
	r := floodReport{Network: b.site.String(), Machine: b.facts(ctx)}
	server, addr, err := b.server(ctx, nil, b.program("flood"), "serve", b.addr(serverHost).String())
	if err != nil {
		return report{}, err
	}
	defer server.end()
	for _, phase := range []struct {
		label, kind string
		seconds     float64
	}{
		{"quiet", "", b.flood / 6},
		{"bad packets", "garbage", b.flood},
		{"handshakes never finished", "handshakes", b.flood / 3},
	} {
		row := &floodRow{Label: phase.label, Kind: phase.kind}
		if err := b.floodPhase(ctx, server, addr, row, phase.seconds); err != nil {
			return report{}, fmt.Errorf("%s: %w", phase.label, err)
		}
		progress("load %.1f: %s, %.0f packets/s", loadAverage(), row.Label, row.Sent.rate())
		r.Rows = append(r.Rows, row)
	}
	r.Machine.LoadAfter = loadAverage()
	return report{json: r, table: r.table()}, nil
}

func (b bench) floodPhase(ctx context.Context, server *child, addr string, row *floodRow, seconds float64) error {
	flags := func(rate int) []string { return []string{"-secs", number(seconds), "-rate", strconv.Itoa(rate)} }
	caller, err := b.readied(ctx, slices.Concat([]string{b.program("flood")}, flags(goodRate), []string{"call", addr})...)
	if err != nil {
		return err
	}
	defer caller.end()
	ends := []*child{caller}
	results := []any{&row.Calls}
	if row.Kind != "" {
		row.Offered = floodRate
		// The sender is to take what the others leave.
		nice := []string{"nice", "-n", "20", b.program("flood")}
		sender, err := b.readied(ctx, slices.Concat(nice, flags(floodRate), []string{"send", row.Kind, addr})...)
		if err != nil {
			return err
		}
		defer sender.end()
		ends, results = append(ends, sender), append(results, &row.Sent)
	}
	if err := server.ask("state", &row.Before); err != nil {
		return err
	}
	lines := server.stderr.lines()
	if err := together(ends, results, seconds); err != nil {
		return err
	}
	row.LogLines = float64(server.stderr.lines()-lines) / seconds
	return server.ask("state", &row.After)
}

// together has all begin at once, and decodes what they say at the end.
func together(ends []*child, results []any, seconds float64) error {
	for _, c := range ends {
		if err := c.tell("begin"); err != nil {
			return err
		}
	}
	patience := time.Duration(seconds*float64(time.Second)) + 30*time.Second
	for i, c := range ends {
		if err := c.next(results[i], patience); err != nil {
			return err
		}
	}
	return nil
}

// readied starts a program on the client's host and waits until it is ready.
func (b bench) readied(ctx context.Context, args ...string) (*child, error) {
	c, err := b.spawn(ctx, clientHost, nil, args...)
	if err != nil {
		return nil, err
	}
	var ready map[string]bool
	if err := c.next(&ready, 30*time.Second); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

func (r floodReport) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d calls a second of one client, and %d packets a second offered by a stranger, over %s.\n\n", goodRate, floodRate, r.Network)
	b.WriteString("| | s | packets/s sent | read by the node | calls answered | timed out | failed | p50 µs | p99 µs | MiB before | most | after | log lines/s |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	mib := func(kib int) float64 { return float64(kib) / 1024 }
	for _, row := range r.Rows {
		c := row.Calls
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | %d | %d | %d | %.0f | %.0f | %.1f | %.1f | %.1f | %.1f |\n", row.Label, c.Seconds, row.Sent.rate(),
			float64(row.After.Packets-row.Before.Packets)/c.Seconds, c.OK, c.Timeouts, c.Errors, c.P50, c.P99,
			mib(row.Before.Now), mib(row.After.Max), mib(row.After.Now), row.LogLines)
	}
	b.WriteString("\n")
	for _, row := range r.Rows {
		if row.Calls.Example != "" {
			fmt.Fprintf(&b, "Failed beside %s: `%s`.\n\n", row.Label, row.Calls.Example)
		}
	}
	return b.String() + r.Machine.String()
}
