package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// numbers is a service with a method for each way in which a call can hold on to
// something.
var numbers = Service{Methods: []Method{
	{Name: "Add", New: func() (any, any) { return new(two), new(int) }, Serve: func(_ context.Context, c *Call) error {
		*c.Result.(*int) = c.Params.(*two).A + c.Params.(*two).B
		return nil
	}},
	{Name: "Count", New: func() (any, any) { return new(two), new(Stream) }, Serve: func(_ context.Context, c *Call) error {
		*c.Result.(*Stream) = From(upTo(c.Params.(*two).A))
		if c.Params.(*two).B > 0 {
			return errors.New("not today")
		}
		return nil
	}},
	{Name: "Sum", New: func() (any, any) { return new(one), new(int) }, Serve: func(_ context.Context, c *Call) error {
		for n, err := range To[int](c.Params.(*one).Nums) {
			if err != nil {
				return err
			}
			*c.Result.(*int) += n
		}
		return nil
	}},
	{Name: "Drop", New: func() (any, any) { return new(one), nil }, Serve: func(context.Context, *Call) error { return nil }},
	{Name: "Wait", Serve: func(ctx context.Context, _ *Call) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}},
	{Name: "Panic", Serve: func(context.Context, *Call) error { panic("at the disco") }},
}}

type two struct{ A, B int }

func (p *two) Fields() []Field { return []Field{{"a", &p.A}, {"b", &p.B}} }

type one struct{ Nums Stream }

func (p *one) Fields() []Field { return []Field{{"nums", &p.Nums}} }

func upTo(n int) func(func(int, error) bool) {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// ends connects both ends of a connection in memory.
func ends(t *testing.T, srv *Server, opts *DialOptions) (client, server *Conn) {
	t.Helper()
	near, far := net.Pipe()
	go srv.ServeConn(context.Background(), far)
	client, err := NewConn(t.Context(), near, opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for c := range srv.conns {
		server = c.conn
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// holds says what a connection still holds, "" where it is nothing.
func holds(conn *Conn) (s string) {
	c := conn.session.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	waiting, parked := c.workers.Stats()
	for _, held := range []struct {
		what string
		n    int
	}{
		{"calls", len(c.state.calls)}, {"incoming", len(c.state.incoming)}, {"handlers", c.state.handlers},
		{"sinks", len(c.state.sinks)}, {"sources counted", c.state.sources}, {"sources", len(c.out.sources)},
		{"in the ring", len(c.out.ring)}, {"bytes of items", c.out.items}, {"bytes to send", c.out.first.size()},
		{"waiting for room", len(c.out.room) + len(c.out.itemRoom)}, {"waiting for a slot", len(c.state.slots.waiting)},
		{"bytes buffered", int(c.buffered.Load())}, {"notifications", len(c.state.notes.queue)},
		{"calls to run", waiting}, {"workers", parked},
	} {
		if held.n != 0 {
			s += fmt.Sprintf("%d %s; ", held.n, held.what)
		}
	}
	if c.out.flushing {
		s += "flushing; "
	}
	return s
}

// Whatever a call did, nothing of it stays: no map entry, no count, no byte, no
// goroutine (the bubble would notice) on either side.
func TestNothingLeftBehind(t *testing.T) {
	calls := map[string]func(t *testing.T, c *Conn){
		"call": func(t *testing.T, c *Conn) { var n int; call(t, c, "Add", &two{1, 2}, &n) },
		"error": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: "Count", Params: &two{5, 1}, Result: new(Stream)})
		},
		"panic":      func(t *testing.T, c *Conn) { c.Call(t.Context(), &Call{Method: "Panic"}) },
		"no method":  func(t *testing.T, c *Conn) { c.Call(t.Context(), &Call{Method: "Nope", Params: &one{From(upTo(5))}}) },
		"bad params": func(t *testing.T, c *Conn) { s := "x"; c.Call(t.Context(), &Call{Method: "Add", Params: &s}) },
		"bad result": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: "Add", Params: &two{}, Result: new(string)})
		},
		"stream":       func(t *testing.T, c *Conn) { var s Stream; call(t, c, "Count", &two{1000, 0}, &s); take(s, 1000) },
		"left stream":  func(t *testing.T, c *Conn) { var s Stream; call(t, c, "Count", &two{1000, 0}, &s); take(s, 3) },
		"unclaimed":    func(t *testing.T, c *Conn) { call(t, c, "Count", &two{1000, 0}, nil) },
		"upload":       func(t *testing.T, c *Conn) { var n int; call(t, c, "Sum", &one{From(upTo(1000))}, &n) },
		"unread param": func(t *testing.T, c *Conn) { call(t, c, "Drop", &one{From(upTo(1000))}, nil) },
		"nil stream":   func(t *testing.T, c *Conn) { var n int; call(t, c, "Sum", &one{}, &n) },
		"bad param": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: "Sum", Params: &one{From(func(yield func(chan int, error) bool) { yield(nil, nil) })}, Result: new(int)})
		},
		"cancel": func(t *testing.T, c *Conn) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c.Call(ctx, &Call{Method: "Wait"})
		},
		"cancelled stream": func(t *testing.T, c *Conn) {
			ctx, cancel := context.WithCancel(t.Context())
			var s Stream
			if err := c.Call(ctx, &Call{Method: "Count", Params: &two{1000, 0}, Result: &s}); err != nil {
				t.Fatal(err)
			}
			cancel()
			take(s, 1000)
		},
		"notification": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: "Count", Params: &two{9, 0}, Notify: true})
		},
		"too large": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: "Add", Params: new(make([]byte, 2<<20))})
		},
	}
	for name, do := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := NewServer(nil)
				srv.Register(numbers)
				client, server := ends(t, srv, nil)
				do(t, client)
				time.Sleep(3 * time.Second) // workers go home
				synctest.Wait()
				if s := holds(client); s != "" {
					t.Errorf("the client holds %s", s)
				}
				if s := holds(server); s != "" {
					t.Errorf("the server holds %s", s)
				}
				if client.session.Load().state.slots.free != 256 {
					t.Errorf("%d slots are free, want 256", client.session.Load().state.slots.free)
				}
			})
		})
	}
}

func call(t *testing.T, c *Conn, method string, params, result any) {
	t.Helper()
	if err := c.Call(t.Context(), &Call{Method: method, Params: params, Result: result}); err != nil {
		t.Fatal(err)
	}
}

// take takes n items of a stream and leaves it.
func take(s Stream, n int) {
	for range To[int](s) {
		if n--; n <= 0 {
			return
		}
	}
}
