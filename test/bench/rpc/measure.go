//go:build linux

package main

import (
	"slices"
	"sync"
	"time"
)

// result is what one measurement found.
type result struct {
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Calls   int     `json:"calls"`
	Errors  int     `json:"errors"`
	Seconds float64 `json:"seconds"`
}

// measure makes the calls of each caller one after the other for the given time.
func measure(callers []func() error, d time.Duration) result {
	logs := make([]record, len(callers))
	var wg sync.WaitGroup
	begin := time.Now()
	for i, call := range callers {
		logs[i].took = make([]time.Duration, 0, 1<<16)
		wg.Go(func() { logs[i].fill(call, begin.Add(d)) })
	}
	wg.Wait()
	r := result{Seconds: time.Since(begin).Seconds()}
	var all []time.Duration
	for _, l := range logs {
		all = append(all, l.took...)
		r.Errors += l.errors
	}
	slices.Sort(all)
	r.Calls = len(all)
	r.P50, r.P99 = quantile(all, 0.50), quantile(all, 0.99)
	return r
}

// record is what one caller saw.
type record struct {
	took   []time.Duration
	errors int
}

func (r *record) fill(call func() error, end time.Time) {
	for begin := time.Now(); begin.Before(end); {
		err := call()
		now := time.Now()
		if err != nil {
			r.errors++
		} else {
			r.took = append(r.took, now.Sub(begin))
		}
		begin = now
	}
}

// quantile of sorted times, in µs.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := min(len(sorted)-1, int(float64(len(sorted))*q))
	return float64(sorted[at].Nanoseconds()) / 1e3
}
