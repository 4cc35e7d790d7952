//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// blocks is into how many parts the starts of a pair are cut, interleaved with
// those of the other pairs.
const blocks = 4

// joinPatience is how long a node is waited for before it counts as not found.
const joinPatience = 15 * time.Second

// anchor is the name of the node that is there already. No name of a joiner
// contains it, nor it theirs: 1.1.1 does not see such peers.
const anchor = "anchor"

// finder is a program of one implementation.
type finder struct {
	env  []string
	args []string
}

// finderPair is a node that runs and one that joins.
type finderPair struct {
	key, label      string
	running, joiner finder
}

func finderPairs(b bench) []finderPair {
	golang := finder{nil, []string{b.program("discovery")}}
	py := finder{b.library, []string{b.python, b.script("discovery/peer.py")}}
	list := []finderPair{
		{"go", "PeerLink, Go", golang, golang},
		{"py", "PeerLink, Python", py, py},
	}
	if b.old == "" {
		return list
	}
	old := finder{nil, []string{b.old, b.script("discovery/peer.py")}}
	return append(list,
		finderPair{"new-joins-old", "PeerLink Go joins " + oldVersion, old, golang},
		finderPair{"old-joins-new", oldVersion + " joins PeerLink Go", golang, old},
		finderPair{keyOld, "PyPI peerlink " + oldVersion, old, old})
}

// finderRow holds the times of one pair, in ms since the joiner's call of start.
type finderRow struct {
	Key     string    `json:"key"`
	Label   string    `json:"label"`
	Sees    []float64 `json:"joiner_sees_ms"`
	Seen    []float64 `json:"joiner_is_seen_ms"`
	Goodbye []float64 `json:"goodbye_is_seen_ms"` // since its call of stop
	Missed  int       `json:"missed"`             // starts after which either did not see the other
}

type finderReport struct {
	Machine machine      `json:"machine"`
	Network string       `json:"network"`
	Starts  int          `json:"starts"`
	Rows    []*finderRow `json:"rows"`
}

func measureDiscovery(ctx context.Context, b bench) (report, error) {
	r := finderReport{Network: b.site.String(), Starts: b.starts, Machine: b.facts(ctx)}
	pairs := finderPairs(b)
	for _, p := range pairs {
		r.Rows = append(r.Rows, &finderRow{Key: p.key, Label: p.label})
	}
	for block := range blocks {
		for i, p := range pairs {
			begin, end := b.starts*block/blocks, b.starts*(block+1)/blocks
			if err := b.joinBlock(ctx, p, r.Rows[i], begin, end); err != nil {
				return report{}, fmt.Errorf("%s: %w", p.label, err)
			}
			progress("starts %d of %d, load %.1f: %-26s sees %s ms, is seen %s ms", end, b.starts, loadAverage(),
				p.label, spread(r.Rows[i].Sees), spread(r.Rows[i].Seen))
		}
	}
	r.Machine.LoadAfter = loadAverage()
	return report{json: r, table: r.table()}, nil
}

// joinBlock runs one node, and has the other join it several times under new names.
func (b bench) joinBlock(ctx context.Context, p finderPair, row *finderRow, begin, end int) error {
	running, err := b.spawn(ctx, serverHost, p.running.env, p.running.args...)
	if err != nil {
		return err
	}
	defer running.end()
	joiner, err := b.spawn(ctx, clientHost, p.joiner.env, p.joiner.args...)
	if err != nil {
		return err
	}
	defer joiner.end()
	if err := errors.Join(expect(running, "ready"), expect(joiner, "ready"), running.tell("start %s", anchor), expect(running, "started")); err != nil {
		return err
	}
	pause(ctx, 2*time.Second) // its announcements are over (RFC 6762 §8.3)
	for i := begin; i < end; i++ {
		if err := joinOnce(running, joiner, fmt.Sprintf("joiner%03d", i), row); err != nil {
			return err
		}
		pause(ctx, 1100*time.Millisecond) // an answer is not repeated within a second (RFC 6762 §6)
	}
	return ctx.Err()
}

// event is what a program prints.
type event struct {
	NS   int64  `json:"ns"`
	What string `json:"what"`
	Peer string `json:"peer"`
}

func joinOnce(running, joiner *child, name string, row *finderRow) error {
	if err := joiner.tell("start %s", name); err != nil {
		return err
	}
	start, err := await(joiner, "start", "", joinPatience)
	if err != nil {
		return err
	}
	sees, err1 := await(joiner, "up", anchor, joinPatience)
	seen, err2 := await(running, "up", name, joinPatience)
	if err1 != nil || err2 != nil {
		row.Missed++
	} else {
		row.Sees = append(row.Sees, sees.since(start))
		row.Seen = append(row.Seen, seen.since(start))
	}
	if err := joiner.tell("stop"); err != nil {
		return err
	}
	stop, err := await(joiner, "stop", "", joinPatience)
	if err != nil {
		return err
	}
	if down, err := await(running, "down", name, 5*time.Second); err == nil {
		row.Goodbye = append(row.Goodbye, down.since(stop))
	}
	return expect(joiner, "stopped")
}

func (e event) since(begin event) float64 { return float64(e.NS-begin.NS) / 1e6 }

func expect(c *child, what string) error {
	_, err := await(c, what, "", joinPatience)
	return err
}

// await skips events until one comes, of any peer if none is named.
func await(c *child, what, peer string, patience time.Duration) (e event, err error) {
	for end := time.Now().Add(patience); ; {
		if err := c.next(&e, time.Until(end)); err != nil {
			return e, fmt.Errorf("no %s %s: %w", what, peer, err)
		}
		if e.What == what && (peer == "" || e.Peer == peer) {
			return e, nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (r finderReport) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Time in ms from the call of start to the event, over %s; %d starts; min / median / max.\n\n", r.Network, r.Starts)
	b.WriteString("| | it sees the other | the other sees it | its goodbye is seen | missed |\n|---|--:|--:|--:|--:|\n")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d |\n", row.Label, spread(row.Sees), spread(row.Seen), spread(row.Goodbye), row.Missed)
	}
	b.WriteString("\n" + r.Machine.String())
	return b.String()
}

// spread is min, median and max.
func spread(ms []float64) string {
	if len(ms) == 0 {
		return "–"
	}
	digits := func(f float64) string {
		if f < 10 {
			return fmt.Sprintf("%.1f", f)
		}
		return fmt.Sprintf("%.0f", f)
	}
	return strings.Join([]string{digits(slices.Min(ms)), digits(median(ms)), digits(slices.Max(ms))}, " / ")
}
