package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	bigs "math/big"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/passthrough"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// errNoTarget is what a passage answers for another target than its client.
var errNoTarget = contract.NotRun(int(rpc.CodeUnavailable), "nobody is there")

// passes makes a server that passes calls to the target client on to a connection of
// srv.
func passes(srv *rpc.Server) *rpc.Server {
	links := rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}})
	passthrough.Serve(links, func(_ context.Context, target string) (passthrough.Conn, error) {
		for conn := range srv.Connections() {
			if target == "client" {
				return conn, nil
			}
		}
		return nil, errNoTarget
	})
	return links
}

// A passage is a client that serves, and a link over which its services are called.
type passage struct {
	server       *rpc.Server // to which the client is connected
	client, link *rpc.Conn
	to           rpc.Caller
}

// newPassage connects both over pipes.
func newPassage(t *testing.T, client *rpc.ConnOptions) *passage {
	p := &passage{server: rpc.NewServer(nil)}
	p.client = rpctest.Pair(t.Context(), t, p.server, client)
	p.link = rpctest.Pair(t.Context(), t, passes(p.server), nil)
	p.to = passthrough.To(p.link, "client")
	return p
}

// Whatever a connection can carry reaches a client that is connected elsewhere.
func TestEverythingPassedThrough(t *testing.T) {
	t.Run("pipes", func(t *testing.T) {
		p := newPassage(t, &rpc.ConnOptions{Services: []rpc.Service{InteropService(newInterop())}})
		p.server.Register(serving()...)
		everything(t, p.to)
	})
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		t.Run(cd.Name(), func(t *testing.T) {
			srv := server(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}}, serving()...)
			passedOverWebSockets(t, srv, cd, InteropService(newInterop()), func(to rpc.Caller) { everything(t, to) })
		})
	}
}

// passedOverWebSockets calls f with a Caller whose calls are passed on to a client of srv
// that serves s.
func passedOverWebSockets(t *testing.T, srv *rpc.Server, cd codec.Codec, s rpc.Service, f func(to rpc.Caller)) {
	t.Helper()
	client, err := rpc.Dial(t.Context(), serveHTTP(t, srv).URL, &rpc.DialOptions{Codec: cd, Services: []rpc.Service{s}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	link, err := rpc.Dial(t.Context(), serveHTTP(t, passes(srv)).URL, &rpc.DialOptions{Codec: cd})
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	f(passthrough.To(link, "client"))
}

// valuesPassed are values that codecs write in ways of their own, and how deep a result
// and a parameter may nest.
func valuesPassed(cd codec.Codec) map[string]any {
	huge, _ := new(bigs.Int).SetString("-123456789012345678901234567890", 10)
	values := map[string]any{
		"bytes":     []byte{0, 0x20, 0xff},
		"times":     time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)),
		"big":       huge,
		"integer":   int64(math.MaxInt64),
		"minus one": -1, // a space, as a byte of CBOR
		"float":     5e-324,
		"text":      "<&>\u2028 \x00",
		"null":      nil,
		"deep":      json.RawMessage(strings.Repeat("[", 499) + "null" + strings.Repeat("]", 499)),
		"large":     bytes.Repeat([]byte{'x'}, 600<<10),
	}
	if cd.Format() == cbor.Codec.Format() {
		values["nan"], values["infinite"] = math.NaN(), math.Inf(-1)
	}
	return values
}

// A rawValue is as it was encoded.
type rawValue []byte

func (r *rawValue) UnmarshalJSON(b []byte) error { *r = bytes.Clone(b); return nil }
func (r *rawValue) UnmarshalCBOR(b []byte) error { *r = bytes.Clone(b); return nil }
func (r rawValue) MarshalJSON() ([]byte, error)  { return r, nil }
func (r rawValue) MarshalCBOR() ([]byte, error)  { return r, nil }

// echoParams is a parameter and a stream.
type echoParams struct {
	Value any
	Items gen1.Stream
}

func (*echoParams) names() []string   { return []string{"value", "items"} }
func (p *echoParams) Field(i int) any { return [...]any{p.Value, &p.Items}[i] }

