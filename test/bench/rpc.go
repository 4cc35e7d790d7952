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

// inFlight is how many callers there are when not one.
const inFlight = 16

// contestant is what is measured: how to start its ends.
type contestant struct {
	key, label string
	env        []string
	serve      func(ip string) []string
	call       func(addr string, seconds float64, callers int) []string
}

// Keys of those that others are compared with.
const (
	keyFloor = "udp"
	keyOld   = "old"
)

func contestants(b bench) []contestant {
	list := []contestant{
		b.goCalls(keyFloor, "Go, bare UDP ping-pong", b.ends("rpc", "udp")),
		b.goCalls("go", labelGo, b.ends("rpc", "node")),
		b.cCalls("c", "PeerLink, C to Go", "capi", b.ends("rpc", "node").serve),
		b.pyCalls("py", "PeerLink, Python to Python", b.python, b.library),
	}
	if b.old != "" {
		list = append(list, b.pyCalls(keyOld, "PyPI peerlink "+oldVersion, b.old, nil))
	}
	if b.hasZMQ {
		serve := func(ip string) []string { return []string{b.program("zmq"), "serve", ip} }
		list = append(list, b.cCalls("zmq", "libzmq, C", "zmq", serve))
	}
	return append(list,
		b.goCalls("nats", "NATS, Go", b.ends("peers", "nats")),
		b.goCalls("grpc", labelGRPC, b.ends("peers", "grpc")))
}

// Labels of those that are in several tables.
const (
	labelGo   = "PeerLink, Go to Go"
	labelGRPC = "gRPC-Go"
)

// ends is a transport of a program in Go.
type ends struct{ program, transport string }

func (b bench) ends(program, transport string) ends { return ends{b.program(program), transport} }

func (e ends) serve(ip string) []string { return []string{e.program, "serve", e.transport, ip} }

// do is the client's command line.
func (e ends) do(verb, addr string, flags ...string) []string {
	return slices.Concat([]string{e.program}, flags, []string{verb, e.transport, addr})
}

func (b bench) goCalls(key, label string, e ends) contestant {
	return contestant{
		key: key, label: label, serve: e.serve,
		call: func(addr string, seconds float64, callers int) []string {
			return e.do("call", addr, "-secs", number(seconds), "-callers", strconv.Itoa(callers))
		},
	}
}

func (b bench) pyCalls(key, label, python string, env []string) contestant {
	script := b.script("rpc/peer.py")
	return contestant{
		key: key, label: label, env: env,
		serve: func(ip string) []string { return []string{python, script, "serve", ip} },
		call: func(addr string, seconds float64, callers int) []string {
			return []string{python, script, "call", addr, number(seconds), strconv.Itoa(callers)}
		},
	}
}

