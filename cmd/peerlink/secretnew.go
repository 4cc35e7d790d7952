package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	peerlink "github.com/peerlink/peerlink/core"
)

func (a *app) secretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Make the secret of a realm",
		Args:  withoutArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	// There is no node here, and so none of its flags.
	cmd.SetHelpFunc(func(c *cobra.Command, args []string) {
		for _, name := range nodeFlags {
			_ = c.InheritedFlags().MarkHidden(name)
		}
		c.Root().HelpFunc()(c, args)
	})
	cmd.AddCommand(a.secretNewCommand())
	return cmd
}

func (a *app) secretNewCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Print a new secret that cannot be guessed",
		Long: `Print a new secret of 256 random bits. Nodes that are given the same one find,
authenticate and call each other, and nobody else.`,
		Example: `  peerlink secret new --out realm.secret
  peerlink serve --name Phone1 --secret-file realm.secret`,
		Args: withoutArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range nodeFlags {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("secret new takes no --%s", name)
				}
			}
			return nil
		},
		RunE: work(func(context.Context, []string) error { return a.secretNew(out) }),
	}
	cmd.Flags().StringVar(&out, "out", "", "write it to this new `FILE` instead, which only you can read")
	return cmd
}

// withoutArgs refuses arguments without quoting them: one may be a secret.
func withoutArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q takes no such argument", cmd.CommandPath())
	}
	return nil
}

func (a *app) secretNew(out string) error {
	secret := peerlink.NewSecret()
	if out == "" {
		a.out.print(map[string]string{"secret": secret}, "%s", secret)
		return nil
	}
	if err := writeSecret(out, secret); err != nil {
		return err
	}
	a.out.print(map[string]string{"file": out}, "A new secret is in %s", printable(out))
	return nil
}

// writeSecret makes a file that only its owner can read.
func writeSecret(name, secret string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &peerlink.Error{Code: peerlink.CodeInvalid, Op: "write secret", Err: fmt.Errorf("%s is there already, and stays as it is", name)}
	}
	if err == nil {
		_, err = f.WriteString(secret + "\n")
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			_ = os.Remove(name) // half a secret
		}
	}
	if err != nil {
		return &peerlink.Error{Code: peerlink.CodeIO, Op: "write secret", Err: err}
	}
	return nil
}
