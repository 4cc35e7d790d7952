//go:build linux

package main

import (
	"context"
	"slices"
	"time"
)

// attempts is how often a measurement is tried: on a busy machine 1.1.1 may find
// nobody in time.
const attempts = 3

// pairOf is how a server and its client are started.
type pairOf struct {
	label  string
	env    []string
	prefix []string // goes before both commands
	serve  func(ip string) []string
	call   func(addr string) []string
}

// pair runs a server and its client for f, and again if f fails.
func (b bench) pair(ctx context.Context, p pairOf, f func(server, client *child) error) (err error) {
	for range attempts {
		if err = b.pairOnce(ctx, p, f); err == nil || ctx.Err() != nil {
			break
		}
		progress("%s: %v", p.label, err)
	}
	return err
}

func (b bench) pairOnce(ctx context.Context, p pairOf, f func(server, client *child) error) error {
	server, addr, err := b.server(ctx, p.env, append(slices.Clone(p.prefix), p.serve(b.addr(serverHost).String())...)...)
	if err != nil {
		return err
	}
	defer server.end()
	client, err := b.spawn(ctx, clientHost, p.env, append(slices.Clone(p.prefix), p.call(addr)...)...)
	if err != nil {
		return err
	}
	defer client.end()
	return f(server, client)
}

// server starts one, and returns where it is. The caller must end it.
func (b bench) server(ctx context.Context, env []string, args ...string) (*child, string, error) {
	server, err := b.spawn(ctx, serverHost, env, args...)
	if err != nil {
		return nil, "", err
	}
	var at struct{ Addr string }
	if err := server.next(&at, 20*time.Second); err != nil {
		server.end()
		return nil, "", err
	}
	return server, at.Addr, nil
}
