package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	geth "github.com/ethereum/go-ethereum/rpc"

	"github.com/wirecall/wirecall/rpc"
)

func dialGeth(t *testing.T, url string) *geth.Client {
	t.Helper()
	client, err := geth.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Over what it calls IPC geth's client writes lines.
func TestGethOverLines(t *testing.T) {
	b, tp := listen(t)
	conn, err := net.Dial("tcp", tp.addr)
	if err != nil {
		t.Fatal(err)
	}
	client, err := geth.DialIO(t.Context(), conn, conn)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	defer conn.Close() // which Close waits for and leaves to us
	var sums [2]int
	batch := []geth.BatchElem{
		{Method: "calc_add", Args: []any{1, 2}, Result: &sums[0]},
		{Method: "calc_add", Args: []any{3, 4}, Result: &sums[1]},
	}
	if err := client.BatchCallContext(t.Context(), batch); err != nil || sums != [2]int{3, 7} {
		t.Error(sums, err)
	}
	heads, sub := subscribe(t, client)
	b.heads <- header("0x1")
	if h := <-heads; h != header("0x1") {
		t.Error(h)
	}
	sub.Unsubscribe()
	<-b.ended
}

// overBoth runs a test over a WebSocket and over POST.
func overBoth(t *testing.T, test func(t *testing.T, b *backend, client *geth.Client)) {
	for _, scheme := range []string{"ws", "http"} {
		t.Run(scheme, func(t *testing.T) {
			b, tp := serveHTTP(t)
			test(t, b, dialGeth(t, scheme+"://"+tp.addr))
		})
	}
}

func TestGethCalls(t *testing.T) {
	overBoth(t, func(t *testing.T, b *backend, client *geth.Client) {
		var sum int
		if err := client.CallContext(t.Context(), &sum, "calc_add", 20, 22); err != nil || sum != 42 {
			t.Error(sum, err)
		}
		var id string
		if err := client.CallContext(t.Context(), &id, "eth_chainId"); err != nil || id != "0x1" {
			t.Error(id, err)
		}
		if err := client.CallContext(t.Context(), nil, "calc_wait_for_it"); errorCode(err) != rpc.CodeMethodNotFound {
			t.Errorf("an unknown method: %v", err)
		}
		if err := client.CallContext(t.Context(), &sum, "calc_add", "20", 22); errorCode(err) != rpc.CodeInvalidParams {
			t.Errorf("a string for an int: %v", err)
		}
	})
}

func TestGethErrorHasCodeAndData(t *testing.T) {
	overBoth(t, func(t *testing.T, b *backend, client *geth.Client) {
		err := client.CallContext(t.Context(), nil, "calc_fail", 77, "the reason")
		data, ok := errors.AsType[geth.DataError](err)
		if errorCode(err) != 77 || !ok || fmt.Sprint(data.ErrorData()) != "map[detail:the reason]" || err.Error() != "failed as asked" {
			t.Errorf("%#v", err)
		}
	})
}

func errorCode(err error) rpc.Code {
	e, ok := errors.AsType[geth.Error](err)
	if !ok {
		return 0
	}
	return rpc.Code(e.ErrorCode())
}

func TestGethBatch(t *testing.T) {
	overBoth(t, func(t *testing.T, b *backend, client *geth.Client) {
		var sums [3]int
		batch := []geth.BatchElem{
			{Method: "calc_add", Args: []any{1, 2}, Result: &sums[0]},
			{Method: "calc_fail", Args: []any{77, "x"}, Result: &sums[1]},
			{Method: "calc_add", Args: []any{3, 4}, Result: &sums[2]},
			{Method: "eth_subscribe", Args: []any{"newHeads"}, Result: new(any)},
		}
		if err := client.BatchCallContext(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if sums != [3]int{3, 0, 7} || batch[0].Error != nil || batch[2].Error != nil {
			t.Errorf("%v, %+v", sums, batch)
		}
		if errorCode(batch[1].Error) != 77 || errorCode(batch[3].Error) != rpc.CodeNeedsWirecall {
			t.Errorf("%+v", batch)
		}
	})
}

func TestGethNotification(t *testing.T) {
	b, tp := serveHTTP(t)
	client := dialGeth(t, "ws://"+tp.addr)
	for _, text := range []string{"one", "two"} {
		if err := client.Notify(t.Context(), "calc_note", text); err != nil {
			t.Fatal(err)
		}
	}
	if one, two := <-b.notes, <-b.notes; one != "one" || two != "two" {
		t.Error(one, two)
	}
}

// What geth abandons it forgets without a word: the server notices when the
// connection ends, or over POST, the request.
func TestGethAbandonedCallEnds(t *testing.T) {
	overBoth(t, func(t *testing.T, b *backend, client *geth.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { failed <- client.CallContext(ctx, nil, "calc_wait") }()
		<-b.waiting
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		client.Close()
		<-b.left
	})
}

func subscribe(t *testing.T, client *geth.Client) (<-chan Header, *geth.ClientSubscription) {
	t.Helper()
	heads := make(chan Header)
	sub, err := client.Subscribe(t.Context(), "eth", heads, "newHeads")
	if err != nil {
		t.Fatal(err)
	}
	return heads, sub
}

func TestGethSubscription(t *testing.T) {
	b, tp := serveHTTP(t)
	client := dialGeth(t, "ws://"+tp.addr)
	heads, sub := subscribe(t, client)
	for _, n := range []string{"0x1", "0x2", "0x3"} {
		b.heads <- header(n)
		if h := <-heads; h != header(n) {
			t.Fatalf("%+v, want %s", h, n)
		}
	}
	sub.Unsubscribe()
	if gone := <-b.ended; !gone {
		t.Error("the producer ended by itself")
	}
	if err, open := <-sub.Err(); open {
		t.Error(err)
	}
	var sum int
	if err := client.CallContext(t.Context(), &sum, "calc_add", 1, 2); err != nil || sum != 3 {
		t.Error("after the subscription:", sum, err)
	}
}

func TestGethSubscriptionsAreApart(t *testing.T) {
	b, tp := serveHTTP(t)
	client := dialGeth(t, "ws://"+tp.addr)
	first, sub := subscribe(t, client)
	b.heads <- header("0x1")
	if h := <-first; h != header("0x1") {
		t.Fatal(h)
	}
	sub.Unsubscribe()
	<-b.ended
	second, _ := subscribe(t, client)
	b.heads <- header("0x2")
	if h := <-second; h != header("0x2") {
		t.Fatal(h)
	}
	client.Close()
	if gone := <-b.ended; !gone {
		t.Error("the producer has not heard that its client is gone")
	}
}

func TestGethSubscriptionRefused(t *testing.T) {
	_, tp := serveHTTP(t)
	client := dialGeth(t, "ws://"+tp.addr)
	_, err := client.Subscribe(t.Context(), "eth", make(chan Header), "logs")
	if errorCode(err) != rpc.CodeInvalidParams {
		t.Error(err)
	}
	if err := client.CallContext(t.Context(), nil, "calc_sum", 1); errorCode(err) != rpc.CodeNeedsWirecall {
		t.Error("a stream as a parameter:", err)
	}
}

// A subscription whose producer fails ends for geth's client with an error.
// Ethereum's have no other end: one whose producer has no more to say stays, and
// can be left as any.
func TestGethSubscriptionEnds(t *testing.T) {
	for _, fail := range []error{nil, errors.New("feed lost")} {
		t.Run(fmt.Sprint(fail), func(t *testing.T) {
			b, tp := serveHTTP(t)
			b.fail = fail
			heads, sub := subscribe(t, dialGeth(t, "ws://"+tp.addr))
			b.heads <- header("0x1")
			<-heads
			b.heads <- Header{}
			if gone := <-b.ended; gone {
				t.Error("the reader went first")
			}
			if fail == nil {
				sub.Unsubscribe()
			}
			if err := <-sub.Err(); (err == nil) != (fail == nil) {
				t.Errorf("the subscription ended with %v", err)
			}
		})
	}
}
