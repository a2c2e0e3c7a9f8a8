package rpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// What a peer that means harm gets, and what it does not.

// drained lets everything come that does, and returns it.
func (p *peer) drained() (lines []string) {
	synctest.Wait()
	for len(p.lines) > 0 {
		lines = append(lines, <-p.lines)
	}
	return lines
}

// ints is a stream of n numbers.
func ints(n int) rpc.Service {
	return streamMethod("Test.Ints", func(context.Context) rpc.Stream {
		return rpc.From(func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		})
	})
}

// A consumer that grants without measure and never says what it has taken gets
// no more than 16,384 items, for the producer remembers each.
func TestCreditIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := greetedClientOf(t, server(nil, ints(100_000)))
		p.say(`{"jsonrpc":"2.0","id":2,"method":"Test.Ints"}`)
		p.hear(`"streams":[1]`)
		for range 3 {
			p.say(`{"jsonrpc":"2.0","method":"$/credit","params":[1,0,2147483647,2147483647]}`)
		}
		n := 0
		for _, line := range p.drained() {
			if strings.Contains(line, "$/items") {
				n += strings.Count(line, ",") - 2
			}
		}
		if n != 16<<10 {
			t.Errorf("%d items came", n)
		}
		p.conn.Close()
	})
}

// A window over the cap is one of the cap: the stream goes on.
func TestWindowOverTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Pair(t, server(nil, ints(100_000)), &rpc.DialOptions{Limits: rpc.Limits{Window: 1 << 20}})
		var s rpc.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Ints", Result: &s}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range rpc.To[int](s) {
			if n++; err != nil {
				t.Fatal(n, err)
			}
		}
		if n != 100_000 {
			t.Error(n)
		}
	})
}

// big is a service of one method, which returns a text of n bytes, or waits for
// the channel where it is asked to.
func big(n int, wait chan struct{}) rpc.Service {
	return method("Test.Big", func() (any, any) { return &addParams{}, new(string) }, func(ctx context.Context, c *rpc.Call) error {
		if c.Params.(*addParams).A > 0 {
			<-wait
		}
		*c.Result.(*string) = strings.Repeat("x", n)
		return nil
	})
}

// The answers to a batch wait for the last of them. What they take counts as
// buffered: a client cannot keep batch after batch waiting for one slow call each.
func TestBatchesHoldNoMoreThanBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := make(chan struct{})
		p := clientOf(t, server(&rpc.ServerOptions{Limits: rpc.Limits{Buffered: 100_000}}, big(10_000, wait)))
		for i := range 20 {
			p.say(`[{"jsonrpc":"2.0","id":"a%[1]d","method":"Test.Big"},{"jsonrpc":"2.0","id":"b%[1]d","method":"Test.Big","params":[1]}]`, i)
			synctest.Wait()
		}
		close(wait)
		full := 0
		for _, line := range p.drained() {
			full += strings.Count(line, `"result"`)
		}
		if full < 9 || full > 20+9 {
			t.Errorf("%d of 40 answers came; want those of the waiting batches that fit 100,000 bytes", full)
		}
		p.say(`[{"jsonrpc":"2.0","id":1,"method":"Test.Big"}]`)
		p.hear(`"result"`)
		p.conn.Close()
	})
}

// tooMany are the fields of a call or an answer with 17 streams.
type tooMany [17]rpc.Stream

func (s *tooMany) Fields() (fields []rpc.Field) {
	for i := range s {
		fields = append(fields, rpc.Field{Name: fmt.Sprint("s", i), Value: &s[i]})
	}
	return fields
}

// A message that lists more than 16 streams ends the connection, so none is sent:
// the call fails, and nothing else.
func TestStreamsOfAMessageAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered := 0
		fill := func(s *tooMany) {
			for i := range s {
				s[i] = rpc.From(func(yield func(int, error) bool) { entered++ })
			}
		}
		conn := rpctest.Pair(t, server(nil,
			method("Test.Take", func() (any, any) { return new(tooMany), nil }, nop),
			method("Test.Make", func() (any, any) { return nil, new(tooMany) }, func(_ context.Context, c *rpc.Call) error {
				fill(c.Result.(*tooMany))
				return nil
			})), nil)
		var params tooMany
		fill(&params)
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Take", Params: &params}); !rpc.NotRun(err) {
			t.Errorf("with 17 streams: %v", err)
		}
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Make", Result: new(tooMany)}); err == nil {
			t.Error("17 streams were returned")
		}
		synctest.Wait()
		if conn.Err() != nil || entered != 17 {
			t.Errorf("the connection: %v; %d streams were entered to clean up, want those that a handler made", conn.Err(), entered)
		}
	})
}
