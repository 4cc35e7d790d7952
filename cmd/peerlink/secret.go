package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	peerlink "github.com/peerlink/peerlink/core"
)

const (
	secretEnv = "PEERLINK_SECRET"
	maxLine   = 4096 // bytes that are read of a secret; the node refuses it sooner
)

// secretSource says where the secret is. It is none of the arguments, which other
// users of the machine can see.
type secretSource struct {
	file   string // - is standard input
	prompt bool
}

// read returns the secret, or "" for the open realm. A source that is named but
// empty is an error: to run open when somebody wants to be private would betray
// them. Errors do not contain the secret.
func (s secretSource) read(ctx context.Context, stderr io.Writer) (string, error) {
	secret, set := os.LookupEnv(secretEnv)
	_ = os.Unsetenv(secretEnv) // child processes have no business with it
	from, err := secretEnv, error(nil)
	switch {
	case s.prompt:
		from = "the answer"
		secret, err = promptSecret(ctx, os.Stdin, stderr)
	case s.file == "-":
		from = "standard input"
		secret, err = secretFromInput(ctx, os.Stdin, stderr)
	case s.file != "":
		from = s.file
		secret, err = readSecretFile(s.file)
	case !set:
		return "", nil
	}
	if err == nil && secret == "" {
		err = secretError(peerlink.CodeInvalid, from+" is empty; for the open realm give no secret at all")
	}
	return secret, err
}

// readSecretFile returns the first line of a file that is its owner's alone.
func readSecretFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", secretError(peerlink.CodeIO, err.Error())
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", secretError(peerlink.CodeIO, err.Error())
	}
	// Windows has no such bits: files in a user's folders are the user's.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return "", secretError(peerlink.CodeInvalid, fmt.Sprintf("%s is open to other users (mode %04o): chmod 600 it", name, mode))
	}
	return firstLine(f)
}

// secretFromInput returns the first line of in; from a terminal, without echo.
func secretFromInput(ctx context.Context, in *os.File, stderr io.Writer) (string, error) {
	if term.IsTerminal(int(in.Fd())) {
		return promptSecret(ctx, in, stderr)
	}
	return untilDone(ctx, func() (string, error) { return firstLine(in) })
}

// promptSecret asks on a terminal, without echo.
func promptSecret(ctx context.Context, in *os.File, stderr io.Writer) (string, error) {
	fd := int(in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", secretError(peerlink.CodeInvalid, "standard input is no terminal to ask on")
	}
	fmt.Fprint(stderr, "Secret: ")
	defer fmt.Fprintln(stderr)
	secret, err := untilDone(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	if err != nil {
		_ = term.Restore(fd, state) // an interrupted ReadPassword has not
		return "", inputError(err)
	}
	return secret, nil
}

// untilDone runs read, which may outlive the end of ctx: what waits for a terminal
// or a pipe cannot be called off.
func untilDone(ctx context.Context, read func() (string, error)) (string, error) {
	var line string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		line, err = read()
	}()
	select {
	case <-done:
		return line, err
	case <-ctx.Done():
		return "", &peerlink.Error{Code: peerlink.CodeCanceled, Op: "read secret", Err: ctx.Err()}
	}
}

// firstLine returns the first line of r without its end.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", inputError(err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

func inputError(err error) error {
	if _, typed := errors.AsType[*peerlink.Error](err); typed {
		return err
	}
	return secretError(peerlink.CodeIO, err.Error())
}

func secretError(code peerlink.Code, text string) error {
	return &peerlink.Error{Code: code, Op: "read secret", Err: errors.New(text)}
}

// secretArgument is the flag --secret, which there is only to say why there is none.
type secretArgument struct{}

var errSecretArgument = errors.New("a secret on the command line can be read by everybody on this machine, and stays in the history of the shell: " +
	"set " + secretEnv + ", or give --secret-file FILE or --secret-prompt")

func (secretArgument) String() string   { return "" }
func (secretArgument) Type() string     { return "string" }
func (secretArgument) Set(string) error { return errSecretArgument }
