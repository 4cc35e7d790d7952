package main

import (
	"context"
	"fmt"
	"log"

	peerlink "github.com/peerlink/peerlink/core"
)

func main() {
	ctx := context.Background()
	node, err := peerlink.Start(ctx, peerlink.Config{Name: "Phone2"})
	if err != nil {
		log.Fatal(err)
	}
	phone1, err := node.WaitPeer(ctx, "Phone1")
	if err != nil {
		log.Fatal(err)
	}
	sum, err := peerlink.Call[int](ctx, phone1, "add", 25, 17)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum) // 42
	node.Close()
}