// echoes is a service that returns what it is given, as it was encoded.
func echoes() rpc.Service {
	newValues := func() (any, any) {
		return &echoParams{Value: new(rawValue)}, &echoParams{Value: new(rawValue)}
	}
	echo := method("Test.Echo", newValues, func(_ context.Context, c *rpc.Call) error {
		p, r := c.Params.(*echoParams), c.Result.(*echoParams)
		r.Value, r.Items = p.Value, gen1.Send(gen1.Receive[rawValue](p.Items))
		return nil
	})
	whole := method("Test.Whole", func() (any, any) { return new([1]rawValue), new(rawValue) }, func(_ context.Context, c *rpc.Call) error {
		*c.Result.(*rawValue) = c.Params.(*[1]rawValue)[0]
		return nil
	})
	return rpc.Service{Methods: slices.Concat(echo.Methods, whole.Methods)}
}

// Values arrive as the caller's codec has encoded them, and come back as that of the
// client has.
func TestValuesPassedThrough(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		srv := server(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}})
		passedOverWebSockets(t, srv, cd, echoes(), func(to rpc.Caller) {
			for name, v := range valuesPassed(cd) {
				t.Run(cd.Name()+"/"+name, func(t *testing.T) { valuePassed(t, to, cd, v) })
			}
		})
	}
}

func valuePassed(t *testing.T, caller rpc.Caller, cd codec.Codec, v any) {
	want, err := cd.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	p, r := &echoParams{Value: &v, Items: gen1.Send(rpc.Of(v, v))}, &echoParams{Value: new(rawValue)}
	m := &rpc.Method{Name: "Test.Echo", Params: p.names(), Results: p.names()}
	if err := caller.Call(t.Context(), &rpc.Call{Method: m, Params: p, Result: r}); err != nil {
		t.Fatal(err)
	}
	items, err := collect(gen1.Receive[rawValue](r.Items))
	if err != nil {
		t.Fatal(err)
	}
	var whole rawValue
	if err := caller.Call(t.Context(), &rpc.Call{Method: to("Test.Whole"), Params: &[]any{v}, Result: &whole}); err != nil {
		t.Fatal(err)
	}
	for _, got := range append(items, *r.Value.(*rawValue), whole) {
		if !bytes.Equal(got, want) {
			t.Errorf("%.60q arrived as %.60q", want, got)
		}
	}
	if len(items) != 2 {
		t.Errorf("%d items", len(items))
	}
}

// What a client answers arrives with everything that an error has.
func TestErrorsPassedThrough(t *testing.T) {
	codecs := []codec.Codec{codec.JSON, cbor.Codec}
	for _, cd := range codecs {
		for name, fail := range map[string]error{
			"declared": &gatewayError{newDetails()},
			"other":    &rpc.Error{Code: 7003, Message: "no such lot", Type: "x.Y", Retry: 3 * time.Second},
		} {
			t.Run(cd.Name()+"/"+name, func(t *testing.T) {
				srv := server(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}})
				passedOverWebSockets(t, srv, cd, failing(fail), func(to rpc.Caller) { errorPassed(t, to, fail) })
			})
		}
	}
}

func errorPassed(t *testing.T, to rpc.Caller, want error) {
	var s gen1.Stream
	errs := []error{to.Call(t.Context(), &rpc.Call{Method: failing(nil).Methods[0]})}
	if err := to.Call(t.Context(), &rpc.Call{Method: failing(nil).Methods[1], Result: &s}); err != nil {
		t.Fatal(err)
	}
	_, end := collect(gen1.Receive[int](s))
	for _, err := range append(errs, end) {
		typed, declared := want.(*gatewayError)
		got, ok := errors.AsType[*gatewayError](err)
		if declared && (!ok || !reflect.DeepEqual(got, typed)) {
			t.Errorf("%#v", err)
		}
		own, isOwn := want.(*rpc.Error)
		e, ok := errors.AsType[*rpc.Error](err)
		if isOwn && (!ok || e.Code != own.Code || e.Message != own.Message || e.Type != own.Type || e.Retry != own.Retry) {
			t.Errorf("%#v", err)
		}
	}
}

