package rpc_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A ledger writes down the notifications that it is given, each once go has a value.
type ledger struct {
	goOn  chan struct{} // nil: at once
	mu    sync.Mutex
	notes []int
}

func (l *ledger) service() rpc.Service {
	return rpc.Service{Name: "Ledger", Methods: []*rpc.Method{{
		Name: "Ledger.Note", Params: []string{"n"}, Notify: true,
		New: func() (any, any) { return new(numberParams), nil },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			if l.goOn != nil {
				select {
				case <-l.goOn:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.notes = append(l.notes, c.Params.(*numberParams).N)
			return nil
		},
	}}}
}

// written returns what was written down by now.
func (l *ledger) written() []int {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.notes)
}

type numberParams struct{ N int }

func (*numberParams) names() []string { return []string{"n"} }
func (p *numberParams) Field(int) any { return &p.N }

func note(ctx context.Context, conn rpc.Caller, n int) error {
	return conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Ledger.Note", Params: []string{"n"}, Notify: true}, Params: &numberParams{n}})
}

// oneTo is 1 to n.
func oneTo(n int) (is []int) {
	for i := range n {
		is = append(is, i+1)
	}
	return is
}

// A notification waits under its context while the peer takes no more, and goes out
// when half of what waited there has been handled.
func TestNotificationsWaitForCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{goOn: make(chan struct{})}
		conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Limits: rpc.Limits{Notifications: 64}}, l.service()), nil)
		for i := range 64 {
			if err := note(t.Context(), conn, i+1); err != nil {
				t.Fatal(err)
			}
		}
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, enough)
		defer cancel()
		if err := note(ctx, conn, 0); err != enough {
			t.Errorf("notification 65: %v", err)
		}
		sent := make(chan error)
		go func() { sent <- note(t.Context(), conn, 65) }()
		for range 31 {
			l.goOn <- struct{}{}
			synctest.Wait()
		}
		select {
		case err := <-sent:
			t.Errorf("notification 65 was sent after 31: %v", err)
		default:
		}
		l.goOn <- struct{}{}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		close(l.goOn)
		if got := l.written(); !slices.Equal(got, oneTo(65)) {
			t.Errorf("%v", got)
		}
	})
}

// What was sent during an outage arrives once and in order, however much it is: the
// receiver's credit holds it back until there is a connection again.
func TestNotificationsOverAnOutage(t *testing.T) {
	for _, scheme := range []string{"ws", "tcp"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const many = 5000
				l := &ledger{}
				b := breakable(t, scheme, nil, nil, l.service())
				b.refuse.Store(true)
				b.network.Cut()
				synctest.Wait()
				sent := make(chan error)
				go func() {
					for i := range many {
						if err := note(t.Context(), b.Conn, i+1); err != nil {
							sent <- err
							return
						}
					}
					sent <- nil
				}()
				time.Sleep(10 * time.Second)
				b.refuse.Store(false)
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
				b.await(t, rpc.Connected)
				if got := l.written(); !slices.Equal(got, oneTo(many)) || b.Conn.State().Session != 1 {
					t.Errorf("%d notifications, the last %v; %+v", len(got), got[max(len(got)-3, 0):], b.Conn.State())
				}
			})
		})
	}
}

// A handler must not wait for what may wait for it: that of a notification is refused
// at once, that of a call after ten seconds.
func TestNotificationsOutOfHandlers(t *testing.T) {
	for _, notify := range []bool{true, false} {
		t.Run(strconv.FormatBool(notify), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				errs := make(chan error, 1)
				flood := rpc.Service{Name: "Flood", Methods: []*rpc.Method{{Name: "Flood.Begin", Notify: notify,
					Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
						var err error
						for i := 1; err == nil; i++ {
							err = note(ctx, rpc.Peer(ctx), i)
						}
						errs <- err
						return nil
					}}}}
				l := &ledger{goOn: make(chan struct{})}
				conn := rpctest.Pair(t.Context(), t, server(nil, flood), &rpc.ConnOptions{Services: []rpc.Service{l.service()}})
				begun := time.Now()
				if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Flood.Begin", Notify: notify}}); err != nil {
					t.Fatal(err)
				}
				err := <-errs
				e, ok := errors.AsType[*rpc.Error](err)
				if !ok || e.Code != rpc.CodeLimitReached || !rpc.NotRun(err) {
					t.Errorf("%v", err)
				}
				if took := time.Since(begun); notify && took != 0 || !notify && took != 10*time.Second {
					t.Errorf("it took %v", took)
				}
				close(l.goOn)
				if got := l.written(); len(got) != 4096 {
					t.Errorf("%d arrived", len(got))
				}
			})
		})
	}
}

