package rpc_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// An upload is parameters with a stream.
type upload struct{ items gen1.Stream }

func (*upload) names() []string { return []string{"items"} }
func (u *upload) Field(int) any { return &u.items }

// Buffers go from hand to hand with what is large, and are used again: every
// message must be what was sent all the same, in its order, whatever is beside it.
func TestLargeMessagesStayWhole(t *testing.T) {
	sizes := []int{10, 8000, 8200, 100, 16_000, 40_000, 8150, 1, 200_000}
	text := func(who, i int) string {
		return strings.Repeat(fmt.Sprintf("%d of %d.", i, who), sizes[(who+i)%len(sizes)]/8+1)
	}
	echo := method("Test.Echo", func() (any, any) { return new([]string), new(string) }, func(_ context.Context, c *rpc.Call) error {
		*c.Result.(*string) = (*c.Params.(*[]string))[0]
		return nil
	})
	back := method("Test.Back", func() (any, any) { return new(upload), new(gen1.Stream) }, func(_ context.Context, c *rpc.Call) error {
		*c.Result.(*gen1.Stream) = gen1.Send(gen1.Receive[string](c.Params.(*upload).items))
		return nil
	})
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		t.Run(cd.Name(), func(t *testing.T) {
			ts := serveHTTP(t, server(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}}, echo, back))
			conn, err := rpc.Dial(t.Context(), ts.URL, &rpc.DialOptions{Codec: cd})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var wg sync.WaitGroup
			for who := range 6 {
				wg.Go(func() {
					for i := range 12 {
						var got string
						want := text(who, i)
						if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Echo"), Params: []string{want}, Result: &got}); err != nil || got != want {
							t.Errorf("call %d of %d: %v, %d bytes of %d, %.20q", i, who, err, len(got), len(want), got)
						}
					}
				})
				wg.Go(func() {
					up := gen1.Send(func(yield func(string, error) bool) {
						for i := range 40 {
							if !yield(text(who, i), nil) {
								return
							}
						}
					})
					var down gen1.Stream
					if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Back", "items"), Params: &upload{up}, Result: &down}); err != nil {
						t.Error(err)
						return
					}
					i := 0
					for got, err := range gen1.Receive[string](down) {
						if want := text(who, i); err != nil || got != want {
							t.Errorf("item %d of %d: %v, %d bytes of %d, %.20q", i, who, err, len(got), len(want), got)
							return
						}
						if i++; who > 4 && i == 20 {
							return // the rest is dropped
						}
					}
					if i != 40 && who < 5 {
						t.Errorf("stream %d: %d items", who, i)
					}
				})
			}
			wg.Wait()
		})
	}
}

// A peer that reads, but slowly, is not cut off for what it asks for meanwhile: the
// answers are much larger than Outgoing, and refusals do not wait behind them.
func TestSlowReaderOfLargeAnswersIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{SendQueueBytes: 10_000, MessageBytes: 4 << 20, IdleTimeout: -1}}, services()...)
		near, _ := servePipe(context.Background(), srv)
		lines := bufio.NewReaderSize(near, 4<<20)
		fmt.Fprintln(near, strings.Replace(helloLine, "65536", "4194304", 1))
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		for id := range 3 {
			fmt.Fprintf(near, `{"jsonrpc":"2.0","id":%d,"method":"Test.Big","params":[3000000]}`+"\n", 10+id)
		}
		synctest.Wait() // nothing has been read
		for id := range 50 {
			fmt.Fprintf(near, `{"jsonrpc":"2.0","id":%d,"method":"Test.Unknown"}`+"\n", 100+id)
		}
		synctest.Wait()
		for n := range 3 + 50 {
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatalf("behind %d answers: %v", n, err)
			}
		}
		near.Close()
		srv.Close()
	})
}