func (b bench) cCalls(key, label, client string, serve func(ip string) []string) contestant {
	return contestant{
		key: key, label: label, serve: serve,
		call: func(addr string, seconds float64, callers int) []string {
			return []string{b.program(client), "call", addr, number(seconds), strconv.Itoa(callers)}
		},
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// callResult is what a client prints.
type callResult struct {
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Calls   int     `json:"calls"`
	Errors  int     `json:"errors"`
	Seconds float64 `json:"seconds"`
}

func (r callResult) rate() float64 { return float64(r.Calls) / r.Seconds }

// callRow is one contestant with every round, and what they come to.
type callRow struct {
	Key        string       `json:"key"`
	Label      string       `json:"label"`
	Sequential []callResult `json:"sequential_pinned"`
	Parallel   []callResult `json:"parallel_unpinned"`

	P50          float64 `json:"p50_us"`           // least of the sequential rounds
	P99          float64 `json:"p99_us"`           // median of them
	Rate         float64 `json:"calls_per_s"`      // median of them
	ParallelRate float64 `json:"calls_per_s_of16"` // median of the parallel rounds
	Errors       int     `json:"errors"`
}

type callReport struct {
	Machine machine    `json:"machine"`
	Network string     `json:"network"`
	Rounds  int        `json:"rounds"`
	Seconds float64    `json:"seconds"`
	CPU     int        `json:"pinned_to_cpu"`
	Rows    []*callRow `json:"rows"`
}

// measureCalls goes through all contestants in each round, forwards in one and
// backwards in the next, so that what else the machine does hits all alike.
func measureCalls(ctx context.Context, b bench) (report, error) {
	r := callReport{Network: b.site.String(), Rounds: b.rounds, Seconds: b.seconds, CPU: b.cpu}
	r.Machine = b.facts(ctx)
	list := contestants(b)
	rows := make(map[string]*callRow)
	for _, c := range list {
		rows[c.key] = &callRow{Key: c.key, Label: c.label}
		r.Rows = append(r.Rows, rows[c.key])
	}
	for round := range b.rounds {
		for _, c := range list {
			if err := b.roundOf(ctx, c, rows[c.key]); err != nil {
				return report{}, fmt.Errorf("%s: %w", c.label, err)
			}
			row := rows[c.key]
			progress("round %d of %d, load %.1f: %-26s p50 %7.1f µs, p99 %7.1f µs, %d in flight %7.0f calls/s", round+1, b.rounds,
				loadAverage(), c.label, row.Sequential[round].P50, row.Sequential[round].P99, inFlight, row.Parallel[round].rate())
		}
		slices.Reverse(list)
	}
	for _, row := range r.Rows {
		row.summarize()
	}
	r.Machine.LoadAfter = loadAverage()
	return report{json: r, table: r.table()}, nil
}

func (b bench) roundOf(ctx context.Context, c contestant, row *callRow) error {
	one, err := b.measureOne(ctx, c, 1, b.pinned()...)
	if err != nil {
		return err
	}
	many, err := b.measureOne(ctx, c, inFlight)
	row.Sequential = append(row.Sequential, one)
	row.Parallel = append(row.Parallel, many)
	return err
}

// pinned is what goes before the commands of both ends of a latency measurement.
func (b bench) pinned() []string { return []string{"taskset", "-c", strconv.Itoa(b.cpu)} }

func (b bench) measureOne(ctx context.Context, c contestant, callers int, prefix ...string) (result callResult, err error) {
	call := func(addr string) []string { return c.call(addr, b.seconds, callers) }
	err = b.pair(ctx, pairOf{c.label, c.env, prefix, c.serve, call}, func(_, client *child) error {
		patience := time.Duration(b.seconds*float64(time.Second)) + 40*time.Second
		if err := client.next(&result, patience); err != nil {
			return err
		}
		if result.Calls == 0 {
			return fmt.Errorf("no call of %d succeeded", result.Errors)
		}
		return nil
	})
	return result, err
}

func (r *callRow) summarize() {
	r.P50 = slices.Min(collect(r.Sequential, func(c callResult) float64 { return c.P50 }))
	r.P99 = median(collect(r.Sequential, func(c callResult) float64 { return c.P99 }))
	r.Rate = median(collect(r.Sequential, callResult.rate))
	r.ParallelRate = median(collect(r.Parallel, callResult.rate))
	for _, c := range slices.Concat(r.Sequential, r.Parallel) {
		r.Errors += c.Errors
	}
}

func (r callReport) row(key string) *callRow {
	for _, row := range r.Rows {
		if row.Key == key {
			return row
		}
	}
	return nil
}

func (r callReport) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Echo of a 64-byte string over %s; %d rounds of %g s.\n\n", r.Network, r.Rounds, r.Seconds)
	fmt.Fprintf(&b, "| | p50 µs | p99 µs | p50 ÷ bare UDP | calls/s | ÷ %s | calls/s, %d in flight | ÷ %s | failed |\n", oldVersion, inFlight, oldVersion)
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	floor, old := r.row(keyFloor), r.row(keyOld)
	for _, row := range r.Rows {
		sequential, parallel := "–", "–"
		if old != nil {
			sequential = fmt.Sprintf("%.1f", row.Rate/old.Rate)
			parallel = fmt.Sprintf("%.1f", row.ParallelRate/old.ParallelRate)
		}
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %.2f | %.0f | %s | %.0f | %s | %d |\n", row.Label, row.P50, row.P99,
			row.P50/floor.P50, row.Rate, sequential, row.ParallelRate, parallel, row.Errors)
	}
	b.WriteString("\n" + r.Machine.String())
	return b.String()
}