// A notification lets the calls behind it go by calling its peer, by notifying it, and
// by Async; a method that is declared unordered is not in the order at all.
func TestNotificationsLetGo(t *testing.T) {
	hang := make(chan struct{})
	nopped := rpc.Call{Method: to("Client.Nop")}
	for name, test := range map[string]struct {
		note, call rpc.Method
		waits      bool
	}{
		"waits": {note: rpc.Method{Serve: served(nop)}, waits: true},
		"by a call": {note: rpc.Method{Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
			call := nopped
			return rpc.Peer(ctx).Call(ctx, &call)
		}}},
		"by a notification": {note: rpc.Method{Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
			call := nopped
			call.Method = &rpc.Method{Name: "Client.Nop", Notify: true}
			return rpc.Peer(ctx).Call(ctx, &call)
		}}},
		"by Async":               {note: rpc.Method{Serve: func(ctx context.Context, _ any, _ *rpc.Call) error { rpc.Async(ctx); return nil }}},
		"unordered notification": {note: rpc.Method{Serve: served(nop), Unordered: true}},
		"unordered call":         {note: rpc.Method{Serve: served(nop)}, call: rpc.Method{Unordered: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang = make(chan struct{})
				note, call := test.note, test.call
				note.Name, note.Notify = "Order.Note", true
				note.Serve = func(ctx context.Context, impl any, c *rpc.Call) error {
					if err := test.note.Serve(ctx, impl, c); err != nil {
						t.Error(err)
					}
					<-hang
					return nil
				}
				call.Name, call.Serve = "Order.Call", served(nop)
				srv := server(nil, rpc.Service{Name: "Order", Methods: []*rpc.Method{&note, &call}})
				conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Services: []rpc.Service{method("Client.Nop", nil, nop)}})
				if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Order.Note", Notify: true}}); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Second, func() { close(hang) })
				begun := time.Now()
				if err := conn.Call(t.Context(), &rpc.Call{Method: to("Order.Call")}); err != nil {
					t.Error(err)
				}
				if waited := time.Since(begun) == time.Second; waited != test.waits {
					t.Errorf("the call took %v", time.Since(begun))
				}
				<-hang
			})
		})
	}
}

// A call finds what the notifications before it have set, however they are packed.
func TestSetThenGet(t *testing.T) {
	l := &ledger{}
	svc := l.service()
	svc.Methods = append(svc.Methods, &rpc.Method{Name: "Ledger.Last", New: func() (any, any) { return nil, new(int) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			*c.Result.(*int) = l.notes[len(l.notes)-1]
			return nil
		}})
	conn := rpctest.Connect(t.Context(), t, svc)
	for i := range 2000 {
		if err := note(t.Context(), conn, i); err != nil {
			t.Fatal(err)
		}
		var last int
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Ledger.Last"), Result: &last}); err != nil || last != i {
			t.Fatalf("%d was set, and %d got: %v", i, last, err)
		}
	}
}

// A session that ends ends the calls that wait, and leaves nothing of them.
func TestEndWhileCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{goOn: make(chan struct{})}
		svc := l.service()
		ran := false
		svc.Methods = append(svc.Methods, &rpc.Method{Name: "Ledger.Call", Serve: func(context.Context, any, *rpc.Call) error { ran = true; return nil }})
		conn := rpctest.Connect(t.Context(), t, svc)
		if err := note(t.Context(), conn, 1); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error)
		for range 3 {
			go func() { errs <- conn.Call(t.Context(), &rpc.Call{Method: to("Ledger.Call")}) }()
		}
		synctest.Wait()
		conn.Close()
		for range 3 {
			if err := <-errs; err == nil {
				t.Error("a call succeeded over a closed connection")
			}
		}
		time.Sleep(time.Minute)
		if ran {
			t.Error("a call ran behind the end")
		}
	})
}

// What was received before a goodbye, or before a socket ended whose session cannot
// be resumed, is handled; behind a breach and behind this side's own close it is not.
func TestNotificationsBehindTheEnd(t *testing.T) {
	const many = 100
	for name, test := range map[string]struct {
		end     func(b *breaking)
		handled bool
	}{
		"the peer closes":        {func(b *breaking) { b.Close() }, true},
		"the socket is cut":      {func(b *breaking) { b.network.Cut() }, true},
		"the server is closed":   {func(b *breaking) { b.srv.Load().Close() }, false},
		"the server shuts down":  {func(b *breaking) { b.srv.Load().Shutdown(context.Background()) }, true},
		"the peer breaks a rule": {nil, false},
	} {
		for _, scheme := range []string{"ws", "tcp"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := &ledger{goOn: make(chan struct{})}
					b := breakable(t, scheme, &rpc.ServerOptions{}, &rpc.DialOptions{Reconnect: rpc.Reconnect{Disabled: true}}, l.service())
					if test.end == nil {
						p := greetedLineClient(t, b.srv.Load())
						for i := range many {
							p.send(`{"jsonrpc":"2.0","method":"Ledger.Note","params":[%d]}`, i+1)
						}
						p.send("nonsense")
					} else {
						for i := range many {
							if err := note(t.Context(), b.Conn, i+1); err != nil {
								t.Fatal(err)
							}
						}
						synctest.Wait()
						go test.end(b)
					}
					synctest.Wait()
					handled := 0
					for range many {
						select {
						case l.goOn <- struct{}{}:
							handled++
						case <-time.After(time.Millisecond):
						}
					}
					if test.handled && handled != many || !test.handled && handled > 0 {
						t.Errorf("%d were handled", handled)
					}
					if got := l.written(); !slices.Equal(got, oneTo(handled)) {
						t.Errorf("%v", got)
					}
				})
			})
		}
	}
}

// Notifications behind the end are not handled without end.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		l := &ledger{goOn: make(chan struct{})}
		b := breakable(t, "tcp", &rpc.ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil)), Limits: rpc.Limits{LingerTimeout: time.Minute}}, nil, l.service())
		for i := range 5 {
			if err := note(t.Context(), b.Conn, i+1); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		b.Close()
		l.goOn <- struct{}{}
		time.Sleep(time.Minute)
		if got := l.written(); !slices.Equal(got, oneTo(1)) {
			t.Errorf("%v", got)
		}
		if text := log.String(); !strings.Contains(text, "notifications dropped at the end of the connection") || !strings.Contains(text, "count=3") {
			t.Errorf("the log says: %s", text)
		}
	})
}
