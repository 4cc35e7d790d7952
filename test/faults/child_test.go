//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/peerlink/peerlink/test/lab"
)

// A child is a node on a host, in a process of its own.
type child struct {
	t       *testing.T
	cancel  context.CancelFunc // kills it
	host    *lab.Host
	name    string
	port    uint16
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *json.Decoder
}

// lifetime bounds that of a node, so that one that hangs ends its test.
const lifetime = 3 * time.Minute

// startNode starts a node that goes with the test, which fails if the node does not end
// properly then.
func startNode(t *testing.T, h *lab.Host, j join) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lifetime) // that of t ends before the cleanup
	c := &child{t: t, host: h, name: j.Name, cancel: cancel, cmd: h.Command(ctx, os.Args[0])}
	c.cmd.Env = append(os.Environ(), nodeEnv+"=1", "PEERLINK_INTERFACES=eth0")
	c.cmd.Stderr = t.Output()
	stdin, errIn := c.cmd.StdinPipe()
	stdout, errOut := c.cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, c.cmd.Start()); err != nil {
		cancel()
		t.Fatal(err)
	}
	c.orders, c.answers = stdin, json.NewDecoder(stdout)
	t.Cleanup(c.end)
	c.port = c.tell(order{Join: &j}).Port
	return c
}

// tell gives an order and waits until it has been followed.
func (c *child) tell(o order) (a answer) {
	c.t.Helper()
	err := json.NewEncoder(c.orders).Encode(o)
	if err == nil {
		err = c.answers.Decode(&a)
	}
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		c.t.Fatalf("node %s: %v", c.name, err)
	}
	return a
}

// find has the node find another by discovery.
func (c *child) find(peer *child) (addr netip.AddrPort, legacy bool) {
	c.t.Helper()
	a := c.tell(order{Find: &find{Peer: peer.name}})
	return a.Addr, a.Legacy
}

// introduce gives the node the address of another.
func (c *child) introduce(peer *child) {
	c.t.Helper()
	c.tell(order{Find: &find{Peer: peer.name, Addr: netip.AddrPortFrom(peer.host.Addr, peer.port)}})
}

func (c *child) call(p plan) *result {
	c.t.Helper()
	return c.tell(order{Call: &p}).Result
}

// runs returns how often each handler of the node has run.
func (c *child) runs() map[string]int {
	c.t.Helper()
	return c.tell(order{Runs: true}).Runs
}

// end closes the input, on which a node ends by itself.
func (c *child) end() {
	defer c.cancel()
	_ = c.orders.Close()
	defer time.AfterFunc(10*time.Second, c.cancel).Stop()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("node %s: %v", c.name, err)
	}
}
