package peerlink

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	core "github.com/peerlink/peerlink/core"
)

// ErrorCode returns the code at the end of the message of an exception that this
// library threw, or 0 if it is not one of ours.
func ErrorCode(message string) int32 {
	const open = " (code "
	i := strings.LastIndex(message, open)
	if i < 0 || !strings.HasSuffix(message, ")") {
		return 0
	}
	n, err := strconv.ParseUint(message[i+len(open):len(message)-1], 10, 15)
	if err != nil {
		return 0
	}
	return int32(n)
}

// export is deferred by every exported function that can fail: it turns a panic
// into an error, and an error into one whose text ends in its code.
func export(op string, err *error) {
	if p := recover(); p != nil {
		*err = panicked(op, p)
	}
	if *err != nil {
		*err = errors.New(message(*err) + " (code " + strconv.Itoa(int(core.CodeOf(*err))) + ")")
	}
}

// guard is deferred by everything else that runs on a thread of the application
// or on a goroutine of ours: a panic must not end the application.
func guard(op string) {
	if p := recover(); p != nil {
		panicked(op, p)
	}
}

// protect calls fn and returns what it returns, or the panic in it.
func protect(op string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(op, p)
		}
	}()
	return fn()
}

// crashLog is where a crash would be looked for: on Android, standard error goes
// to the system log.
var crashLog io.Writer = os.Stderr

// panicked reports a panic and makes an error of it.
func panicked(op string, p any) error {
	fmt.Fprintf(crashLog, "peerlink: panic in %s: %v\n%s", op, p, debug.Stack())
	return &core.Error{Code: core.CodeInternal, Op: op, Err: fmt.Errorf("panic: %v", p)}
}

// message returns the text of err; of an error that a peer raised, what it said.
func message(err error) string {
	if remote, ok := errors.AsType[*core.RemoteError](err); ok {
		return remote.Error()
	}
	return err.Error()
}

func invalid(op, text string) error {
	return &core.Error{Code: core.CodeInvalid, Op: op, Err: errors.New(text)}
}

func closed(op string) error {
	return &core.Error{Code: core.CodeClosed, Op: op}
}
