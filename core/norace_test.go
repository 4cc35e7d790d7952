//go:build !race

package peerlink

const raceEnabled = false
