package main

// #include "plq.h"
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// logHandler makes PL_EV_LOG events of what core logs.
type logHandler struct {
	events *events
	max    C.uint16_t // pl_log_level
	attrs  string     // of WithAttrs, formatted
	group  string     // of WithGroup, with a dot behind
}

func logLevel(l slog.Level) C.uint16_t {
	switch {
	case l >= slog.LevelError:
		return C.PL_LOG_ERROR
	case l >= slog.LevelWarn:
		return C.PL_LOG_WARN
	case l >= slog.LevelInfo:
		return C.PL_LOG_INFO
	default:
		return C.PL_LOG_DEBUG
	}
}

func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool { return logLevel(l) <= h.max }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		h.format(&b, a)
		return true
	})
	line := strings.ReplaceAll(b.String(), "\n", " ")
	h.events.push(event{typ: C.PL_EV_LOG, aux: uint16(logLevel(r.Level)), data: []byte(line)})
	return nil
}

// format writes " key=value". That the line is of this node goes without saying.
func (h *logHandler) format(b *strings.Builder, a slog.Attr) {
	if a.Key != "node" && !a.Equal(slog.Attr{}) {
		fmt.Fprintf(b, " %s%s=%v", h.group, a.Key, a.Value.Resolve())
	}
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		h.format(&b, a)
	}
	out := *h
	out.attrs = b.String()
	return &out
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	out := *h
	out.group += name + "."
	return &out
}
