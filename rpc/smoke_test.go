package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

type addParams struct{ A, B int }

func (p *addParams) Fields() []rpc.Field {
	return []rpc.Field{{Name: "a", Value: &p.A}, {Name: "b", Value: &p.B}}
}

type sumParams struct{ Nums rpc.Stream }

func (p *sumParams) Fields() []rpc.Field { return []rpc.Field{{Name: "nums", Value: &p.Nums}} }

func svc() rpc.Service {
	return rpc.Service{Name: "Test", Methods: []rpc.Method{
		{Name: "Test.Add", New: func() (any, any) { return new(addParams), new(int) }, Serve: func(ctx context.Context, c *rpc.Call) error {
			p := c.Params.(*addParams)
			*c.Result.(*int) = p.A + p.B
			return nil
		}},
		{Name: "Test.Sleep", New: func() (any, any) { return nil, nil }, Serve: func(ctx context.Context, c *rpc.Call) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}},
		{Name: "Test.Count", New: func() (any, any) { return new(addParams), new(rpc.Stream) }, Serve: func(ctx context.Context, c *rpc.Call) error {
			n := c.Params.(*addParams).A
			*c.Result.(*rpc.Stream) = rpc.From(func(yield func(int, error) bool) {
				for i := range n {
					if !yield(i, nil) {
						return
					}
				}
				yield(0, errors.New("enough"))
			})
			return nil
		}},
		{Name: "Test.Sum", New: func() (any, any) { return new(sumParams), new(int) }, Serve: func(ctx context.Context, c *rpc.Call) error {
			for n, err := range rpc.To[int](c.Params.(*sumParams).Nums) {
				if err != nil {
					return err
				}
				*c.Result.(*int) += n
			}
			return nil
		}},
	}}
}

func exercise(t *testing.T, conn *rpc.Conn) {
	ctx := t.Context()
	var sum int
	if err := conn.Call(ctx, &rpc.Call{Method: "Test.Add", Params: &addParams{1, 2}, Result: &sum}); err != nil || sum != 3 {
		t.Fatal(sum, err)
	}
	var s rpc.Stream
	if err := conn.Call(ctx, &rpc.Call{Method: "Test.Count", Params: &addParams{A: 1000}, Result: &s}); err != nil {
		t.Fatal(err)
	}
	want := 0
	var end error
	for n, err := range rpc.To[int](s) {
		if err != nil {
			end = err
			break
		}
		if n != want {
			t.Fatal(n, want)
		}
		want++
	}
	if want != 1000 || end == nil || end.Error() != "enough" {
		t.Fatal(want, end)
	}
	sum = 0
	var nums iter.Seq2[int, error] = func(yield func(int, error) bool) {
		for i := range 1000 {
			if !yield(i, nil) {
				return
			}
		}
	}
	if err := conn.Call(ctx, &rpc.Call{Method: "Test.Sum", Params: &sumParams{rpc.From(nums)}, Result: &sum}); err != nil || sum != 499500 {
		t.Fatal(sum, err)
	}
	ctx2, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := conn.Call(ctx2, &rpc.Call{Method: "Test.Sleep"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	fmt.Println("ok")
}

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exercise(t, rpctest.Connect(t, svc()))
	})
}

func TestSmokeWS(t *testing.T) {
	srv := rpc.NewServer(nil)
	srv.Register(svc())
	ts := httptest.NewServer(srv)
	defer ts.Close()
	conn, err := rpc.Dial(t.Context(), ts.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	exercise(t, conn)
	conn.Close()
	srv.Shutdown(t.Context())
}
