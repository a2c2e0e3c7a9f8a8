package interop

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"testing"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
	"github.com/creachadair/jrpc2/jhttp"

	"github.com/wirecall/wirecall/rpc"
)

// listen serves b on lines over TCP behind a tap.
func listen(t *testing.T) (*backend, *tap) {
	t.Helper()
	b := newBackend()
	srv := newServer(t, b)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- srv.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		ln.Close()
		<-served
	})
	return b, newTap(t, "tcp", ln.Addr().String())
}

// dialJRPC2 is a client over lines.
func dialJRPC2(t *testing.T, tp *tap, opts *jrpc2.ClientOptions) *jrpc2.Client {
	t.Helper()
	conn, err := net.Dial("tcp", tp.addr)
	if err != nil {
		t.Fatal(err)
	}
	client := jrpc2.NewClient(channel.Line(conn, conn), opts)
	t.Cleanup(func() { client.Close() })
	return client
}

// overLinesAndPOST runs a test over lines on TCP, and over POST.
func overLinesAndPOST(t *testing.T, test func(t *testing.T, b *backend, client *jrpc2.Client)) {
	t.Run("lines", func(t *testing.T) {
		b, tp := listen(t)
		test(t, b, dialJRPC2(t, tp, nil))
	})
	t.Run("POST", func(t *testing.T) {
		b, tp := serveHTTP(t)
		client := jrpc2.NewClient(jhttp.NewChannel("http://"+tp.addr, nil), nil)
		t.Cleanup(func() { client.Close() })
		test(t, b, client)
	})
}

func TestJRPC2Calls(t *testing.T) {
	overLinesAndPOST(t, func(t *testing.T, b *backend, client *jrpc2.Client) {
		for name, params := range map[string]any{
			"by position": []int{20, 22},
			"by name":     map[string]int{"b": 22, "a": 20, "C": 1},
		} {
			var sum int
			if err := client.CallResult(t.Context(), "calc_add", params, &sum); err != nil || sum != 42 {
				t.Error(name, sum, err)
			}
		}
		_, err := client.Call(t.Context(), "calc_fail", []any{77, "the reason"})
		e, ok := errors.AsType[*jrpc2.Error](err)
		if !ok || e.Code != 77 || e.Message != "failed as asked" || string(e.Data) != `{"detail":"the reason"}` {
			t.Errorf("%#v", err)
		}
		if _, err := client.Call(t.Context(), "calc_subtract", nil); jrpc2.ErrorCode(err) != jrpc2.MethodNotFound {
			t.Error("an unknown method:", err)
		}
		if _, err := client.Call(t.Context(), "calc_add", []any{"20", 22}); jrpc2.ErrorCode(err) != jrpc2.InvalidParams {
			t.Error("a string for an int:", err)
		}
	})
}

func TestJRPC2Batch(t *testing.T) {
	overLinesAndPOST(t, func(t *testing.T, b *backend, client *jrpc2.Client) {
		answers, err := client.Batch(t.Context(), []jrpc2.Spec{
			{Method: "calc_add", Params: []int{1, 2}},
			{Method: "calc_note", Params: []string{"noted"}, Notify: true},
			{Method: "calc_fail", Params: []any{77, "x"}},
			{Method: "calc_add", Params: []int{3, 4}},
		})
		if err != nil || len(answers) != 3 {
			t.Fatal(answers, err)
		}
		if answers[0].ResultString() != "3" || answers[1].Error().Code != 77 || answers[2].ResultString() != "7" {
			t.Error(answers)
		}
		if note := <-b.notes; note != "noted" {
			t.Error(note)
		}
	})
}

func TestJRPC2Notifications(t *testing.T) {
	overLinesAndPOST(t, func(t *testing.T, b *backend, client *jrpc2.Client) {
		if err := client.Notify(t.Context(), "calc_note", []string{"one"}); err != nil {
			t.Fatal(err)
		}
		if note := <-b.notes; note != "one" {
			t.Error(note)
		}
		if err := client.Notify(t.Context(), "calc_fail", []any{1, "nobody hears of it"}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Batch(t.Context(), []jrpc2.Spec{{Method: "calc_note", Params: []string{"two"}, Notify: true}}); err != nil {
			t.Fatal(err)
		}
		if note := <-b.notes; note != "two" {
			t.Error(note)
		}
	})
}

// jrpc2 has no message for a cancelled call but offers a hook to send one: the
// Language Server Protocol's reaches the handler.
func TestJRPC2CancelsACall(t *testing.T) {
	b, tp := listen(t)
	client := dialJRPC2(t, tp, &jrpc2.ClientOptions{OnCancel: func(client *jrpc2.Client, r *jrpc2.Response) {
		id := map[string]json.Number{"id": json.Number(r.ID())}
		if err := client.Notify(t.Context(), "$/cancelRequest", id); err != nil {
			t.Error(err)
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := client.Call(ctx, "calc_wait", nil)
		failed <- err
	}()
	<-b.waiting
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-b.left; !errors.Is(err, context.Canceled) {
		t.Error("the handler ended with", err)
	}
	var sum int
	if err := client.CallResult(t.Context(), "calc_add", []int{1, 2}, &sum); err != nil || sum != 3 {
		t.Error("after the cancelled call:", sum, err)
	}
}

// A subscription is nothing that jrpc2 knows, so it is all there in the open.
func TestJRPC2Subscription(t *testing.T) {
	b, tp := listen(t)
	b.fail = rpc.Errorf(77, "feed lost")
	got := make(chan string, 10)
	client := dialJRPC2(t, tp, &jrpc2.ClientOptions{OnNotify: func(r *jrpc2.Request) { got <- r.Method() + " " + r.ParamString() }})
	for _, id := range []string{"0x1", "0x2"} {
		var sub string
		if err := client.CallResult(t.Context(), "eth_subscribe", []string{"newHeads"}, &sub); err != nil || sub != id {
			t.Fatal(sub, err)
		}
		b.heads <- Header{Number: "0x1"}
		want := `eth_subscription {"subscription":"` + id + `","result":{"number":"0x1","hash":"","parentHash":""}}`
		if s := <-got; s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
		if id == "0x1" {
			b.heads <- Header{}
			// The message before, with the error, it drops for having no "jsonrpc".
			if s := <-got; s != `end_subscription {"Subscription":"0x1"}` {
				t.Error(s)
			}
			<-b.ended
		}
	}
	var open bool
	if err := client.CallResult(t.Context(), "rpc.unsubscribe", []string{"0x2"}, &open); err != nil || !open {
		t.Error(open, err)
	}
	if gone := <-b.ended; !gone {
		t.Error("the producer ended by itself")
	}
	if err := client.CallResult(t.Context(), "eth_unsubscribe", []string{"0x2"}, &open); err != nil || open {
		t.Error("unsubscribed twice:", open, err)
	}
}

// The same without a socket: a client and ServeConn at either end of a pipe.
func TestJRPC2OverAPipe(t *testing.T) {
	near, far := net.Pipe()
	served := make(chan error)
	srv := newServer(t, newBackend())
	go func() { served <- srv.ServeConn(context.Background(), far) }()
	client := jrpc2.NewClient(channel.Line(near, near), nil)
	var sum int
	if err := client.CallResult(t.Context(), "calc_add", []int{1, 2}, &sum); err != nil || sum != 3 {
		t.Error(sum, err)
	}
	client.Close()
	if err := <-served; err == nil {
		t.Error("ServeConn ended without a cause")
	}
}
