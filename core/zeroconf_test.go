//go:build !race

package peerlink

// Not under the race detector: see the tests of disco/zeroconf.
func init() { discoveries["zeroconf"] = Zeroconf }
