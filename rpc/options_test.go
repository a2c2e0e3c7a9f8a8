package rpc_test

import (
	"context"
	"math"
	"net"
	"net/http"
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
		{rpc.Limits{MessageBytes: 65535}, "Limits.MessageBytes is 65535: want 65536 at least, which every peer may send"},
		{rpc.Limits{MessageBytes: 2 << 20, BufferedBytes: 1 << 20}, "Limits.BufferedBytes is 1048576: want Limits.MessageBytes, 2097152, at least, or the largest messages could not be taken"},
		{rpc.Limits{WriteTimeout: 30}, "Limits.WriteTimeout is 30ns: want a millisecond at least; is its unit missing?"},
	} {
		refused(t, test.want, &rpc.ServerOptions{Limits: test.limits}, &rpc.DialOptions{Limits: test.limits}, &rpc.ConnOptions{Limits: test.limits})
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[rpc.Limits]()) {
		var l rpc.Limits
		reflect.ValueOf(&l).Elem().FieldByIndex(field.Index).SetInt(-1)
		if field.Name != "IdleTimeout" {
			refused(t, "Limits."+field.Name+" is -1", &rpc.ServerOptions{Limits: l}, &rpc.DialOptions{Limits: l}, &rpc.ConnOptions{Limits: l})
		}
	}
	chain := []rpc.Interceptor{func(ctx context.Context, c *rpc.Call, next rpc.Handler) error { return next(ctx, c) }, nil}
	refused(t, "CallInterceptors[1] is nil", &rpc.ServerOptions{CallInterceptors: chain}, &rpc.DialOptions{CallInterceptors: chain}, &rpc.ConnOptions{CallInterceptors: chain})
	refused(t, "ServeInterceptors[1] is nil", &rpc.ServerOptions{ServeInterceptors: chain}, &rpc.DialOptions{ServeInterceptors: chain}, &rpc.ConnOptions{ServeInterceptors: chain})
	twice := append(services(), services()[1])
	refused(t, `Services: method "test_subscribe" is registered twice`, &rpc.DialOptions{Services: twice}, &rpc.ConnOptions{Services: twice})
	refused(t, "Framing is 2: want Lines or ContentLength", &rpc.DialOptions{Framing: 2}, &rpc.ConnOptions{Framing: 2})
	token := func(context.Context) (string, error) { return "", nil }
	refused(t, "Plain and Token contradict each other", &rpc.DialOptions{Plain: true, Token: token}, &rpc.ConnOptions{Plain: true, Token: token})
	refused(t, "DialOptions.Plain and DialOptions.Resume contradict each other", &rpc.DialOptions{Plain: true, Resume: true})
	refused(t, "DialOptions.Plain and DialOptions.Codec contradict each other", &rpc.DialOptions{Plain: true, Codec: cbor.Codec})
	for want, opts := range map[string]rpc.ServerOptions{
		"ServerOptions.MaxConnections is -1":                                                              {MaxConnections: -1},
		"SessionOptions.Window is -1s":                                                                    {Sessions: &rpc.SessionOptions{Window: -time.Second}},
		"SessionOptions.Window is 120ns":                                                                  {Sessions: &rpc.SessionOptions{Window: 120}},
		"SessionOptions.MaxDetached is -1":                                                                {Sessions: &rpc.SessionOptions{MaxDetached: -1}},
		"SessionOptions.MaxDetachedBytes is -1":                                                           {Sessions: &rpc.SessionOptions{MaxDetachedBytes: -1}},
		"SessionOptions.MaxPerPrincipal is -1":                                                            {Sessions: &rpc.SessionOptions{MaxPerPrincipal: -1}},
		"ServerOptions.Codecs[1] is nil":                                                                  {Codecs: []codec.Codec{cbor.Codec, nil}},
		`ServerOptions.Origins[0] is "[": syntax error`:                                                   {Origins: []string{"["}},
		`ServerOptions.Origins[0] is "http://localhost:5173/": an origin has no path`:                     {Origins: []string{"http://localhost:5173/"}},
		`ServerOptions.Origins[1] is "example.com/app": an origin has no path`:                            {Origins: []string{"file://", "example.com/app"}},
		`ServerOptions.Subprotocols[1] is "Wirecall.x": names that begin with "wirecall." are wirecall's`: {Subprotocols: []string{"a", "Wirecall.x"}},
		`ServerOptions.Subprotocols[0] is "a b": want a token`:                                            {Subprotocols: []string{"a b"}},
	} {
		refused(t, want, &opts)
	}
	for want, r := range map[string]rpc.Reconnect{
		"Reconnect.MinDelay is -1ns":                               {MinDelay: -1},
		"Reconnect.MaxDelay is 30ns: want a microsecond at least":  {MaxDelay: 30},
		"Reconnect.DrainSpread is -1s":                             {DrainSpread: -time.Second},
		"Reconnect.MinDelay is 2s: want Reconnect.MaxDelay, 1s, a": {MinDelay: 2 * time.Second, MaxDelay: time.Second},
	} {
		refused(t, want, &rpc.DialOptions{Reconnect: r})
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
			Reconnect: rpc.Reconnect{MinDelay: 1, MaxDelay: time.Microsecond, DrainSpread: 1}})
		if err != nil {
			t.Fatal(err)
		}
		network.Cut()
		synctest.Wait() // or the call could be sent on what is cut, and may have run
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

