//go:build linux

package main

import (
	"bufio"
	"os"
	"runtime"
	"sync"
	"time"
)

// call measures echoes.
func call(clients []client) error {
	echoes := make([]func() error, len(clients))
	for i, c := range clients {
		echoes[i] = c.echo
	}
	measure(echoes, warmUp)
	stop, err := startProfile()
	if err != nil {
		return err
	}
	r := measure(echoes, duration())
	stop()
	return say(r)
}

// blob measures results of a size. If the first fails that is all it says.
func blob(clients []client) error {
	fetch := func() error { return clients[0].blob(*size) }
	if err := fetch(); err != nil {
		return say(map[string]string{"error": err.Error()})
	}
	measure([]func() error{fetch}, warmUp)
	return say(measure([]func() error{fetch}, duration()))
}

// bulk measures echoes, and again while results of a size come one after the other.
func bulk(clients []client) error {
	c := clients[0]
	fetch := func() error { return c.blob(*size) }
	if err := fetch(); err != nil {
		return say(map[string]string{"error": err.Error()})
	}
	echo := []func() error{c.echo}
	measure(echo, warmUp)
	idle := measure(echo, duration())
	var beside, transfer result
	var wg sync.WaitGroup
	wg.Go(func() { transfer = measure([]func() error{fetch}, duration()) })
	wg.Go(func() { beside = measure(echo, duration()) })
	wg.Wait()
	return say(map[string]result{"idle": idle, "beside": beside, "transfer": transfer})
}

func duration() time.Duration { return time.Duration(*seconds * float64(time.Second)) }

// allocation is what a process has allocated since its start.
type allocation struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

func allocated() allocation {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return allocation{m.Mallocs, m.TotalAlloc}
}

// memory says when it is ready, and makes its calls when it is told to, so that the
// server can be asked before and after.
func memory(clients []client) error {
	echo := clients[0].echo
	for range *calls / 10 {
		_ = echo()
	}
	if err := say(map[string]bool{"ready": true}); err != nil {
		return err
	}
	bufio.NewScanner(os.Stdin).Scan()
	errors, before := 0, allocated()
	for range *calls {
		if echo() != nil {
			errors++
		}
	}
	after := allocated()
	return say(map[string]any{
		"allocated": allocation{after.Objects - before.Objects, after.Bytes - before.Bytes},
		"calls":     *calls,
		"errors":    errors,
	})
}
