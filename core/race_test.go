//go:build race

package peerlink

const raceEnabled = true
