package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

type noLot struct{ Lot int }

func (*noLot) Error() string { return "no such lot" }

type noUser struct{ Name string }

func (noUser) Error() string { return "no such user" }

var errSold = errors.New("sold")

var (
	lotErrors  = []*rpc.ErrorType{gen1.Error[*noLot]("lots.Missing", 404), gen1.ErrorValue("lots.Sold", rpc.CodeApplication, errSold)}
	userErrors = []*rpc.ErrorType{gen1.Error[noUser]("users.Missing", 404)}
)

// failed is what a caller gets for the error of a handler. Both know what errors
// declares.
func failed(t *testing.T, fail error, errors []*rpc.ErrorType) error {
	t.Helper()
	svc := declaring(errors, method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return fail }))
	return rpctest.Connect(t.Context(), t, svc).Call(t.Context(), &rpc.Call{Method: svc.Methods[0]})
}

// TestContractsShareACode checks that two services of one program may declare errors
// with the same code, and that callers tell them apart, also where the name of the
// error does not cross.
func TestContractsShareACode(t *testing.T) {
	lots := declaring(lotErrors, method("Lots.Get", nil, func(context.Context, *rpc.Call) error { return &noLot{7} }))
	users := declaring(userErrors, method("Users.Get", nil, func(context.Context, *rpc.Call) error { return noUser{"ann"} }))
	srv := server(nil, lots, users)
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Sec-WebSocket-Protocol")
		srv.ServeHTTP(w, r)
	})
	for mode, handler := range map[string]http.Handler{"wirecall": srv, "plain": plain} {
		conn, err := rpc.Dial(t.Context(), serveHTTP(t, handler).URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		lot := conn.Call(t.Context(), &rpc.Call{Method: lots.Methods[0]})
		if e, ok := errors.AsType[*noLot](lot); !ok || e.Lot != 7 || !errors.Is(lot, rpc.Code(404)) || is[noUser](lot) {
			t.Errorf("%s: the error of Lots.Get is %#v", mode, lot)
		}
		user := conn.Call(t.Context(), &rpc.Call{Method: users.Methods[0]})
		if e, ok := errors.AsType[noUser](user); !ok || e.Name != "ann" || !errors.Is(user, rpc.Code(404)) || is[*noLot](user) {
			t.Errorf("%s: the error of Users.Get is %#v", mode, user)
		}
		for _, err := range []error{lot, user} {
			if e, _ := errors.AsType[*rpc.Error](err); (e.Type != "") != (mode == "wirecall") {
				t.Errorf("%s: the name %q has crossed", mode, e.Type)
			}
		}
	}
}

// TestWhichErrorCrosses checks what decides where an error wraps others: the outermost
// that is declared or has a code. The message is the whole one's.
func TestWhichErrorCrosses(t *testing.T) {
	lot := &noLot{7}
	for _, test := range []struct {
		fail error
		code rpc.Code
		name string
	}{
		{lot, 404, "lots.Missing"},
		{fmt.Errorf("bidding: %w", lot), 404, "lots.Missing"},
		{fmt.Errorf("%w, %w", errors.New("bid 3"), lot), 404, "lots.Missing"},
		{errors.Join(errors.New("one"), fmt.Errorf("two: %w", errSold)), rpc.CodeApplication, "lots.Sold"},
		{rpc.Errorf(410, "gone: %w", lot), 410, ""},
		{fmt.Errorf("%w %w", rpc.CodeUnavailable, lot), rpc.CodeUnavailable, ""},
		{fmt.Errorf("%w %w", context.Canceled, lot), rpc.CodeCanceled, ""},
		{&rpc.Error{Code: 5, Type: "lots.Missing", Message: "by hand"}, 5, "lots.Missing"},
		{&rpc.Error{Code: 5, Type: strings.Repeat("x", 129), Message: "too long a name"}, 5, ""},
		{noUser{"ann"}, rpc.CodeUnknown, ""},
	} {
		err := failed(t, test.fail, lotErrors)
		e, ok := errors.AsType[*rpc.Error](err)
		if !ok || e.Code != test.code || e.Type != test.name || e.Message != test.fail.Error() {
			t.Errorf("%v came as %+v", test.fail, err)
		}
		typed := test.name == "lots.Missing" && test.code == 404
		if is[*noLot](err) != typed || errors.Is(err, errSold) != (test.name == "lots.Sold") {
			t.Errorf("%v came as %#v", test.fail, errors.Unwrap(err))
		}
	}
}

// TestPointerToDeclaredError checks that where a type is an error its pointer, which
// is one as well, crosses as the type.
func TestPointerToDeclaredError(t *testing.T) {
	for _, fail := range []error{noUser{"ann"}, &noUser{"ann"}} {
		if e, ok := errors.AsType[noUser](failed(t, fail, userErrors)); !ok || e.Name != "ann" {
			t.Errorf("%T came as %#v", fail, e)
		}
	}
}

// TestCodeOfTwoErrors checks that without a name a code which two errors have says
// nothing.
func TestCodeOfTwoErrors(t *testing.T) {
	both := []*rpc.ErrorType{gen1.Error[*noLot]("lots.Missing", 404), gen1.ErrorValue("lots.Sold", 404, errSold)}
	err := failed(t, rpc.Errorf(404, "which?").WithData(noLot{7}), both)
	if is[*noLot](err) || errors.Is(err, errSold) || rpc.CodeOf(err) != 404 {
		t.Errorf("got %#v", err)
	}
}

// TestDeclaredErrorsCrossWhole checks that declared errors cross with HideErrors, which
// is for those that nobody has declared.
func TestDeclaredErrorsCrossWhole(t *testing.T) {
	svc := declaring(lotErrors, method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return fmt.Errorf("bidding: %w", &noLot{7}) }))
	conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{HideErrors: true}, svc), nil)
	err := conn.Call(t.Context(), &rpc.Call{Method: svc.Methods[0]})
	if !is[*noLot](err) || err.Error() != "bidding: no such lot" {
		t.Errorf("got %v", err)
	}
}

// TestGatewayGivesItsOwnName checks that an error which a handler has got from another
// program crosses as what the handler's method declares of that type.
func TestGatewayGivesItsOwnName(t *testing.T) {
	backend := overWebSocket(t, codec.JSON, declaring(lotErrors, method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return &noLot{7} })))
	renamed := []*rpc.ErrorType{gen1.Error[*noLot]("front.NoLot", 1404)}
	front := overWebSocket(t, codec.JSON, declaring(renamed, method("Test.Fail", nil, func(ctx context.Context, _ *rpc.Call) error {
		return backend.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Test.Fail", Errors: lotErrors}})
	})))
	err := front.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Fail", Errors: renamed}})
	e, _ := errors.AsType[*rpc.Error](err)
	if lot, ok := errors.AsType[*noLot](err); !ok || lot.Lot != 7 || e.Code != 1404 || e.Type != "front.NoLot" {
		t.Errorf("got %#v", err)
	}
}

// TestErrorsOverTheLimit checks what arrives of an error that the caller does not take
// as a whole, of a call and at the end of a stream: its code and name in any case, its
// message without its data if there is room for that, or the beginning of it.
func TestErrorsOverTheLimit(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	for name, fail := range map[string]*rpc.Error{
		"data":    rpc.Errorf(404, "no such lot").WithData(big),
		"message": rpc.Errorf(404, "no such lot%s", big),
		"both":    rpc.Errorf(404, "no such lot%s", big).WithData(big),
	} {
		fail.Type = "lots.Missing"
		call, stream := failing(fail).Methods[0], failing(fail).Methods[1]
		conn := rpctest.Pair(t.Context(), t, server(nil, failing(fail)), &rpc.ConnOptions{Limits: rpc.Limits{MessageBytes: 64 << 10}})
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: stream, Result: &s}); err != nil {
			t.Fatal(err)
		}
		_, ended := collect(gen1.Receive[int](s))
		for what, err := range map[string]error{"call": conn.Call(t.Context(), &rpc.Call{Method: call}), "stream": ended} {
			e, ok := errors.AsType[*rpc.Error](err)
			whole := name == "data"
			if !ok || e.Code != 404 || e.Type != "lots.Missing" || whole != (e.Message == "no such lot") || !strings.HasPrefix(e.Message, "no such lot") {
				t.Errorf("%s, %s: %.100v", what, name, err)
			} else if e.Decode(new(string)) == nil {
				t.Errorf("%s, %s: the data has come", what, name)
			}
		}
	}
}
