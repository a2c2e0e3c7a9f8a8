package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
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

// A gatewayError is one whose type all know.
type gatewayError struct{ details }

func (*gatewayError) Error() string  { return "no such lot" }
func (*gatewayError) ErrorCode() int { return 7002 }

func init() { rpc.RegisterError[*gatewayError]() }

// behindGateway is a client of a server that passes all calls on to another, each
// with a codec of its own.
func behindGateway(t *testing.T, near, far codec.Codec, fail error) *rpc.Conn {
	backend := overWebSocket(t, far, method("Test.Fail", nil, func(context.Context, *rpc.Call) error { return fail }),
		rpc.Service{Name: "Stream", Methods: streamMethod("Test.Stream", func(context.Context) gen1.Stream {
			var seq iter.Seq2[int, error] = func(yield func(int, error) bool) { yield(0, fail) }
			return gen1.Send(seq)
		}).Methods})
	return overWebSocket(t, near, method("Test.Fail", nil, func(ctx context.Context, _ *rpc.Call) error {
		return backend.Call(ctx, &rpc.Call{Method: to("Test.Fail")})
	}), rpc.Service{Name: "Stream", Methods: []*rpc.Method{{Name: "Test.Stream", New: func() (any, any) { return nil, new(gen1.Stream) },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			var s gen1.Stream
			if err := backend.Call(ctx, &rpc.Call{Method: to("Test.Stream"), Result: &s}); err != nil {
				return err
			}
			*c.Result.(*gen1.Stream) = gen1.Send(gen1.Receive[int](s))
			return nil
		}}}})
}

// The data of an error arrives as it was, whatever the forms that it has crossed
// in, and whether or not those between know its type.
func TestErrorsThroughGateways(t *testing.T) {
	codecs := []codec.Codec{codec.JSON, cbor.Codec}
	for _, near := range codecs {
		for _, far := range codecs {
			t.Run(far.Name()+" to "+near.Name(), func(t *testing.T) {
				want := newDetails()
				for name, fail := range map[string]error{
					"known":   &gatewayError{want},
					"unknown": rpc.Errorf(7003, "no such lot").WithData(want),
				} {
					conn := behindGateway(t, near, far, fail)
					var s gen1.Stream
					if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Stream"), Result: &s}); err != nil {
						t.Fatal(err)
					}
					_, ended := collect(gen1.Receive[int](s))
					for what, err := range map[string]error{"call": conn.Call(t.Context(), &rpc.Call{Method: to("Test.Fail")}), "stream": ended} {
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
						if e.Message != "no such lot" || !sameDetails(got, want) || (name == "known") != is[*gatewayError](err) {
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
