//go:build linux

// Package faults calls between real nodes, one process and one network namespace
// each, over a network that loses, delays and damages what they send.
package faults

import (
	"os"
	"testing"

	"github.com/peerlink/peerlink/internal/leaktest"
)

// nodeEnv makes the test binary a node that obeys orders; see node_test.go.
const nodeEnv = "PEERLINK_FAULTS_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(nodeEnv) != "" {
		os.Exit(obey(os.Stdin, os.Stdout))
	}
	leaktest.Main(m)
}
