//go:build linux

// Command bench measures PeerLink side by side with bare UDP, PyPI peerlink 1.1.1,
// libzmq, NATS and gRPC, on two hosts that are network namespaces of this machine.
//
//	go run ./test/bench                  everything, into docs/BENCHMARKS.md
//	go run ./test/bench -publish=false   everything, without touching docs
//	go run ./test/bench -only rpc -rounds 1 -secs 0.5
//
// It needs Linux, root, gcc, Python 3 and pip, and measures libzmq if pkg-config
// finds it or apt-get can install it. Without root it measures over
// loopback, without 1.1.1, which cannot be kept from other networks, and publishes
// nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	only    string
	rounds  int
	seconds float64
	starts  int
	flood   float64
	cpu     int
	makeEnv string
	publish bool
}

func parse() (o options) {
	flag.StringVar(&o.only, "only", "", "one of "+names()+"; empty is all")
	flag.IntVar(&o.rounds, "rounds", 5, "how often everything is repeated, interleaved")
	flag.Float64Var(&o.seconds, "secs", 2, "how long one measurement of calls takes, in `s`econds")
	flag.IntVar(&o.starts, "starts", 20, "how often a node joins, for each pair of discovery")
	flag.Float64Var(&o.flood, "flood", 30, "how long a node is flooded, in `s`econds")
	flag.IntVar(&o.cpu, "cpu", runtime.NumCPU()-1, "the CPU to which latency measurements are pinned")
	flag.StringVar(&o.makeEnv, "python", "python3", "the interpreter that makes the virtual environments")
	flag.BoolVar(&o.publish, "publish", true, "write tables and plots into docs")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, parse())
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// benchmarks in the order they run.
var benchmarks = []struct {
	name    string
	measure func(context.Context, bench) (report, error)
}{
	{"rpc", measureCalls},
	{"results", measureResults},
	{"memory", measureMemory},
	{"flood", measureFlood},
	{"discovery", measureDiscovery},
}

func names() string {
	var list []string
	for _, b := range benchmarks {
		list = append(list, b.name)
	}
	return strings.Join(list, ", ")
}

// bench is what every benchmark gets.
type bench struct {
	options
	kit
	site
}

// report is what a benchmark gives: the object for its JSON file, and its table.
type report struct {
	json  any
	table string
}

func run(ctx context.Context, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	site, err := newSite()
	if err != nil {
		return err
	}
	defer site.close()
	if !site.isLab() {
		o.publish = false
	}
	kit, err := prepare(ctx, o, site.isLab())
	if err != nil {
		return err
	}
	for _, b := range benchmarks {
		if o.only != "" && o.only != b.name {
			continue
		}
		if err := runOne(ctx, b.name, b.measure, bench{o, kit, site}); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

func (o options) check() error {
	known := o.only == ""
	for _, b := range benchmarks {
		known = known || o.only == b.name
	}
	switch {
	case !known:
		return fmt.Errorf("-only %s: there are %s", o.only, names())
	case o.rounds < 1 || o.rounds > 100 || o.starts < 1 || o.starts > 1000:
		return errors.New("-rounds is 1 to 100, -starts 1 to 1000")
	case o.seconds < 0.1 || o.seconds > 60:
		return errors.New("-secs is 0.1 to 60")
	case o.flood < 0.5 || o.flood > 3600:
		return errors.New("-flood is 0.5 to 3600")
	case o.cpu < 0 || o.cpu >= runtime.NumCPU():
		return fmt.Errorf("-cpu %d: there are 0 to %d", o.cpu, runtime.NumCPU()-1)
	}
	return nil
}

func runOne(ctx context.Context, name string, measure func(context.Context, bench) (report, error), b bench) error {
	progress("%s", name)
	r, err := measure(ctx, b)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(b.out, name+".json"), r.json); err != nil {
		return err
	}
	fmt.Printf("\n%s\n", r.table)
	if b.publish {
		if err := fill(filepath.Join("docs", "BENCHMARKS.md"), name, r.table); err != nil {
			return err
		}
	}
	return plot(ctx, b.kit, b.options, name)
}

// progress prints one line with the time since the begin.
func progress(format string, args ...any) {
	fmt.Printf("%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}

var began = time.Now()
