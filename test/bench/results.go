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

// sizes of results that are measured, in bytes.
var sizes = []int{1 << 10, 64 << 10, 1 << 20}

// bulkSize is that of the results that come while echoes are timed.
const bulkSize = 1 << 20

// maxResultRounds is enough: results take long, so their times spread little.
const maxResultRounds = 3

// blobResult is what a client prints: a result, or why there is none.
type blobResult struct {
	callResult
	Error string `json:"error,omitempty"`
}

// sizeRow is one contestant and one size.
type sizeRow struct {
	Key      string       `json:"key"`
	Label    string       `json:"label"`
	Size     int          `json:"bytes"`
	Pinned   []blobResult `json:"pinned"`
	Unpinned []blobResult `json:"unpinned"`

	P50    float64 `json:"p50_us"`   // least of the pinned rounds
	Speed  float64 `json:"mb_per_s"` // median of the unpinned rounds, 10^6 bytes
	Failed int     `json:"errors"`
	Error  string  `json:"error,omitempty"` // why there are no figures
}

// bulkResult is what a client prints that makes echoes beside a transfer.
type bulkResult struct {
	Idle     callResult `json:"idle"`
	Beside   callResult `json:"beside"`
	Transfer callResult `json:"transfer"`
	Error    string     `json:"error,omitempty"`
}

type bulkRow struct {
	Key    string       `json:"key"`
	Label  string       `json:"label"`
	Rounds []bulkResult `json:"rounds"`

	IdleP50   float64 `json:"idle_p50_us"` // medians of the rounds
	IdleP99   float64 `json:"idle_p99_us"`
	BesideP50 float64 `json:"beside_p50_us"`
	BesideP99 float64 `json:"beside_p99_us"`
	Speed     float64 `json:"mb_per_s"`
	Errors    int     `json:"errors"`
	Error     string  `json:"error,omitempty"`
}

type resultsReport struct {
	Machine machine    `json:"machine"`
	Network string     `json:"network"`
	Rounds  int        `json:"rounds"`
	Seconds float64    `json:"seconds"` // of bulk; a size has half of it
	Rows    []*sizeRow `json:"rows"`
	Bulk    []*bulkRow `json:"bulk"`
}

// resultPeer is a contestant of this benchmark, with its rows in the report.
type resultPeer struct {
	ends
	sizes []*sizeRow
	bulk  *bulkRow
}

func measureResults(ctx context.Context, b bench) (report, error) {
	r := resultsReport{Network: b.site.String(), Rounds: min(b.rounds, maxResultRounds), Seconds: b.seconds / 2}
	r.Machine = b.facts(ctx)
	peers := []resultPeer{r.add("go", labelGo, b.ends("rpc", "node")), r.add("grpc", labelGRPC, b.ends("peers", "grpc"))}
	for round := range r.Rounds {
		for _, p := range peers {
			if err := b.resultsOf(ctx, p, r.Seconds); err != nil {
				return report{}, fmt.Errorf("%s: %w", p.bulk.Label, err)
			}
			progress("round %d of %d, load %.1f: results of %s", round+1, r.Rounds, loadAverage(), p.bulk.Label)
		}
		slices.Reverse(peers)
	}
	for _, row := range r.Rows {
		row.summarize()
	}
	for _, row := range r.Bulk {
		row.summarize()
	}
	r.Machine.LoadAfter = loadAverage()
	return report{json: r, table: r.table()}, nil
}

// add makes the rows of a contestant.
func (r *resultsReport) add(key, label string, e ends) resultPeer {
	p := resultPeer{ends: e, bulk: &bulkRow{Key: key, Label: label}}
	for _, size := range sizes {
		p.sizes = append(p.sizes, &sizeRow{Key: key, Label: label, Size: size})
	}
	r.Rows = append(r.Rows, p.sizes...)
	r.Bulk = append(r.Bulk, p.bulk)
	return p
}

func (b bench) resultsOf(ctx context.Context, p resultPeer, seconds float64) error {
	for _, row := range p.sizes {
		pinned, err := ask[blobResult](ctx, b, p.ends, "blob", row.Size, seconds/2, b.pinned()...)
		if err != nil {
			return err
		}
		unpinned, err := ask[blobResult](ctx, b, p.ends, "blob", row.Size, seconds/2)
		if err != nil {
			return err
		}
		row.Pinned, row.Unpinned = append(row.Pinned, pinned), append(row.Unpinned, unpinned)
	}
	bulk, err := ask[bulkResult](ctx, b, p.ends, "bulk", bulkSize, seconds)
	p.bulk.Rounds = append(p.bulk.Rounds, bulk)
	return err
}

