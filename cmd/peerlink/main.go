// Command peerlink looks around on the network, calls functions of nodes, serves
// a few for demonstration, and makes secrets.
//
// Exit codes: 0 success, 1 the network or a peer said no, or a file is not as it
// should be, 2 the command line is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	peerlink "github.com/peerlink/peerlink/core"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], output{stdout: os.Stdout, stderr: os.Stderr})
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, out output) int {
	a := &app{out: out}
	root := a.command()
	root.SetArgs(args)
	root.SetOut(out.stdout)
	root.SetErr(out.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if failed, ok := errors.AsType[*failure](err); ok {
		a.out.fail(failed.err)
		return 1
	}
	fmt.Fprintf(out.stderr, "peerlink: %v\nTry 'peerlink help'.\n", err)
	return 2
}

// failure is an error of the work, in contrast to one of the command line.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }

// app is what all commands share.
type app struct {
	out     output
	name    string
	logging bool
	secret  secretSource
	legacy  bool
	allow   fingerprints
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "peerlink",
		Short:         "Find the nodes of this network, and call their functions",
		Version:       peerlink.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.PersistentFlags().BoolVar(&a.out.json, "json", false, "print JSON")
	a.addNodeFlags(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if errors.Is(err, errSecretArgument) {
			return errSecretArgument // alone: what is around it quotes the value
		}
		return err
	})
	root.AddCommand(a.discoverCommand(), a.pingCommand(), a.callCommand(), a.serveCommand(), a.secretCommand())
	return root
}

// addNodeFlags adds what all commands with a node take. The flags may come before
// the command.
func (a *app) addNodeFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&a.name, "name", "", "name of this node (default: that of the machine for serve, else a new one each time)")
	flags.BoolVar(&a.logging, "log", false, "print what the node does to standard error")
	flags.StringVar(&a.secret.file, "secret-file", "", "`FILE` whose first line is the secret; - is standard input (default: $"+secretEnv+", else the open realm)")
	flags.BoolVar(&a.secret.prompt, "secret-prompt", false, "ask for the secret on the terminal")
	flags.Var(secretArgument{}, "secret", "")
	flags.BoolVar(&a.legacy, "allow-legacy", false, "with a secret, speak with 1.x nodes too, unencrypted; without one that is so anyway")
	flags.Var(&a.allow, "allow", "talk only to the node with this `FINGERPRINT`, 64 hexadecimal digits; repeatable (default: all of the realm)")
	_ = flags.MarkHidden("secret")
	root.MarkFlagsMutuallyExclusive("secret-file", "secret-prompt")
}

// nodeFlags are those of addNodeFlags that others see.
var nodeFlags = []string{"name", "log", "secret-file", "secret-prompt", "allow-legacy", "allow"}

// work makes a cobra function of one whose errors are failures.
func work(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := f(cmd.Context(), args); err != nil {
			return &failure{err}
		}
		return nil
	}
}
