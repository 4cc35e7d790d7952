package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	peerlink "github.com/peerlink/peerlink/core"
)

func (a *app) callCommand() *cobra.Command {
	var c call
	cmd := &cobra.Command{
		Use:   "call NAME FUNC [ARGS]",
		Short: "Call a function of a node and print its result",
		Long: `Call a function of a node and print its result as JSON.

ARGS is one JSON array of all arguments, or the arguments one by one, each as
JSON. An array that is the only argument is written [[1, 2]].`,
		Example: `  peerlink call Phone1 add '[25, 17]'
  peerlink call Phone1 add 25 17
  peerlink call Phone1 add -- -1 2
  peerlink call Phone1 greet '"world"' --kwargs '{"loud": true}'`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := request(args[2:], c.kwargs)
			if err != nil {
				return err
			}
			c.name, c.fn, c.req = args[0], args[1], req
			return work(func(ctx context.Context, _ []string) error { return a.call(ctx, c) })(cmd, args)
		},
	}
	cmd.Flags().DurationVar(&c.timeout, "timeout", peerlink.DefaultTimeout, "how long to look for the node, and to wait for the result")
	cmd.Flags().StringVar(&c.kwargs, "kwargs", "", "keyword arguments, a JSON object")
	return cmd
}

type call struct {
	name, fn, kwargs string
	timeout          time.Duration
	req              peerlink.Payload
}

func (a *app) call(ctx context.Context, c call) error {
	n, err := a.start(ctx, peerlink.Config{Hidden: true})
	if err != nil {
		return err
	}
	defer n.Close()
	p, err := waitFor(ctx, n, c.name, c.timeout)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	result, err := p.CallRaw(ctx, c.fn, c.req)
	if err == nil {
		result, err = result.Convert(peerlink.JSON)
	}
	if err != nil {
		return err
	}
	// Not json.RawMessage: a result may hold NaN, which encoding/json refuses.
	if a.out.json {
		peer, _ := json.Marshal(p.Name())
		fmt.Fprintf(a.out.stdout, "{\"peer\": %s, \"result\": %s}\n", peer, result.Bytes)
		return nil
	}
	fmt.Fprintf(a.out.stdout, "%s\n", result.Bytes)
	return nil
}

// request makes a payload of the arguments on the command line.
func request(args []string, kwargs string) (peerlink.Payload, error) {
	var list []byte
	switch {
	case len(args) == 1 && isArray(args[0]):
		list = []byte(args[0])
	default:
		values := make([][]byte, len(args))
		for i, arg := range args {
			if err := checkJSON(arg); err != nil {
				return peerlink.Payload{}, err
			}
			values[i] = []byte(arg)
		}
		list = append(append([]byte{'['}, bytes.Join(values, []byte(", "))...), ']')
	}
	if kwargs != "" {
		if err := json.Unmarshal([]byte(kwargs), &map[string]any{}); err != nil {
			return peerlink.Payload{}, fmt.Errorf("--kwargs is no JSON object: %w", err)
		}
		list = append(list, kwargs...)
	}
	return peerlink.Payload{Codec: peerlink.JSON, Bytes: list}, nil
}

func isArray(arg string) bool {
	return strings.HasPrefix(strings.TrimSpace(arg), "[") && checkJSON(arg) == nil
}

// checkJSON takes one value of what PeerLink takes, NaN for example.
func checkJSON(arg string) error {
	_, inside := peerlink.Payload{Codec: peerlink.JSON, Bytes: []byte("[" + arg + "]")}.Convert(peerlink.CBOR)
	_, alone := peerlink.Payload{Codec: peerlink.JSON, Bytes: []byte(arg)}.Convert(peerlink.CBOR)
	if inside == nil && alone == nil && strings.TrimSpace(arg) != "" { // it is one value, not two
		return nil
	}
	quoted, _ := json.Marshal(arg)
	return fmt.Errorf("argument %s is no JSON; a string is written '%s'", arg, quoted)
}
