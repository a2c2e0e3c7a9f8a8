package stress

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// strangeSubscriptions are streams in every form that a server may have them in.
var strangeSubscriptions = []*rpc.Subscription{
	{Subscribe: "eth_subscribe", Kind: "a", Notify: "eth_subscription", Unsubscribe: "eth_unsubscribe", ID: "subscription", Item: "result"},
	{Subscribe: "eth_subscribe", Kind: "b", Notify: "eth_subscription", Unsubscribe: "eth_unsubscribe", ID: "subscription", Item: "result"},
	{Subscribe: "sync", Notify: "xrpc.ch.val", End: "xrpc.ch.close", Cancel: "xrpc.cancel", ID: "0", Item: "1"},
	{Subscribe: "rpc.on", Kind: "feed", Notify: "feed", Unsubscribe: "rpc.off", Item: "0"},
}

// FuzzStranger has a server send anything at all to a client in plain mode that
// subscribes to its streams: each call and each stream ends, at the latest with the
// connection, and nothing is left of them.
func FuzzStranger(f *testing.F) {
	answers := `{"jsonrpc":"2.0","id":1,"result":"0x1"}` + "\n" + `{"jsonrpc":"2.0","id":2,"result":2}` + "\n" +
		`{"jsonrpc":"2.0","id":3,"result":3}` + "\n" + `{"jsonrpc":"2.0","id":4,"result":{"feed":"ok"}}` + "\n"
	item := `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":1}}` + "\n"
	f.Add([]byte(answers + item + item + item + `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":2,"error":{"code":1}}}` + "\n"))
	f.Add([]byte(item + item + item + item + item + item + answers + item))
	f.Add([]byte(answers + `{"jsonrpc":"2.0","method":"xrpc.ch.val","params":[3,{}]}` + "\n" + `{"jsonrpc":"2.0","method":"xrpc.ch.close","params":[3]}` + "\n" + `{"notification":"feed","params":[1,2]}` + "\n"))
	f.Add([]byte(answers + `{"jsonrpc":"2.0","id":5,"result":true}` + "\n" + answers + `{"jsonrpc":"2.0","id":4,"result":"provided event invalid"}` + "\n[]\nnull\n{"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			conn, err := rpc.NewConn(t.Context(), near, &rpc.ConnOptions{Plain: true, Limits: rpc.Limits{Streams: 3, SubscriptionItems: 4, MessageBytes: 1 << 16}})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() { io.Copy(io.Discard, bufio.NewReader(far)) })
			for _, sub := range strangeSubscriptions {
				wg.Go(func() { subscribe(conn, sub) })
				synctest.Wait() // so that the ids of the calls are known
			}
			far.Write(sent)
			synctest.Wait()
			far.Close()
			wg.Wait()
			synctest.Wait() // the end of the connection, which what leaves a stream does not wait for
			if st := conn.Stats(); st.StreamsTaken != 0 || st.CallsMade != 0 {
				t.Errorf("%+v", st)
			}
			conn.Close()
		})
	})
}

// subscribe reads three items of a stream, if it has as many.
func subscribe(conn *rpc.Conn, sub *rpc.Subscription) {
	var s gen1.Stream
	method := &rpc.Method{Name: "stream", Plain: &rpc.Plain{Subscription: sub}}
	if conn.Call(context.Background(), &rpc.Call{Method: method, Result: &s}) != nil {
		return
	}
	n := 0
	for _, err := range gen1.Receive[json.RawMessage](s) {
		if n++; err != nil || n == 3 {
			return
		}
	}
}
