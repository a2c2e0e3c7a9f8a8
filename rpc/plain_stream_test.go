package rpc_test

import (
	"bufio"
	"fmt"
	"iter"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A strangeServer is a server without streams of wirecall's, as a test writes it.
type strangeServer struct {
	net.Conn
	lines *bufio.Scanner
}

// connectStranger connects a client to a server that refuses rpc.hello.
func connectStranger(t *testing.T, limits rpc.Limits) (*StrangeClient, *rpc.Conn, *strangeServer) {
	near, far := net.Pipe()
	srv := &strangeServer{far, bufio.NewScanner(far)}
	go func() {
		srv.request()
		srv.write(`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`)
	}()
	conn, err := rpc.NewConn(t.Context(), near, &rpc.ConnOptions{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewStrangeClient(conn), conn, srv
}

func (s *strangeServer) request() string {
	s.lines.Scan()
	return s.lines.Text()
}

func (s *strangeServer) write(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// A subscription may last for any number of items as long as its reader keeps up, and
// holds no more than those that wait.
func TestLongSubscription(t *testing.T) {
	const rounds, items = 30, 2000 // together more than may ever be on their way
	client, conn, srv := connectStranger(t, rpc.Limits{SubscriptionItems: items})
	more, unsubscribed := make(chan int), make(chan string)
	go func() {
		srv.request()
		srv.write(`{"jsonrpc":"2.0","id":2,"result":7}`)
		for range rounds {
			from := <-more
			for i := range items {
				srv.write(`{"jsonrpc":"2.0","method":"st_block","params":{"subscription":7,"result":%d}}`, from+i)
			}
		}
		unsubscribed <- srv.request()
	}()
	blocks, err := client.SubscribeBlock(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	more <- 0
	next := 0
	for n, err := range blocks {
		if err != nil || n != next {
			t.Fatal(n, err, "want", next)
		}
		if next++; next == rounds*items {
			break
		}
		if next%items == 0 {
			more <- next
		}
	}
	if got := <-unsubscribed; got != `{"jsonrpc":"2.0","id":3,"method":"st_unsubscribeBlock","params":[7]}` {
		t.Error(got)
	}
	if st := conn.Stats(); st.BufferedBytes != 0 || st.StreamsTaken != 0 {
		t.Errorf("%+v", st)
	}
}

// A server that sends millions of items to a reader that does not read costs what the
// limit allows, before and after the answer.
func TestFloodOfItems(t *testing.T) {
	client, conn, srv := connectStranger(t, rpc.Limits{SubscriptionItems: 100})
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		srv.request()
		for range 20_000 {
			srv.write(`{"jsonrpc":"2.0","method":"st_block","params":{"subscription":"x","result":1}}`)
		}
		srv.write(`{"jsonrpc":"2.0","id":2,"result":"x"}`)
		go func() {
			for srv.lines.Scan() {
			}
		}()
		for range 20_000 {
			srv.write(`{"jsonrpc":"2.0","method":"st_block","params":{"subscription":"x","result":1}}`)
		}
	}()
	blocks, err := client.SubscribeBlock(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	<-flooded
	if st := conn.Stats(); st.BufferedBytes > 100 {
		t.Errorf("%d bytes wait", st.BufferedBytes)
	}
	all, err := rpc.Collect(blocks)
	if len(all) != 100 || rpc.CodeOf(err) != rpc.CodeSlowConsumer {
		t.Error(len(all), err)
	}
}

// A subscription whose method has a cursor goes on in another after its connection was
// lost. Any other ends with an error, and the connection is made again.
func TestSubscriptionsAfterReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{}
		srv := server(nil, services()...)
		go srv.Serve(t.Context(), network.Listen())
		defer srv.Close()
		conn, err := rpc.Dial(t.Context(), "tcp://peer", &rpc.DialOptions{NetDial: network.Dial, Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := NewStrangeClient(conn)
		marks, err := client.After(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := client.SubscribeBlock(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		next := 8
		for m, err := range marks {
			if err != nil || m.N != next {
				t.Fatal(m, err, "want", next)
			}
			switch next++; next {
			case 10, 13:
				network.Cut()
			case 16:
				goto over
			}
		}
	over:
		all, err := rpc.Collect(blocks)
		if len(all) == 0 || rpc.CodeOf(err) != rpc.CodeUnavailable {
			t.Error(all, err)
		}
		if heads, err := client.Heads(t.Context(), 2); err != nil {
			t.Error(err)
		} else {
			next, stop := iter.Pull2(heads)
			defer stop()
			if n, err, ok := next(); n != 1 || err != nil || !ok {
				t.Error(n, err, ok)
			}
		}
	})
}

// Streams on several connections to one server do not mix, though their ids are the same.
func TestSubscriptionsOfSeveralConnections(t *testing.T) {
	srv := server(nil, services()...)
	defer srv.Close()
	network := &rpctest.Network{}
	go srv.Serve(t.Context(), network.Listen())
	var all sync.WaitGroup
	for range 8 {
		conn, err := rpc.Dial(t.Context(), "tcp://peer", &rpc.DialOptions{NetDial: network.Dial, Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := NewStrangeClient(conn)
		for n := range 20 {
			all.Go(func() {
				items, err := client.Sync(t.Context(), n)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := rpc.Collect(items)
				if len(got) != n || err != nil {
					t.Error(n, got, err)
				}
			})
		}
	}
	all.Wait()
}

// The option sends all calls by position, whatever the contract says.
func TestByPosition(t *testing.T) {
	near, far := net.Pipe()
	srv := &strangeServer{far, bufio.NewScanner(far)}
	conn, err := rpc.NewConn(t.Context(), near, &rpc.ConnOptions{Plain: true, ByPosition: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got := make(chan string, 1)
	go func() {
		got <- srv.request()
		srv.write(`{"jsonrpc":"2.0","id":1,"result":3}`)
	}()
	if sum, err := NewSubjectClient(conn).Add(t.Context(), 1, 2); sum != 3 || err != nil {
		t.Error(sum, err)
	}
	if line := <-got; line != `{"jsonrpc":"2.0","id":1,"method":"Test.Add","params":[1,2]}` {
		t.Error(line)
	}
}
