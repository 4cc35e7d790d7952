//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// memoryCalls is how many calls the allocations are divided by: enough that what
// runs beside them does not count.
const memoryCalls = 20000

// allocation is what a process has allocated, or the difference of two.
type allocation struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

type memoryRow struct {
	Key    string     `json:"key"`
	Label  string     `json:"label"`
	Calls  int        `json:"calls"`
	Errors int        `json:"errors"`
	Client allocation `json:"client"`
	Server allocation `json:"server"`
}

type memoryReport struct {
	Machine machine      `json:"machine"`
	Rows    []*memoryRow `json:"rows"`
}

func measureMemory(ctx context.Context, b bench) (report, error) {
	r := memoryReport{Machine: b.facts(ctx)}
	for _, m := range []struct {
		key, label string
		ends
	}{
		{"go", labelGo + ", `Call`", b.ends("rpc", "node")},
		{"raw", labelGo + ", `CallRaw`", b.ends("rpc", "raw")},
		{"nats", "NATS, Go (the server has the broker)", b.ends("peers", "nats")},
		{"grpc", labelGRPC, b.ends("peers", "grpc")},
	} {
		row := &memoryRow{Key: m.key, Label: m.label}
		if err := b.memoryOf(ctx, m.ends, row); err != nil {
			return report{}, fmt.Errorf("%s: %w", m.label, err)
		}
		progress("memory of %s", m.label)
		r.Rows = append(r.Rows, row)
	}
	r.Machine.LoadAfter = loadAverage()
	return report{json: r, table: r.table()}, nil
}

// memoryOf asks the server for its allocations before and after the client's calls.
func (b bench) memoryOf(ctx context.Context, e ends, row *memoryRow) error {
	call := func(addr string) []string { return e.do("memory", addr, "-calls", strconv.Itoa(memoryCalls)) }
	return b.pair(ctx, pairOf{label: row.Label, serve: e.serve, call: call}, func(server, client *child) error {
		var ready map[string]bool
		if err := client.next(&ready, 20*time.Second); err != nil {
			return err
		}
		var before, after allocation
		if err := server.ask("memory", &before); err != nil {
			return err
		}
		var result struct {
			Allocated     allocation
			Calls, Errors int
		}
		if err := client.ask("begin", &result); err != nil {
			return err
		}
		if err := server.ask("memory", &after); err != nil {
			return err
		}
		row.Calls, row.Errors, row.Client = result.Calls, result.Errors, result.Allocated
		row.Server = allocation{after.Objects - before.Objects, after.Bytes - before.Bytes}
		return nil
	})
}

func (r memoryReport) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "What one echo of 64 bytes allocates, of %d.\n\n", memoryCalls)
	b.WriteString("| | client, objects | bytes | server, objects | bytes | failed |\n|---|--:|--:|--:|--:|--:|\n")
	for _, row := range r.Rows {
		per := func(n uint64) float64 { return float64(n) / float64(row.Calls) }
		fmt.Fprintf(&b, "| %s | %.1f | %.0f | %.1f | %.0f | %d |\n", row.Label, per(row.Client.Objects), per(row.Client.Bytes),
			per(row.Server.Objects), per(row.Server.Bytes), row.Errors)
	}
	b.WriteString("\n" + r.Machine.String())
	return b.String()
}