// Options that contradict each other, or the scheme of the URL, are refused by their
// names.
func TestContradictionsAreRefused(t *testing.T) {
	client, dial := http.DefaultClient, new(net.Dialer).DialContext
	for want, opts := range map[string]rpc.DialOptions{
		"DialOptions.NetDial and DialOptions.HTTPClient contradict each other": {NetDial: dial, HTTPClient: client},
		"DialOptions.Resume and Reconnect.Disabled contradict each other":      {Resume: true, Reconnect: rpc.Reconnect{Disabled: true}},
		"Reconnect.RetryFirst and Reconnect.Disabled contradict each other":    {Reconnect: rpc.Reconnect{RetryFirst: true, Disabled: true}},
	} {
		refused(t, want, &opts)
	}
	for want, opts := range map[string]rpc.DialOptions{
		"DialOptions.Codec is cbor":     {Codec: cbor.Codec},
		"DialOptions.Header is set":     {Header: http.Header{"Authorization": {"Bearer x"}}},
		"DialOptions.HTTPClient is set": {HTTPClient: client},
	} {
		for _, scheme := range []string{"tcp", "unix"} {
			_, err := rpc.Dial(t.Context(), scheme+"://server/socket", &opts)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), scheme+"://") {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

// No options are the defaults, wherever they can be given.
func TestNoOptions(t *testing.T) {
	for _, opts := range []interface{ Validate() error }{(*rpc.ServerOptions)(nil), (*rpc.DialOptions)(nil), (*rpc.ConnOptions)(nil), (*rpc.SessionOptions)(nil), rpc.Limits{}, rpc.Reconnect{}} {
		if err := opts.Validate(); err != nil {
			t.Errorf("%T: %v", opts, err)
		}
	}
}

// refused holds that options are, by Validate and where they are used.
func refused(t *testing.T, want string, options ...interface{ Validate() error }) {
	t.Helper()
	for _, opts := range options {
		if err := opts.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: Validate: %v, want %s", opts, err, want)
		}
		if err := use(t, opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %v, want %s", opts, err, want)
		}
	}
}

// use makes what options are for, and returns the error of that.
func use(t *testing.T, options any) (err error) {
	switch opts := options.(type) {
	case *rpc.ServerOptions:
		defer func() { err, _ = recover().(error) }()
		rpc.NewServer(opts)
	case *rpc.DialOptions:
		_, err = rpc.Dial(t.Context(), "ws://127.0.0.1:1", opts)
	case *rpc.ConnOptions:
		near, far := net.Pipe()
		defer far.Close()
		_, err = rpc.NewConn(t.Context(), near, opts)
		if _, err := near.Write([]byte{1}); err == nil {
			t.Error("NewConn has left the pipe open")
		}
	}
	return err
}

// The largest numbers there are mean as much as there can be, and nothing else.
func TestLargestOptions(t *testing.T) {
	var l rpc.Limits
	for _, v := range reflect.ValueOf(&l).Elem().Fields() {
		v.SetInt(1<<(v.Type().Bits()-1) - 1)
	}
	r := rpc.Reconnect{MinDelay: math.MaxInt64, MaxDelay: math.MaxInt64, DrainSpread: math.MaxInt64}
	synctest.Test(t, func(t *testing.T) {
		srv := server(&rpc.ServerOptions{Limits: l, MaxConnections: math.MaxInt, Sessions: &rpc.SessionOptions{
			Window: math.MaxInt64, MaxDetached: math.MaxInt, MaxDetachedBytes: math.MaxInt, MaxPerPrincipal: math.MaxInt}}, services()...)
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
	l := rpc.Limits{MessageBytes: large}
	conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Limits: l}, method("Test.Len", func() (any, any) { return new([]string), new(int) }, func(_ context.Context, c *rpc.Call) error {
		*c.Result.(*int) = len((*c.Params.(*[]string))[0])
		return nil
	})), &rpc.ConnOptions{Limits: l})
	var n int
	err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Len"), Params: &[]string{strings.Repeat("x", large-1000)}, Result: &n})
	if err != nil || n != large-1000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
