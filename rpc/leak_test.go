package rpc

import (
	"context"
	"errors"
	"iter"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
)

// numbers is a service with a method for each way in which a call can hold on to
// something.
var numbers = Service{Methods: []*Method{
	{Name: "Add", Params: []string{"a", "b"}, New: func() (any, any) { return new(two), new(int) }, Serve: func(_ context.Context, _ any, c *Call) error {
		*c.Result.(*int) = c.Params.(*two).A + c.Params.(*two).B
		return nil
	}},
	{Name: "Count", Params: []string{"a", "b"}, New: func() (any, any) { return new(two), new(contract.Stream) }, Serve: func(_ context.Context, _ any, c *Call) error {
		*c.Result.(*contract.Stream) = produced(upTo(c.Params.(*two).A))
		if c.Params.(*two).B > 0 {
			return errors.New("not today")
		}
		return nil
	}},
	{Name: "Sum", Params: []string{"nums"}, New: func() (any, any) { return new(one), new(int) }, Serve: func(_ context.Context, _ any, c *Call) error {
		return c.Params.(*one).Nums.Each(func(item contract.Item) bool {
			var n int
			err := item.Decode(&n)
			*c.Result.(*int) += n
			return err == nil
		})
	}},
	{Name: "Drop", Params: []string{"nums"}, New: func() (any, any) { return new(one), nil }, Serve: func(context.Context, any, *Call) error { return nil }},
	{Name: "Wait", Serve: func(ctx context.Context, _ any, _ *Call) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}},
	{Name: "Panic", Serve: func(context.Context, any, *Call) error { panic("at the disco") }},
}}

type two struct{ A, B int }

func (p *two) Field(i int) any { return [...]any{&p.A, &p.B}[i] }

type one struct{ Nums contract.Stream }

func (p *one) Field(int) any { return &p.Nums }

// An unsendable has a stream and a value that cannot be encoded.
type unsendable struct {
	Nums contract.Stream
	Func any
}

func (p *unsendable) Field(i int) any { return [...]any{&p.Nums, &p.Func}[i] }

// numbersMethod is a method of numbers, or one that it does not have.
func numbersMethod(name string) *Method {
	for _, m := range numbers.Methods {
		if m.Name == name {
			return m
		}
	}
	return &Method{Name: name}
}

// produced is gen1.Send, which a test in this package cannot import.
func produced[T any](seq iter.Seq2[T, error]) contract.Stream {
	return contract.Stream{Local: func(emit func(any) bool) error {
		for v, err := range seq {
			if err != nil || !emit(&v) {
				return err
			}
		}
		return nil
	}}
}

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
func ends(t *testing.T, srv *Server, opts *ConnOptions) (client, server *Conn) {
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
		server = connOf(c)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// Whatever a call did, nothing of it stays: no map entry, no count, no byte, no
// goroutine (the bubble would notice) on either side.
func TestNothingLeftBehind(t *testing.T) {
	calls := map[string]func(t *testing.T, c *Conn){
		"call": func(t *testing.T, c *Conn) { var n int; call(t, c, "Add", &two{1, 2}, &n) },
		"error": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: numbersMethod("Count"), Params: &two{5, 1}, Result: new(contract.Stream)})
		},
		"panic": func(t *testing.T, c *Conn) { c.Call(t.Context(), &Call{Method: numbersMethod("Panic")}) },
		"no method": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: numbersMethod("Nope"), Params: &one{produced(upTo(5))}})
		},
		"bad params": func(t *testing.T, c *Conn) {
			s := "x"
			c.Call(t.Context(), &Call{Method: numbersMethod("Add"), Params: &s})
		},
		"bad result": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: numbersMethod("Add"), Params: &two{}, Result: new(string)})
		},
		"stream": func(t *testing.T, c *Conn) {
			var s contract.Stream
			call(t, c, "Count", &two{1000, 0}, &s)
			take(s, 1000)
		},
		"left stream":  func(t *testing.T, c *Conn) { var s contract.Stream; call(t, c, "Count", &two{1000, 0}, &s); take(s, 3) },
		"unclaimed":    func(t *testing.T, c *Conn) { call(t, c, "Count", &two{1000, 0}, nil) },
		"upload":       func(t *testing.T, c *Conn) { var n int; call(t, c, "Sum", &one{produced(upTo(1000))}, &n) },
		"unread param": func(t *testing.T, c *Conn) { call(t, c, "Drop", &one{produced(upTo(1000))}, nil) },
		"nil stream":   func(t *testing.T, c *Conn) { var n int; call(t, c, "Sum", &one{}, &n) },
		"bad param": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: numbersMethod("Sum"), Params: &one{produced(func(yield func(chan int, error) bool) { yield(nil, nil) })}, Result: new(int)})
		},
		"cancel": func(t *testing.T, c *Conn) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c.Call(ctx, &Call{Method: numbersMethod("Wait")})
		},
		"cancelled stream": func(t *testing.T, c *Conn) {
			ctx, cancel := context.WithCancel(t.Context())
			var s contract.Stream
			if err := c.Call(ctx, &Call{Method: numbersMethod("Count"), Params: &two{1000, 0}, Result: &s}); err != nil {
				t.Fatal(err)
			}
			cancel()
			take(s, 1000)
		},
		"notification": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: &Method{Name: "Count", Notify: true, Params: []string{"a", "b"}}, Params: &two{9, 0}})
		},
		"unsendable": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: &Method{Name: "Sum", Params: []string{"nums", "func"}}, Params: &unsendable{produced(upTo(5)), func() {}}})
		},
		"too large": func(t *testing.T, c *Conn) {
			c.Call(t.Context(), &Call{Method: numbersMethod("Add"), Params: new(make([]byte, 2<<20))})
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
				if s := session.Unreleased(client.session.Load()); s != "" {
					t.Errorf("the client holds %s", s)
				}
				if s := session.Unreleased(server.session.Load()); s != "" {
					t.Errorf("the server holds %s", s)
				}
				if free := session.AvailableCalls(client.session.Load()); free != 256 {
					t.Errorf("%d more calls are allowed, want 256", free)
				}
			})
		})
	}
}

func call(t *testing.T, c *Conn, method string, params, result any) {
	t.Helper()
	if err := c.Call(t.Context(), &Call{Method: numbersMethod(method), Params: params, Result: result}); err != nil {
		t.Fatal(err)
	}
}

// take takes n items of a stream and leaves it.
func take(s contract.Stream, n int) {
	_ = s.Each(func(contract.Item) bool { n--; return n > 0 })
}
