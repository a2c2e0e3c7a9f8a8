package interop

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
	"github.com/creachadair/jrpc2/handler"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/wirecall/wirecall/rpc"
)

// Steps is what the server of node/stdio reports while it is asked.
//
//wirecall:service
type Steps interface {
	//wirecall:name $/progress
	//wirecall:notify
	Progress(ctx context.Context, token string, value Step) error
}

// A Step is the value of a progress notification.
type Step struct {
	Done int `json:"done"`
}

// jrpc2Framings are those of jrpc2 that wirecall has too. Its others have no line feeds
// (RawJSON), or characters of their own between messages.
var jrpc2Framings = map[string]struct {
	jrpc2 channel.Framing
	rpc   rpc.Framing
}{
	"Line":         {channel.Line, rpc.Lines},
	"LSP":          {channel.LSP, rpc.ContentLength},
	"Header":       {channel.Header(""), rpc.ContentLength},
	"Header, JSON": {channel.Header("application/json; charset=utf-8"), rpc.ContentLength},
}

// jrpc2Calc is Calc for jrpc2.
func jrpc2Calc(notes chan<- string) handler.Map {
	return handler.Map{
		"calc_add": handler.New(func(_ context.Context, p [2]int) (int, error) { return p[0] + p[1], nil }),
		"calc_fail": handler.New(func(_ context.Context, p []any) error {
			return jrpc2.Errorf(77, "failed as asked").WithData(map[string]any{"detail": p[1]})
		}),
		"calc_note": handler.New(func(_ context.Context, p []string) error { notes <- p[0]; return nil }),
		"calc_ask": handler.New(func(ctx context.Context) (int, error) {
			if err := jrpc2.ServerFromContext(ctx).Notify(ctx, "calc_note", []string{"asking"}); err != nil {
				return 0, err
			}
			answer, err := jrpc2.ServerFromContext(ctx).Callback(ctx, "calc_add", []int{1, 2})
			if err != nil {
				return 0, err
			}
			var sum int
			return sum, answer.UnmarshalResult(&sum)
		}),
	}
}

// A client calls a jrpc2 server in each framing, and is called while it waits.
func TestDialJRPC2InEachFraming(t *testing.T) {
	for name, framing := range jrpc2Framings {
		t.Run(name, func(t *testing.T) {
			notes, own := make(chan string, 10), newBackend()
			near, far := net.Pipe()
			srv := jrpc2.NewServer(jrpc2Calc(notes), &jrpc2.ServerOptions{AllowPush: true}).Start(framing.jrpc2(far, far))
			conn, err := rpc.NewConn(t.Context(), near, &rpc.ConnOptions{Framing: framing.rpc, ByPosition: true, Services: []rpc.Service{CalcService(own)}})
			if err != nil {
				t.Fatal(err)
			}
			callPlain(t, conn, notes)
			var sum int
			if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "calc_ask"}, Result: &sum}); err != nil || sum != 3 {
				t.Error("a call that calls back:", sum, err)
			}
			if note := <-own.notes; note != "asking" {
				t.Error(note)
			}
			conn.Close()
			if err := srv.Wait(); err != nil {
				t.Error("the server ended with", err)
			}
		})
	}
}

// A jrpc2 client in each framing is answered in it.
func TestJRPC2InEachFraming(t *testing.T) {
	framings := map[string]channel.Framing{"StrictHeader": channel.StrictHeader("")}
	for name, f := range jrpc2Framings {
		framings[name] = f.jrpc2
	}
	for name, framing := range framings {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			client := jrpc2.NewClient(serveFramed(t, b, framing), nil)
			defer client.Close()
			var sum int
			if err := client.CallResult(t.Context(), "calc_add", []int{20, 22}, &sum); err != nil || sum != 42 {
				t.Error(sum, err)
			}
			answers, err := client.Batch(t.Context(), []jrpc2.Spec{{Method: "calc_add", Params: []int{1, 2}}, {Method: "calc_fail", Params: []any{77, "x"}}})
			if err != nil || len(answers) != 2 || answers[0].ResultString() != "3" || answers[1].Error().Code != 77 {
				t.Error(answers, err)
			}
			if err := client.Notify(t.Context(), "calc_note", []string{"noted"}); err != nil || <-b.notes != "noted" {
				t.Error(err)
			}
		})
	}
}

// serveFramed serves b over a pipe and returns the client's end in a framing of jrpc2.
func serveFramed(t *testing.T, b *backend, framing channel.Framing) channel.Channel {
	near, far := net.Pipe()
	served := make(chan error)
	srv := newServer(t, b)
	go func() { served <- srv.ServeConn(context.Background(), far) }()
	t.Cleanup(func() {
		near.Close()
		if err := <-served; err != io.EOF {
			t.Error("ServeConn ended with", err)
		}
	})
	return framing(near, near)
}

// sourcegraph/jsonrpc2 has the framing of language servers as VSCodeObjectCodec.
func TestSourcegraphFraming(t *testing.T) {
	t.Run("dial", func(t *testing.T) {
		notes := make(chan string, 10)
		near, far := net.Pipe()
		srv := jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(far, jsonrpc2.VSCodeObjectCodec{}), sourcegraphCalc(notes))
		conn, err := rpc.NewConn(t.Context(), near, &rpc.ConnOptions{Framing: rpc.ContentLength, Plain: true, ByPosition: true})
		if err != nil {
			t.Fatal(err)
		}
		callPlain(t, conn, notes)
		conn.Close()
		<-srv.DisconnectNotify()
	})
	t.Run("serve", func(t *testing.T) {
		near, far := net.Pipe()
		srv, served := newServer(t, newBackend()), make(chan error)
		go func() { served <- srv.ServeConn(context.Background(), far) }()
		client := jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(near, jsonrpc2.VSCodeObjectCodec{}), sourcegraphCalc(nil))
		var sum int
		if err := client.Call(t.Context(), "calc_add", []int{1, 2}, &sum); err != nil || sum != 3 {
			t.Error(sum, err)
		}
		err := client.Call(t.Context(), "calc_fail", []any{77, "why"}, nil)
		e, ok := errors.AsType[*jsonrpc2.Error](err)
		if !ok || e.Code != 77 || e.Data == nil || !json.Valid(*e.Data) {
			t.Errorf("%#v", err)
		}
		client.Close()
		<-served
	})
}
