package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

// secretEnv will name the realm. Until then a set one is an error: to run open
// when somebody wants to be private would betray them.
const secretEnv = "PEERLINK_SECRET"

// start starts a node. The nodes of commands that only ask are hidden, so that
// they do not come and go in everybody's list.
func (a *app) start(ctx context.Context, cfg peerlink.Config) (*peerlink.Node, error) {
	if os.Getenv(secretEnv) != "" {
		return nil, fmt.Errorf("%s is set, but this version has no private realms yet; unset it to work in the open", secretEnv)
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
	return peerlink.Start(ctx, cfg)
}

// waitFor returns the peer of a name as soon as it is found.
func waitFor(ctx context.Context, n *peerlink.Node, name string, timeout time.Duration) (*peerlink.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return n.WaitPeer(ctx, name)
}
