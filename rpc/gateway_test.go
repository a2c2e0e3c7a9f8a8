package rpc_test

import (
	"bytes"
	"context"
	"errors"
	bigs "math/big"
	"reflect"
	"testing"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// details are data of every kind that the two forms write differently.
type details struct {
	Lot   int64     `json:"lot"`
	Big   *bigs.Int `json:"big"`
	Hash  []byte    `json:"hash"`
	Price float64   `json:"price"`
	Deep  []any     `json:"deep"`
}

func newDetails() details {
	huge, _ := new(bigs.Int).SetString("123456789012345678901234567890", 10)
	return details{1<<62 + 1, huge, []byte{0, 1, 0xff}, 3, []any{"a", nil, true}}
}

// A gatewayError is one that the outermost programs declare, and a gateway or not.
type gatewayError struct{ details }

func (*gatewayError) Error() string { return "no such lot" }

var gatewayErrors = []*rpc.ErrorType{gen1.Error[*gatewayError]("auction.NoLot", 7002)}

// gateway is a service that passes its calls on to a backend with the same methods,
// of which it knows these errors.
func gateway(backend rpc.Caller, errors []*rpc.ErrorType) rpc.Service {
	fail, stream := &rpc.Method{Name: "Test.Fail", Errors: errors}, &rpc.Method{Name: "Test.Stream", Errors: errors}
	return declaring(errors, method(fail.Name, nil, func(ctx context.Context, _ *rpc.Call) error {
		return backend.Call(ctx, &rpc.Call{Method: fail})
	}), method(stream.Name, func() (any, any) { return nil, new(gen1.Stream) }, func(ctx context.Context, c *rpc.Call) error {
		var s gen1.Stream
		if err := backend.Call(ctx, &rpc.Call{Method: stream, Result: &s}); err != nil {
			return err
		}
		*c.Result.(*gen1.Stream) = gen1.Send(gen1.Receive[int](s))
		return nil
	}))
}

// failing is a service whose call and stream end with an error.
func failing(fail error) rpc.Service {
	return declaring(gatewayErrors, method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return fail }),
		streamMethod("Test.Stream", func(context.Context) gen1.Stream {
			return gen1.Send(func(yield func(int, error) bool) { yield(0, fail) })
		}))
}

// The data of an error arrives as it was, whatever the forms that it has crossed
// in, and whether or not the gateway between knows its type.
func TestErrorsThroughGateways(t *testing.T) {
	codecs := []codec.Codec{codec.JSON, cbor.Codec}
	for _, near := range codecs {
		for _, far := range codecs {
			t.Run(far.Name()+" to "+near.Name(), func(t *testing.T) {
				want := newDetails()
				for name, test := range map[string]struct {
					fail   error
					errors []*rpc.ErrorType
				}{
					"known":      {&gatewayError{want}, gatewayErrors},
					"passed on":  {&gatewayError{want}, nil},
					"undeclared": {rpc.Errorf(7003, "no such lot").WithData(want), nil},
				} {
					backend := overWebSocket(t, far, failing(test.fail))
					conn := overWebSocket(t, near, gateway(backend, test.errors))
					fail, stream := failing(nil).Methods[0], failing(nil).Methods[1]
					var s gen1.Stream
					if err := conn.Call(t.Context(), &rpc.Call{Method: stream, Result: &s}); err != nil {
						t.Fatal(err)
					}
					_, ended := collect(gen1.Receive[int](s))
					for what, err := range map[string]error{"call": conn.Call(t.Context(), &rpc.Call{Method: fail}), "stream": ended} {
						e, ok := errors.AsType[*rpc.Error](err)
						if !ok {
							t.Fatal(err)
						}
						var got details
						if typed, ok := errors.AsType[*gatewayError](err); ok {
							got = typed.details
						} else if err := e.Decode(&got); err != nil {
							t.Errorf("%s, %s: %v", name, what, err)
						}
						if e.Message != "no such lot" || !sameDetails(got, want) || (name != "undeclared") != is[*gatewayError](err) {
							t.Errorf("%s, %s: got %v with %+v, want %+v", name, what, e, got, want)
						}
					}
				}
			})
		}
	}
}

func sameDetails(a, b details) bool {
	return a.Lot == b.Lot && a.Big != nil && a.Big.Cmp(b.Big) == 0 && bytes.Equal(a.Hash, b.Hash) && a.Price == b.Price && reflect.DeepEqual(a.Deep, b.Deep)
}
