package peerlink

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"sync"
)

const maxLogQueue = 256 // lines waiting for the Logger

type logLine struct {
	level int32
	text  string
}

// A logPump hands lines to a Logger on one goroutine, so that a slow one holds up
// nothing, and one that calls back into the node cannot deadlock.
type logPump struct {
	mu      sync.Mutex
	lines   chan logLine // closed by close
	closed  bool
	dropped int
}

// newLog returns a nil pump and a logger that discards if l is nil.
func newLog(l Logger) (*logPump, *slog.Logger) {
	if l == nil {
		return nil, slog.New(slog.DiscardHandler)
	}
	p := &logPump{lines: make(chan logLine, maxLogQueue)}
	go p.run(l)
	return p, slog.New(newLogHandler(p))
}

func (p *logPump) run(l Logger) {
	for line := range p.lines {
		// Where would it be logged?
		_ = protect("logger", func() error { return l.Log(line.level, line.text) })
	}
}

// write queues a line, or drops it.
func (p *logPump) write(level int32, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if p.dropped > 0 {
		text += " (" + strconv.Itoa(p.dropped) + " lines before this one were dropped)"
	}
	select {
	case p.lines <- logLine{level, text}:
		p.dropped = 0
	default:
		p.dropped++
	}
}

// close ends the goroutine when it has handed over what is queued.
func (p *logPump) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.lines)
	}
}

// A logHandler formats records as lines of text without time and level, which
// the systems' logs add themselves.
type logHandler struct {
	text slog.Handler // writes to out.buf
	out  *logOut
}

type logOut struct {
	pump *logPump
	mu   sync.Mutex
	buf  bytes.Buffer
}

func newLogHandler(p *logPump) slog.Handler {
	out := &logOut{pump: p}
	text := slog.NewTextHandler(&out.buf, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	})
	return &logHandler{text, out}
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.text.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.buf.Reset()
	if err := h.text.Handle(ctx, r); err != nil {
		return err
	}
	h.out.pump.write(int32(r.Level), string(bytes.TrimRight(h.out.buf.Bytes(), "\n")))
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.text.WithAttrs(attrs), h.out}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.text.WithGroup(name), h.out}
}
