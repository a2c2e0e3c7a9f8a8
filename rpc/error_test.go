package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A slowError waits to be decoded.
type slowError struct{}

var slowErrorGo chan func() // of the bubble

func (*slowError) Error() string                { return "slow" }
func (*slowError) UnmarshalJSON([]byte) error   { (<-slowErrorGo)(); return nil }
func (*slowError) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

var slowErrors = []*rpc.ErrorType{gen1.Error[*slowError]("test.Slow", 4711)}

// A declared error is decoded by whoever gets it, and holds up nobody else.
func TestDeclaredErrorIsDecodedByItsReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowErrorGo = make(chan func())
		slow := declaring(slowErrors, method("Test.Slow", nil, func(context.Context, *rpc.Call) error { return new(slowError) }),
			streamMethod("Test.Stream", func(context.Context) gen1.Stream {
				return gen1.Send(func(yield func(int, error) bool) { yield(0, new(slowError)) })
			}))
		conn := rpctest.Connect(t.Context(), t, method("Test.Nop", nil, nop), slow)
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: slow.Methods[1], Result: &s}); err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 2)
		go func() { got <- conn.Call(t.Context(), &rpc.Call{Method: slow.Methods[0]}) }()
		go func() {
			for _, err := range gen1.Receive[int](s) {
				got <- err
			}
		}()
		for range 2 {
			synctest.Wait()
			go func() {
				slowErrorGo <- func() {
					if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Nop")}); err != nil {
						t.Error(err)
					}
				}
			}()
			if err := <-got; !is[*slowError](err) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want rpc.Code
		text string
	}{
		{nil, 0, "code 0"},
		{errors.New("no"), rpc.CodeUnknown, "unknown error"},
		{rpc.Errorf(404, "no"), 404, "code 404"},
		{rpc.CodePermissionDenied, rpc.CodePermissionDenied, "permission denied"},
		{fmt.Errorf("refused: %w", rpc.CodePermissionDenied), rpc.CodePermissionDenied, "permission denied"},
		{rpc.Errorf(404, "no: %w", rpc.CodePermissionDenied), 404, "code 404"},
		{fmt.Errorf("late: %w", context.DeadlineExceeded), rpc.CodeDeadlineExceeded, "deadline exceeded"},
		{context.Canceled, rpc.CodeCanceled, "canceled"},
		{rpc.ErrClosed, rpc.CodeUnavailable, "unavailable"},
	} {
		if got := rpc.CodeOf(test.err); got != test.want || got.String() != test.text {
			t.Errorf("%v has %v (%d), want %d", test.err, got, int(got), int(test.want))
		}
	}
}

// A Code is found by errors.Is on both sides, and is what a handler may return.
func TestCodeIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, fail := range []error{
			rpc.CodePermissionDenied,
			fmt.Errorf("lot 7: %w", rpc.CodePermissionDenied),
			rpc.Errorf(rpc.CodePermissionDenied, "not you"),
			&rpc.Error{Code: rpc.CodePermissionDenied},
		} {
			conn := rpctest.Connect(t.Context(), t, method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return fail }))
			got := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Fail")})
			for side, err := range map[string]error{"served": fail, "called": got} {
				if !errors.Is(err, rpc.CodePermissionDenied) || errors.Is(err, rpc.CodeInternal) || rpc.CodeOf(err) != rpc.CodePermissionDenied {
					t.Errorf("%s: %#v", side, err)
				}
			}
			if got.Error() != fail.Error() {
				t.Errorf("%q came as %q", fail, got)
			}
		}
	})
}

// The data of an error is decoded to the same value where it was made and where it
// has come.
func TestErrorDataOnBothSides(t *testing.T) {
	shared := rpc.Errorf(404, "no such lot")
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		want := newDetails()
		fail := shared.WithData(want)
		conn := overWebSocket(t, cd, method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return fail }))
		came, _ := errors.AsType[*rpc.Error](conn.Call(t.Context(), &rpc.Call{Method: to("Test.Fail")}))
		for side, e := range map[string]*rpc.Error{"made": fail, "came": came} {
			var got details
			if err := e.Decode(&got); err != nil || !sameDetails(got, want) {
				t.Errorf("%s, %s: %+v, %v", cd.Name(), side, got, err)
			}
			if e.WithData(nil).Decode(&got) == nil {
				t.Errorf("%s, %s: there is data after WithData(nil)", cd.Name(), side)
			}
		}
	}
	if shared.Decode(new(any)) == nil {
		t.Error("WithData has changed the error that it was called on")
	}
}

func is[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }
