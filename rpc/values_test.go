package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coder/websocket"
	fxcbor "github.com/fxamacker/cbor/v2"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// own is a value whose own methods make its JSON and its CBOR.
type own struct{ text string }

func (o own) MarshalJSON() ([]byte, error) { return []byte(o.text), nil }
func (o own) MarshalCBOR() ([]byte, error) { return []byte(o.text), nil }

// A chain holds itself.
type chain struct {
	Next *chain `json:"next"`
}

func chainOf(links int) *chain {
	var c *chain
	for range links {
		c = &chain{c}
	}
	return c
}

func anyOf(levels int) (v any) {
	for range levels {
		v = []any{v}
	}
	return v
}

// badValues are values, by what is wrong with them, that no peer takes.
func badValues(cd codec.Codec) map[string]any {
	if cd.Name() == "cbor" {
		deep := strings.Repeat("\x81", 1200) + "\x00"
		return map[string]any{
			"deep in a RawMessage":  fxcbor.RawMessage(deep),
			"deep in a MarshalCBOR": own{deep},
			"deep tags":             own{strings.Repeat("\xc1", 1200) + "\x00"},
			"cut short":             fxcbor.RawMessage("\x82\x01"),
			"of indefinite length":  own{"\x9f\xff"},
			"a deep any":            anyOf(1200),
			"a long chain":          chainOf(1200),
		}
	}
	deep := strings.Repeat("[", 1200) + strings.Repeat("]", 1200)
	return map[string]any{
		"Latin-1 in a RawMessage":  json.RawMessage("\"caf\xe9\""),
		"Latin-1 in a MarshalJSON": own{"{\"caf\xe9\":1}"},
		"deep in a RawMessage":     json.RawMessage(deep),
		"deep in a MarshalJSON":    own{deep},
		"malformed":                json.RawMessage(`{"a":}`),
		"a deep any":               anyOf(1200),
		"a long chain":             chainOf(1200),
		"in a struct":              struct{ V any }{own{deep}},
		"in a map":                 map[string]any{"v": json.RawMessage("\"\xff\"")},
		"shared":                   rpc.Share[any](own{"\"\xff\""}),
		"in a shared struct":       struct{ S rpc.Shared[any] }{rpc.Share[any](anyOf(1200))},
	}
}

// A valuesService does with a value all that a handler can do with one.
func valuesService(value *any, ran *int) rpc.Service {
	list := func() (any, any) { return new([]any), nil }
	return rpc.Service{Name: "Values", Methods: []*rpc.Method{
		{Name: "Values.Take", New: list, Serve: func(context.Context, any, *rpc.Call) error { *ran++; return nil }},
		{Name: "Values.Give", Idempotent: true, New: func() (any, any) { return nil, new(any) }, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*ran++
			*c.Result.(*any) = *value
			return nil
		}},
		{Name: "Values.Stream", New: func() (any, any) { return nil, new(gen1.Stream) }, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(items(any(1), *value))
			return nil
		}},
		{Name: "Values.Fail", Serve: func(context.Context, any, *rpc.Call) error {
			return rpc.Errorf(77, "f\xfcr").WithData(*value)
		}},
		{Name: "Values.Collect", Params: []string{"s"}, New: func() (any, any) { return new(streamParam), new(int) }, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			all, err := collect(gen1.Receive[any](c.Params.(*streamParam).s))
			*c.Result.(*int) = len(all)
			return err
		}},
	}}
}

type streamParam struct{ s gen1.Stream }

func (*streamParam) names() []string { return []string{"s"} }
func (p *streamParam) Field(int) any { return &p.s }

// overWebSocket connects to a server of services, with a codec.
func overWebSocket(t *testing.T, cd codec.Codec, services ...rpc.Service) *rpc.Conn {
	ts := serveHTTP(t, server(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}}, services...))
	conn, err := rpc.Dial(t.Context(), ts.URL, &rpc.DialOptions{Codec: cd})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A value that cannot cross costs the call or the stream that it is part of. The
// connection goes on, and with it everything else.
func TestBadValues(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		for name, bad := range badValues(cd) {
			t.Run(cd.Name()+"/"+name, func(t *testing.T) {
				var ran int
				conn := overWebSocket(t, cd, valuesService(&bad, &ran))
				badValue(t, conn, bad, &ran)
				if st := conn.State(); st.Phase != rpc.Connected || st.Session != 1 {
					t.Errorf("the connection is %v, in session %d: %v", st.Phase, st.Session, st.Cause)
				}
			})
		}
	}
}

func badValue(t *testing.T, conn *rpc.Conn, bad any, ran *int) {
	ctx := t.Context()
	err := conn.Call(ctx, &rpc.Call{Method: to("Values.Take"), Params: &[]any{bad}})
	if rpc.CodeOf(err) != rpc.CodeInvalidParams || !rpc.NotRun(err) || *ran != 0 {
		t.Errorf("as a parameter: %v, not run: %t, ran %d times", err, rpc.NotRun(err), *ran)
	}
	if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Values.Take", Notify: true}, Params: &[]any{bad}}); rpc.CodeOf(err) != rpc.CodeInvalidParams {
		t.Errorf("as a notification's parameter: %v", err)
	}
	if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Values.Give", Idempotent: true}, Result: new(any)}); rpc.CodeOf(err) != rpc.CodeInternal || *ran != 1 {
		t.Errorf("as a result: %v, ran %d times", err, *ran)
	}
	var s gen1.Stream
	if err := conn.Call(ctx, &rpc.Call{Method: to("Values.Stream"), Result: &s}); err != nil {
		t.Fatal(err)
	}
	if got, err := collect(gen1.Receive[any](s)); len(got) != 1 || rpc.CodeOf(err) != rpc.CodeInternal {
		t.Errorf("as an item: %v, behind %d good ones", err, len(got))
	}
	err = conn.Call(ctx, &rpc.Call{Method: to("Values.Collect", "s"), Params: &streamParam{gen1.Send(items(any(1), bad))}, Result: new(int)})
	if rpc.CodeOf(err) != rpc.CodeInternal {
		t.Errorf("as a parameter's item: %v", err)
	}
	err = conn.Call(ctx, &rpc.Call{Method: to("Values.Fail")})
	if e, ok := errors.AsType[*rpc.Error](err); !ok || e.Code != 77 || e.Message != "f\ufffdr" || e.Decode(new(any)) == nil {
		t.Errorf("as the data of an error: %v", err)
	}
	if err := conn.Call(ctx, &rpc.Call{Method: to("Values.Take"), Params: &[]any{1}}); err != nil {
		t.Errorf("a good call: %v", err)
	}
}

// Texts that are no UTF-8 cross with U+FFFD, where their type says that they are
// text: parameters, metadata, messages of errors.
func TestBadText(t *testing.T) {
	const bad, want = "caf\xe9", "caf\ufffd"
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		conn := overWebSocket(t, cd, method("Test.Say", func() (any, any) { return new([]string), new(string) }, func(ctx context.Context, c *rpc.Call) error {
			got := (*c.Params.(*[]string))[0]
			if got != want || rpc.Metadata(ctx)[want] != want {
				return fmt.Errorf("%q arrived, with %q", got, rpc.Metadata(ctx))
			}
			*c.Result.(*string) = bad
			rpc.SetMetadata(ctx, bad, bad)
			return nil
		}))
		var got string
		answer := map[string]string{}
		ctx := rpc.ResponseMetadata(rpc.WithMetadata(t.Context(), map[string]string{bad: bad}), answer)
		err := conn.Call(ctx, &rpc.Call{Method: to("Test.Say"), Params: &[]string{bad}, Result: &got})
		if err != nil || got != want || answer[want] != want {
			t.Errorf("%s: %q came back, with %q: %v", cd.Name(), got, answer, err)
		}
	}
}

// What a callee was given it can pass on, wrapped, to a caller.
func TestDepthLeavesRoomForWrapping(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		var value any
		var ran int
		conn := overWebSocket(t, cd, valuesService(&value, &ran))
		for _, test := range []struct {
			levels     int
			take, give rpc.Code
		}{{500, 0, 0}, {501, rpc.CodeInvalidParams, 0}, {1000, rpc.CodeInvalidParams, 0}, {1001, rpc.CodeInvalidParams, rpc.CodeInternal}} {
			for _, v := range []any{anyOf(test.levels), chainOf(test.levels), struct{ V any }{anyOf(test.levels - 1)}} {
				value = v
				if err := conn.Call(t.Context(), &rpc.Call{Method: to("Values.Take"), Params: &[]any{v}}); rpc.CodeOf(err) != test.take {
					t.Errorf("%s: %T of %d levels as a parameter: %v", cd.Name(), v, test.levels, err)
				}
				if err := conn.Call(t.Context(), &rpc.Call{Method: to("Values.Give"), Result: new(any)}); rpc.CodeOf(err) != test.give {
					t.Errorf("%s: %T of %d levels as a result: %v", cd.Name(), v, test.levels, err)
				}
			}
		}
	}
}

