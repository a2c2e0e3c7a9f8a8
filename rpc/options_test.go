package rpc_test

import (
	"context"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// What cannot be meant is refused when it is given, by the name of its field.
func TestOptionsAreChecked(t *testing.T) {
	for _, test := range []struct {
		limits rpc.Limits
		want   string
	}{
		{rpc.Limits{Message: 65535}, "Limits.Message is 65535: want 65536 at least, which every peer may send"},
		{rpc.Limits{Message: 2 << 20, Buffered: 1 << 20}, "Limits.Buffered is 1048576: want Limits.Message, 2097152, at least, or the largest messages could not be taken"},
		{rpc.Limits{Stall: 30}, "Limits.Stall is 30ns: want a millisecond at least; is its unit missing?"},
	} {
		refused(t, &rpc.ServerOptions{Limits: test.limits}, &rpc.DialOptions{Limits: test.limits}, test.want)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[rpc.Limits]()) {
		var l rpc.Limits
		reflect.ValueOf(&l).Elem().FieldByIndex(field.Index).SetInt(-1)
		if field.Name != "Idle" {
			refused(t, &rpc.ServerOptions{Limits: l}, &rpc.DialOptions{Limits: l}, "Limits."+field.Name+" is -1")
		}
	}
	chain := []rpc.Interceptor{func(ctx context.Context, c *rpc.Call, next rpc.Handler) error { return next(ctx, c) }, nil}
	refused(t, &rpc.ServerOptions{CallInterceptors: chain}, &rpc.DialOptions{CallInterceptors: chain}, "CallInterceptors[1] is nil")
	refused(t, &rpc.ServerOptions{ServeInterceptors: chain}, &rpc.DialOptions{ServeInterceptors: chain}, "ServeInterceptors[1] is nil")
	for want, opts := range map[string]rpc.ServerOptions{
		"ServerOptions.Connections is -1":               {Connections: -1},
		"Sessions.Window is -1s":                        {Sessions: &rpc.SessionOptions{Window: -time.Second}},
		"Sessions.Window is 120ns":                      {Sessions: &rpc.SessionOptions{Window: 120}},
		"Sessions.Detached is -1":                       {Sessions: &rpc.SessionOptions{Detached: -1}},
		"Sessions.DetachedBytes is -1":                  {Sessions: &rpc.SessionOptions{DetachedBytes: -1}},
		"Sessions.PerPrincipal is -1":                   {Sessions: &rpc.SessionOptions{PerPrincipal: -1}},
		"ServerOptions.Codecs[1] is nil":                {Codecs: []codec.Codec{cbor.Codec, nil}},
		`ServerOptions.Origins[0] is "[": syntax error`: {Origins: []string{"["}},
		`ServerOptions.Subprotocols[1] is "Wirecall.x": names that begin with "wirecall." are wirecall's`: {Subprotocols: []string{"a", "Wirecall.x"}},
		`ServerOptions.Subprotocols[0] is "a b": want a token`:                                            {Subprotocols: []string{"a b"}},
	} {
		refused(t, &opts, nil, want)
	}
	for want, r := range map[string]rpc.Reconnect{
		"Reconnect.MinDelay is -1ns":                               {MinDelay: -1},
		"Reconnect.MaxDelay is 30ns: want a microsecond at least":  {MaxDelay: 30},
		"Reconnect.Spread is -1s":                                  {Spread: -time.Second},
		"Reconnect.MinDelay is 2s: want Reconnect.MaxDelay, 1s, a": {MinDelay: 2 * time.Second, MaxDelay: time.Second},
	} {
		refused(t, nil, &rpc.DialOptions{Reconnect: r}, want)
	}
}

// Who wants no pause between tries says so with the shortest delay there is.
func TestShortestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(rpctest.Network)
		ln := network.Listen()
		srv := server(nil, services()...)
		go srv.Serve(t.Context(), ln)
		begin := time.Now()
		conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: network.Dial,
			Reconnect: rpc.Reconnect{MinDelay: 1, MaxDelay: time.Microsecond, Spread: 1}})
		if err != nil {
			t.Fatal(err)
		}
		network.Cut()
		if sum, err := NewSubjectClient(conn).Add(t.Context(), 1, 2); err != nil || sum != 3 {
			t.Errorf("%d, %v", sum, err)
		}
		if took := time.Since(begin); took > time.Microsecond {
			t.Errorf("it took %v", took)
		}
		conn.Close()
		ln.Close()
		srv.Close()
	})
}

// refused holds that options are, wherever they can be given.
func refused(t *testing.T, so *rpc.ServerOptions, do *rpc.DialOptions, want string) {
	t.Helper()
	if so != nil {
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), want) {
					t.Errorf("NewServer: %v, want %s", err, want)
				}
			}()
			rpc.NewServer(so)
		}()
	}
	if do == nil {
		return
	}
	if _, err := rpc.Dial(t.Context(), "tcp://127.0.0.1:1", do); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Dial: %v, want %s", err, want)
	}
	near, far := net.Pipe()
	defer far.Close()
	if _, err := rpc.NewConn(t.Context(), near, do); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("NewConn: %v, want %s", err, want)
	}
	if _, err := near.Write([]byte{1}); err == nil {
		t.Error("NewConn has left the pipe open")
	}
}

// The largest numbers there are mean as much as there can be, and nothing else.
func TestLargestOptions(t *testing.T) {
	var l rpc.Limits
	for _, v := range reflect.ValueOf(&l).Elem().Fields() {
		v.SetInt(math.MaxInt64)
	}
	r := rpc.Reconnect{MinDelay: math.MaxInt64, MaxDelay: math.MaxInt64, Spread: math.MaxInt64}
	synctest.Test(t, func(t *testing.T) {
		srv := server(&rpc.ServerOptions{Limits: l, Connections: math.MaxInt, Sessions: &rpc.SessionOptions{
			Window: math.MaxInt64, Detached: math.MaxInt, DetachedBytes: math.MaxInt, PerPrincipal: math.MaxInt}}, services()...)
		network := new(rpctest.Network)
		ln := network.Listen()
		go srv.Serve(t.Context(), ln)
		conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{Limits: l, Reconnect: r, Resume: true, NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		client := NewSubjectClient(conn)
		big, err := client.Big(t.Context(), 3<<20)
		if err != nil || len(big) != 3<<20 {
			t.Errorf("%d bytes, %v", len(big), err)
		}
		seq, err := client.Blobs(t.Context(), 100, 30_000)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := collect(seq); err != nil || len(got) != 100 {
			t.Errorf("%d items, %v", len(got), err)
		}
		time.Sleep(24 * time.Hour)
		if sum, err := client.Add(t.Context(), 1, 2); err != nil || sum != 3 {
			t.Errorf("a day later: %d, %v", sum, err)
		}
		conn.Close()
		ln.Close()
		srv.Close()
	})
}

// A larger Message needs room for what is larger: it need not be asked for.
func TestLimitsFollowEachOther(t *testing.T) {
	const large = 17 << 20
	l := rpc.Limits{Message: large}
	conn := rpctest.Pair(t, server(&rpc.ServerOptions{Limits: l}, method("Test.Len", func() (any, any) { return new([]string), new(int) }, func(_ context.Context, c *rpc.Call) error {
		*c.Result.(*int) = len((*c.Params.(*[]string))[0])
		return nil
	})), &rpc.DialOptions{Limits: l})
	var n int
	err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Len"), Params: &[]string{strings.Repeat("x", large-1000)}, Result: &n})
	if err != nil || n != large-1000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
