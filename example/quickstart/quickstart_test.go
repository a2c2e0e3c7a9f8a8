package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/example/quickstart/kitchen"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// A call:
	//   omelette for 700 cents
	// A notification, which nobody answers:
	//   in the kitchen: the bell of table 7
	// An error with a type:
	//   caviar is not on the menu; the kitchen suggests soup
	// A stream from the server:
	//   soup
	//   omelette
	//   pie
	// An upload, watched as a snapshot and its changes:
	//   in the larder: 6 eggs
	//   delivered: 20 pieces
	//   now 8 leeks
	//   now 18 eggs
	// Streams in both directions:
	//   more salt in the soup
	//   more salt in the gravy
	// A call from the server to the client:
	//   the kitchen asks: how would you like it? [rare medium well done]
	//   steak, medium
	// A stream that is left:
	//   do
	//   re
	//   mi
	//   in the kitchen: the music stops
}

// The guest neither knows nor cares what is between it and the kitchen, and
// nothing is left running when it has gone: a bubble ends only then.
func TestInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cook := newCook()
		srv := rpc.NewServer(nil)
		srv.Register(kitchen.KitchenService(cook))
		g := &guest{out: t.Output(), heard: cook.heard}
		conn := rpctest.Pair(t, srv, &rpc.ConnOptions{Services: []rpc.Service{kitchen.GuestService(g)}})
		g.kitchen = kitchen.NewKitchenClient(conn)
		if err := g.dine(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// Without a wire between the two, the same code still works, but for what
// needs a peer to call.
func TestWithoutWire(t *testing.T) {
	cook := newCook()
	g := &guest{kitchen: cook, out: t.Output(), heard: cook.heard}
	for _, do := range []func(context.Context) error{g.order, g.ring, g.orderInVain, g.dinner, g.deliver, g.taste, g.listen} {
		if err := do(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := g.steak(t.Context()); err == nil {
		t.Error("a steak without anybody to ask")
	}
}

func TestManyGuests(t *testing.T) {
	srv := rpc.NewServer(nil)
	defer srv.Close()
	srv.Register(kitchen.KitchenService(newCook()))
	web := httptest.NewServer(srv)
	defer web.Close()

	var guests sync.WaitGroup
	for range 16 {
		guests.Go(func() {
			g := &guest{out: t.Output()}
			conn, err := rpc.Dial(t.Context(), web.URL, &rpc.DialOptions{Services: []rpc.Service{kitchen.GuestService(g)}})
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			g.kitchen = kitchen.NewKitchenClient(conn)
			for _, do := range []func(context.Context) error{g.order, g.orderInVain, g.dinner, g.taste, g.steak} {
				if err := do(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	guests.Wait()
}
