package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

// start starts a node as the command line has it. The nodes of commands that only
// ask are hidden, so that they do not come and go in everybody's list.
func (a *app) start(ctx context.Context, cfg peerlink.Config) (*peerlink.Node, error) {
	var err error
	if cfg.Secret, err = a.secret.read(ctx, a.out.stderr); err != nil {
		return nil, err
	}
	return peerlink.Start(ctx, a.configure(cfg))
}

func (a *app) configure(cfg peerlink.Config) peerlink.Config {
	cfg.Allow = a.allow
	if a.legacy {
		cfg.Compat = peerlink.CompatOn
	}
	cfg.Name = a.name
	if cfg.Name == "" {
		cfg.Name = "peerlink-cli-" + strings.ToLower(rand.Text()[:6])
	}
	level := slog.LevelWarn // such as: no interface to find anybody on
	if a.logging {
		level = slog.LevelInfo
	}
	cfg.Logger = slog.New(slog.NewTextHandler(a.out.stderr, &slog.HandlerOptions{Level: level}))
	return cfg
}

// waitFor returns the peer of a name as soon as it is found.
func waitFor(ctx context.Context, n *peerlink.Node, name string, timeout time.Duration) (*peerlink.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return n.WaitPeer(ctx, name)
}

// fingerprints is a flag that may be given several times.
type fingerprints []peerlink.Fingerprint

func (f *fingerprints) String() string { return "" }
func (f *fingerprints) Type() string   { return "fingerprint" }

func (f *fingerprints) Set(text string) error {
	key, err := peerlink.ParseFingerprint(text)
	if err == nil {
		*f = append(*f, key)
	}
	return err
}