// A Shared that is too deep for a callee still goes to callers.
func TestSharedIsMeasuredForEachDirection(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		conn := overWebSocket(t, cd, method("Test.Any", func() (any, any) { return new(anyParam), new(any) }, func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*any) = anyOf(700)
			return nil
		}))
		deep := rpc.Share(anyOf(700))
		if _, err := codec.JSON.Append(nil, deep); err != nil {
			t.Fatal(err)
		}
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Any", "v"), Params: &anyParam{deep}}); rpc.CodeOf(err) != rpc.CodeInvalidParams || !rpc.NotRun(err) {
			t.Errorf("%s: %v", cd.Name(), err)
		}
		var got rpc.Shared[any]
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Any", "v"), Params: &anyParam{rpc.Share(anyOf(500))}, Result: &got}); err != nil {
			t.Errorf("%s: %v", cd.Name(), err)
		}
	}
}

type anyParam struct{ v rpc.Shared[any] }

func (*anyParam) names() []string { return []string{"v"} }
func (p *anyParam) Field(int) any { return &p.v }

// A wrappedCodec has a name and an encoding of its own, neither of which the wire has.
type wrappedCodec struct{ codec.Codec }

func (wrappedCodec) Name() string { return "xml" }

func (wrappedCodec) Append(dst []byte, _ any) ([]byte, error) { return append(dst, "<v/>"...), nil }

// TestWrappedCodecs checks that a type which embeds a codec is the codec on the wire,
// by its format and with its checks.
func TestWrappedCodecs(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		value := any("same")
		conn := overWebSocket(t, wrappedCodec{cd}, valuesService(&value, new(int)))
		var got any
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Values.Give"), Result: &got}); err != nil || got != value {
			t.Errorf("%s: %v, %v", cd.Name(), got, err)
		}
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Values.Take"), Params: &[]any{"taken"}}); err != nil {
			t.Errorf("%s: %v", cd.Name(), err)
		}
	}
}

// A plain client, which closes the connection over a text frame that is no UTF-8,
// never gets one.
func TestPlainClientsGetText(t *testing.T) {
	bad := any(json.RawMessage("\"caf\xe9\""))
	ts := serveHTTP(t, server(nil, valuesService(&bad, new(int))))
	ws := dialWebSocket(t, ts.URL)
	for _, test := range []struct {
		method string
		codes  []rpc.Code // of the messages that come
	}{{"Values.Give", []rpc.Code{rpc.CodeInternal}}, {"Values.Fail", []rpc.Code{77}}, {"Values.Stream", []rpc.Code{0, 0, rpc.CodeInternal}}} {
		request := `{"jsonrpc":"2.0","id":1,"method":"` + test.method + `"}`
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(request)); err != nil {
			t.Fatal(err)
		}
		for _, code := range test.codes {
			_, msg, err := ws.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !utf8.Valid(msg) || code != 0 && !strings.Contains(string(msg), fmt.Sprintf(`"code":%d`, code)) {
				t.Errorf("%s: got %q, want code %d", test.method, msg, code)
			}
		}
	}
	resp, err := http.Post(ts.URL, "application/json", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"Values.Fail"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !utf8.Valid(body) || !strings.Contains(string(body), `"code":77`) {
		t.Errorf("POST: %q, %v", body, err)
	}
}

// One caller's deep value is no harm to those to whom it is passed on.
func TestDeepValueIsPassedOn(t *testing.T) {
	posted := make(chan any, 1)
	board := rpc.Service{Name: "Board", Methods: []*rpc.Method{
		{Name: "Board.Post", New: func() (any, any) { return new([]any), nil }, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			posted <- (*c.Params.(*[]any))[0]
			return nil
		}},
		{Name: "Board.Watch", New: func() (any, any) { return nil, new(gen1.Stream) }, Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			var seq iter.Seq2[map[string]any, error] = func(yield func(map[string]any, error) bool) {
				select {
				case v := <-posted:
					yield(map[string]any{"body": v}, nil)
				case <-ctx.Done():
				}
			}
			*c.Result.(*gen1.Stream) = gen1.Send(seq)
			return nil
		}},
	}}
	conn := overWebSocket(t, codec.JSON, board)
	var s gen1.Stream
	if err := conn.Call(t.Context(), &rpc.Call{Method: to("Board.Watch"), Result: &s}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Call(t.Context(), &rpc.Call{Method: to("Board.Post"), Params: &[]any{anyOf(500)}}); err != nil {
		t.Fatal(err)
	}
	if got, err := collect(gen1.Receive[map[string]any](s)); len(got) != 1 || err != nil {
		t.Errorf("%d items, %v", len(got), err)
	}
}