// ask has a client do one thing with results of a size.
func ask[T any](ctx context.Context, b bench, e ends, verb string, size int, seconds float64, prefix ...string) (result T, err error) {
	call := func(addr string) []string {
		return e.do(verb, addr, "-secs", number(seconds), "-size", strconv.Itoa(size))
	}
	err = b.pair(ctx, pairOf{label: e.transport, prefix: prefix, serve: e.serve, call: call}, func(_, client *child) error {
		return client.next(&result, 60*time.Second)
	})
	return result, err
}

func (r *sizeRow) summarize() {
	for _, round := range slices.Concat(r.Pinned, r.Unpinned) {
		r.Failed += round.Errors
		if r.Error = round.Error; r.Error == "" && round.Calls == 0 {
			r.Error = "no call succeeded"
		}
		if r.Error != "" {
			return
		}
	}
	r.P50 = slices.Min(collect(r.Pinned, func(b blobResult) float64 { return b.P50 }))
	r.Speed = median(collect(r.Unpinned, func(b blobResult) float64 { return b.rate() * float64(r.Size) / 1e6 }))
}

func (r *bulkRow) summarize() {
	for _, round := range r.Rounds {
		r.Errors += round.Idle.Errors + round.Beside.Errors + round.Transfer.Errors
		if r.Error = round.Error; r.Error == "" && min(round.Idle.Calls, round.Beside.Calls, round.Transfer.Calls) == 0 {
			r.Error = "no call succeeded"
		}
		if r.Error != "" {
			return
		}
	}
	r.IdleP50 = median(collect(r.Rounds, func(b bulkResult) float64 { return b.Idle.P50 }))
	r.IdleP99 = median(collect(r.Rounds, func(b bulkResult) float64 { return b.Idle.P99 }))
	r.BesideP50 = median(collect(r.Rounds, func(b bulkResult) float64 { return b.Beside.P50 }))
	r.BesideP99 = median(collect(r.Rounds, func(b bulkResult) float64 { return b.Beside.P99 }))
	r.Speed = median(collect(r.Rounds, func(b bulkResult) float64 { return b.Transfer.rate() * bulkSize / 1e6 }))
}

func (r resultsReport) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Results of several sizes over %s, one after the other; %d rounds of %g s.\n\n", r.Network, r.Rounds, r.Seconds/2)
	r.sizeTable(&b)
	fmt.Fprintf(&b, "\nEchoes of 64 bytes alone, and beside results of 1 MiB on the same connection, not pinned; %d rounds of %g s.\n\n", r.Rounds, r.Seconds)
	r.bulkTable(&b)
	b.WriteString("\n" + r.notes() + r.Machine.String())
	return b.String()
}

func (r resultsReport) sizeTable(b *strings.Builder) {
	b.WriteString("| |")
	for _, size := range sizes {
		fmt.Fprintf(b, " %s, p50 µs | MB/s |", binarySize(size))
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|--:|", len(sizes)))
	for i, row := range r.Rows {
		if i%len(sizes) == 0 {
			fmt.Fprintf(b, "\n| %s |", row.Label)
		}
		if row.Error != "" {
			b.WriteString(" – | – |")
			continue
		}
		fmt.Fprintf(b, " %.1f | %.0f |", row.P50, row.Speed)
	}
	b.WriteString("\n")
}

func (r resultsReport) bulkTable(b *strings.Builder) {
	b.WriteString("| | alone, p50 µs | p99 µs | beside, p50 µs | p99 µs | p50 ÷ alone | transfer, MB/s | failed |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, row := range r.Bulk {
		if row.Error != "" {
			fmt.Fprintf(b, "| %s | – | – | – | – | – | – | – |\n", row.Label)
			continue
		}
		fmt.Fprintf(b, "| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.0f | %d |\n", row.Label, row.IdleP50, row.IdleP99, row.BesideP50,
			row.BesideP99, row.BesideP50/row.IdleP50, row.Speed, row.Errors)
	}
}

// notes says why figures are missing, and what failed.
func (r resultsReport) notes() string {
	var b strings.Builder
	for _, row := range r.Rows {
		if row.Error != "" {
			fmt.Fprintf(&b, "%s, %s: `%s`.\n\n", row.Label, binarySize(row.Size), row.Error)
		} else if row.Failed > 0 {
			fmt.Fprintf(&b, "%s, %s: %d calls failed.\n\n", row.Label, binarySize(row.Size), row.Failed)
		}
	}
	return b.String()
}

func binarySize(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
