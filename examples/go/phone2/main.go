// Phone2 finds Phone1 and has it add two numbers.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	node, err := peerlink.Start(ctx, peerlink.Config{Name: "Phone2"})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	phone1, err := node.WaitPeer(ctx, "Phone1")
	if err != nil {
		log.Fatal(err)
	}
	sum, err := peerlink.Call[int](ctx, phone1, "add", 25, 17)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum) // 42
}
