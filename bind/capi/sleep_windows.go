package main

// #include "plq.h"
import "C"

// sleeper waits for the wake handle of the outbound queue. It keeps a thread.
type sleeper struct{ c *C.plq_node }

func newSleeper(c *C.plq_node) (*sleeper, error) { return &sleeper{c}, nil }

// sleep returns when the handle was set, and clears it.
func (s *sleeper) sleep() { C.plq_out_sleep(s.c) }

func (s *sleeper) close() {}
