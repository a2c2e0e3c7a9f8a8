package rpc_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"github.com/wirecall/wirecall/rpc"
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
