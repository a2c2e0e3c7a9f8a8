// Scenario does one thing N times over a connection between a client and a
// server in this process, and closes both. Package counts builds it with
// coverage counters, and compares the counters of two runs.
//
//	scenario call|item|cut N
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// warmUp is how often a thing is done beside N, so that what happens only at
// its first time is in the counters of every run.
const warmUp = 2

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scenario:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("want a scenario and a number")
	}
	do, ok := map[string]func(*pair, int) error{"call": (*pair).calls, "item": (*pair).items, "cut": (*pair).cuts}[args[0]]
	n, err := strconv.Atoi(args[1])
	if !ok || err != nil {
		return fmt.Errorf("unknown scenario %q", args)
	}
	p, err := connect(args[0] == "cut")
	if err != nil {
		return err
	}
	return errors.Join(do(p, warmUp+n), p.close())
}

// A pair is a client and its server.
type pair struct {
	conn    *rpc.Conn
	client  Counter
	counter *counter
	dialed  chan net.Conn // the client's sockets
	close   func() error
}

// connect serves a counter on a free port of the loopback interface and dials
// it, with the defaults or so that both sides keep sessions.
func connect(resume bool) (*pair, error) {
	p := &pair{counter: &counter{ask: make(chan struct{})}, dialed: make(chan net.Conn, 1)}
	var opts rpc.ServerOptions
	if resume {
		opts.Sessions = &rpc.SessionOptions{}
	}
	srv := rpc.NewServer(&opts)
	srv.Register(CounterService(p.counter))
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	web := &http.Server{Handler: srv}
	go web.Serve(ln)
	p.conn, err = rpc.Dial(context.Background(), "ws://"+ln.Addr().String(), &rpc.DialOptions{
		Resume:    resume,
		NetDial:   p.dial,
		Reconnect: rpc.Reconnect{MinDelay: time.Millisecond, MaxDelay: time.Millisecond},
	})
	p.client = NewCounterClient(p.conn)
	p.close = func() error { return errors.Join(p.conn.Close(), srv.Close(), web.Close()) }
	return p, err
}

func (p *pair) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	socket, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		p.dialed <- socket
	}
	return socket, err
}

// calls makes n calls, one after the other.
func (p *pair) calls(n int) error {
	for i := range n {
		if _, err := p.client.Add(context.Background(), i, 1); err != nil {
			return err
		}
	}
	return nil
}

// items receives n items of one stream. Each is sent when the one before has
// been received, so that no two share a frame.
func (p *pair) items(n int) error {
	ticks, err := p.client.Ticks(context.Background())
	if err != nil {
		return err
	}
	p.counter.ask <- struct{}{}
	for i, err := range ticks {
		if err != nil {
			return err
		}
		if i == n {
			close(p.counter.ask)
			continue
		}
		p.counter.ask <- struct{}{}
	}
	return nil
}

// cuts cuts the socket n times, with nothing in flight, and waits each time
// until the session is resumed.
func (p *pair) cuts(n int) error {
	for range n {
		socket := <-p.dialed
		if err := p.connected(); err != nil {
			return err
		}
		socket.Close()
	}
	<-p.dialed
	return p.connected()
}

// connected returns once the socket dialed last is in use: until then the state
// is not Connected.
func (p *pair) connected() error {
	for s := range p.conn.States(context.Background()) {
		if s.Phase == rpc.Connected {
			return nil
		}
	}
	return p.conn.Err()
}
