package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	peerlink "github.com/peerlink/peerlink/core"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	node, err := peerlink.Start(ctx, peerlink.Config{
		Name: "Phone1",
		Handlers: map[string]any{
			"add": func(a, b int) int { return a + b },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Phone1 is ready")
	<-ctx.Done()
	node.Close()
}