// An error says whether the call has run, wherever on its way it failed.
func TestRanPassedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stay, stop := make(chan struct{}), method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return errors.New("late") })
		wait := method("Test.Wait", nil, func(context.Context, *rpc.Call) error { <-stay; return nil })
		p := newPassage(t, &rpc.ConnOptions{Services: []rpc.Service{wait, stop}, Limits: rpc.Limits{BufferedBytes: 64 << 10, MessageBytes: 64 << 10}})
		ran := func(to rpc.Caller, m string, params any) string {
			err := to.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: m}, Params: params})
			return fmt.Sprintf("%v, %t", err, rpc.NotRun(err))
		}
		for got, want := range map[string]string{
			ran(p.to, "Test.None", nil):                                    "method not found: Test.None, true",
			ran(p.to, "Test.Fail", nil):                                    "late, false",
			ran(p.to, "Test.Fail", []any{make(chan int)}):                  "rpc: Test.Fail: the parameters cannot be encoded: json: unsupported type: chan int, true",
			ran(p.to, "Test.Fail", []string{strings.Repeat("x", 100_000)}): "rpc: Test.Fail: a request of 100059 bytes is over the peer's limit of 65536, true",
			ran(passthrough.To(p.link, "other"), "Test.Fail", nil):         "nobody is there, true",
		} {
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		failed := make(chan error)
		go func() { failed <- p.to.Call(t.Context(), &rpc.Call{Method: to("Test.Wait")}) }()
		synctest.Wait()
		p.client.Close()
		if err := <-failed; rpc.CodeOf(err) != rpc.CodeUnavailable || rpc.NotRun(err) {
			t.Errorf("a client that went: %v, not run: %t", err, rpc.NotRun(err))
		}
		close(stay)
	})
}

// The metadata of a call and of its answer pass, and so does the end of its context.
func TestContextPassedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		about := method("Test.About", nil, func(ctx context.Context, _ *rpc.Call) error {
			rpc.SetMetadata(ctx, "back", rpc.Metadata(ctx)["there"])
			if _, ok := ctx.Deadline(); !ok {
				return errors.New("no deadline")
			}
			return nil
		})
		wait := method("Test.Wait", nil, func(ctx context.Context, _ *rpc.Call) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
		p := newPassage(t, &rpc.ConnOptions{Services: []rpc.Service{about, wait}})
		back := map[string]string{}
		ctx, cancel := context.WithTimeout(rpc.ResponseMetadata(rpc.WithMetadata(t.Context(), map[string]string{"there": "x"}), back), time.Hour)
		if err := p.to.Call(ctx, &rpc.Call{Method: to("Test.About")}); err != nil || back["back"] != "x" {
			t.Error(back, err)
		}
		time.AfterFunc(time.Second, cancel)
		if err := p.to.Call(ctx, &rpc.Call{Method: to("Test.Wait")}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if cause := <-ended; !errors.Is(cause, context.Canceled) {
			t.Errorf("the handler's context ended with %v", cause)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.to.Call(ctx, &rpc.Call{Method: to("Test.Wait")}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if cause := <-ended; !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("the handler's context ended with %v", cause)
		}
	})
}

// countless yields numbers, and counts them.
func countless(n *int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for *n = 0; yield(*n, nil); *n++ {
		}
		*n = -1
	}
}

// A reader that stops stops the producer, in either direction, and one that leaves ends
// it.
func TestCreditPassedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down, up int
		leave := make(chan struct{})
		give := streamMethod("Test.Give", func(context.Context) gen1.Stream { return gen1.Send(countless(&down)) })
		take := method("Test.Echo", func() (any, any) { return &echoParams{Value: new(any)}, nil }, func(_ context.Context, c *rpc.Call) error {
			for range gen1.Receive[int](c.Params.(*echoParams).Items) {
				<-leave
				break
			}
			return nil
		})
		p := newPassage(t, &rpc.ConnOptions{Services: []rpc.Service{give, take}})
		var s gen1.Stream
		if err := p.to.Call(t.Context(), &rpc.Call{Method: to("Test.Give"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		taken := make(chan error)
		go func() {
			params := &echoParams{Value: new(any), Items: gen1.Send(countless(&up))}
			taken <- p.to.Call(t.Context(), &rpc.Call{Method: to("Test.Echo", "value", "items"), Params: params})
		}()
		synctest.Wait()
		if most := 3 * 64; up <= 64 || up > most || down <= 64 || down > most {
			t.Errorf("%d and %d items were produced, want at most %d", up, down, most)
		}
		for range gen1.Receive[int](s) {
			break
		}
		close(leave)
		if err := <-taken; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if up != -1 || down != -1 {
			t.Errorf("the producers continue after %d and %d items", up, down)
		}
	})
}

// A client that takes nothing holds up nobody else, and notifications to one keep their
// order, also before a call.
func TestNotificationsPassedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		free := make(chan struct{})
		note := method("Test.Note", func() (any, any) { return new([1]int), nil }, func(_ context.Context, c *rpc.Call) error {
			<-free
			got = append(got, c.Params.(*[1]int)[0])
			return nil
		})
		done := method("Test.Done", nil, func(context.Context, *rpc.Call) error {
			got = append(got, -1)
			return nil
		})
		service := rpc.Service{Name: "Test", Methods: slices.Concat(note.Methods, done.Methods)}
		p := newPassage(t, &rpc.ConnOptions{Services: []rpc.Service{service}, Limits: rpc.Limits{Notifications: 10}})
		ended := make(chan error)
		var want []int
		for i := range 30 {
			want = append(want, i)
		}
		go func() {
			for _, i := range want {
				if err := p.to.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Note", Service: "Test", Notify: true}, Params: &[]int{i}}); err != nil {
					t.Error(err)
				}
			}
			ended <- p.to.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Done", Service: "Test"}})
		}()
		synctest.Wait()
		if err := passthrough.To(p.link, "other").Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Note", Notify: true}}); !rpc.NotRun(err) {
			t.Errorf("to another: %v", err)
		}
		close(free)
		if err := <-ended; err != nil || !slices.Equal(got, append(want, -1)) {
			t.Error(got, err)
		}
	})
}

// A stream behind a cursor continues with the connection that the client has by then.
func TestCursorPassedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		services := []rpc.Service{entries(through(100_000))}
		p := newPassage(t, &rpc.ConnOptions{Services: services})
		params, result := afterParams{}, gen1.Stream{}
		call := &rpc.Call{Method: &rpc.Method{Name: "Log.After", Params: []string{"after"}, Cursor: "after"}, Params: &params, Result: &result}
		if err := p.to.Call(t.Context(), new(*call)); err != nil {
			t.Fatal(err)
		}
		n := 0
		for e, err := range gen1.Cursor(t.Context(), p.to, call, func(e entry) { params.After = e.ID }) {
			if n++; err != nil || e.ID != n {
				t.Fatal(n, e, err)
			}
			switch n {
			case 200: // what is on its way still arrives
				p.client.Close()
				time.AfterFunc(10*time.Second, func() { rpctest.Pair(t.Context(), t, p.server, &rpc.ConnOptions{Services: services}) })
			case 1000:
				return
			}
		}
	})
}

// AfterEnd calls its function when a connection has ended, whichever side made it.
func TestAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPassage(t, nil)
		var ended atomic.Int64
		for conn := range p.server.Connections() {
			contract.AfterEnd(conn, func() { ended.Add(1) })
			if stop := contract.AfterEnd(conn, func() { ended.Add(100) }); !stop() {
				t.Error("not stopped")
			}
		}
		contract.AfterEnd(p.client, func() { ended.Add(10) })
		if synctest.Wait(); ended.Load() != 0 {
			t.Error("before the end")
		}
		p.client.Close()
		if synctest.Wait(); ended.Load() != 11 {
			t.Errorf("%d", ended.Load())
		}
	})
}

// On the way to its client a call passes the interceptors of its server, with what they
// may decide by.
func TestInterceptorsPassedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw []*rpc.Method
		server := rpc.NewServer(&rpc.ServerOptions{CallInterceptors: []rpc.Interceptor{func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
			saw = append(saw, c.Method)
			if c.Method.Option("may") == "not" {
				return rpc.CodePermissionDenied
			}
			return next(ctx, c)
		}}})
		rpctest.Pair(t.Context(), t, server, &rpc.ConnOptions{Services: []rpc.Service{InteropService(newInterop())}})
		to := passthrough.To(rpctest.Pair(t.Context(), t, passes(server), nil), "client")
		if _, _, err := NewInteropClient(to).Swap(t.Context(), "a", "b"); err != nil {
			t.Error(err)
		}
		err := to.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Interop.Wait", Service: "Interop", Options: []rpc.Option{{Key: "may", Value: "not"}}}})
		if rpc.CodeOf(err) != rpc.CodePermissionDenied {
			t.Error(err)
		}
		if len(saw) != 2 || saw[0].Name != "Interop.Swap" || saw[0].Service != "Interop" {
			t.Errorf("%+v", saw)
		}
	})
}
