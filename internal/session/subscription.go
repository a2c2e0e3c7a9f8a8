package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A subscription is how a stream looks in plain mode: as the publish and
// subscribe that Ethereum's clients and jsonrpsee speak. There is no credit; a
// client that takes nothing for subscribeWait loses it with CodeSlowConsumer.
type subscription struct {
	form   wire.Format
	id     []byte // JSON text
	name   string // of its notifications
	prefix []byte // of every message, up to the item
	buf    []byte
	silent bool // the client has unsubscribed
	eth    bool // it has the name of one of Ethereum's, which know no end
}

func newSubscription(form wire.Format, method string, id []byte) *subscription {
	name := notificationName(method)
	p := []byte(`{"jsonrpc":"2.0","method":`)
	p = form.AppendString(p, name)
	p = append(append(p, `,"params":{"subscription":`...), id...)
	return &subscription{form: form, id: id, name: name, prefix: p, eth: name != method}
}

// notificationName is what a method's items are called: after the method; and
// for a name like eth_subscribe, which those clients know, eth_subscription.
func notificationName(method string) string {
	if ns, ok := strings.CutSuffix(method, "_subscribe"); ok {
		return ns + "_subscription"
	}
	return method
}

// item wraps an encoded item. What it returns is good until the next.
func (sub *subscription) item(b []byte) []byte {
	sub.buf = append(append(append(sub.buf[:0], sub.prefix...), `,"result":`...), b...)
	sub.buf = append(sub.buf, "}}"...)
	return sub.buf
}

// end returns the last messages, none where the client no longer listens. A nil
// errObject is a stream that is complete.
func (sub *subscription) endMessages(errObject []byte) [][]byte {
	switch {
	case sub.silent:
		return nil
	case sub.eth:
		return sub.ethEndMessages(errObject)
	case errObject == nil:
		return [][]byte{append(sub.prefix, `,"done":true}}`...)}
	}
	return [][]byte{slices.Concat(sub.prefix, []byte(`,"error":`), errObject, []byte("}}"))}
}

// ethEnd is the end of a subscription whose clients know none: they take a message
// without a result for an item. An error is worth two messages, which only together
// do no harm. The first is taken by ethers for an answer, because it has an id, and
// by viem for an error, because it has one; without "jsonrpc" web3.js ignores it.
// The second ends the subscription of go-ethereum's client, which, unlike the
// others, does not mind the case of letters.
func (sub *subscription) ethEndMessages(errObject []byte) [][]byte {
	if errObject == nil {
		return nil
	}
	first := append(sub.form.AppendString([]byte(`{"id":null,"method":`), sub.name), `,"params":{"subscription":`...)
	first = append(append(append(append(first, sub.id...), `},"error":`...), errObject...), '}')
	second := append([]byte(`{"jsonrpc":"2.0","method":"end_subscription","params":{"Subscription":`), sub.id...)
	return [][]byte{first, append(second, "}}"...)}
}

// unsubscribe answers rpc.unsubscribe, and the X_unsubscribe that goes with a
// method X_subscribe: true where the subscription was open. No item follows
// the answer. It returns nil for any other method.
func (s *Session) unsubscribe(m *wire.Message) []byte {
	if string(m.Method) != methodUnsubscribe && !s.unsubscribes(string(m.Method)) {
		return nil
	}
	var id string
	n := 0
	for raw := range s.Format.Array(m.Params) {
		id, _ = s.Format.String(raw)
		n++
	}
	if n != 1 || id == "" {
		return s.refusal(m.ID, &fault.Error{Code: fault.InvalidParams, Message: "invalid params: want [id of a subscription]"})
	}
	open := false
	hex, _ := strings.CutPrefix(id, "0x")
	handle, err := strconv.ParseUint(hex, 16, 64)
	if ss := s.queue.sendStream(handle); ss != nil && err == nil {
		open = ss.unsubscribe()
	}
	msg := s.Format.AppendResponse(nil, &wire.Head{ID: m.ID, Body: true})
	return s.Format.AppendTail(fmt.Append(msg, open))
}

func (s *Session) unsubscribes(method string) bool {
	ns, ok := strings.CutSuffix(method, "_unsubscribe")
	return ok && s.Lookup([]byte(method)) == nil && s.Lookup([]byte(ns+"_subscribe")) != nil
}

// unsubscribe silences the stream, which drops what waits.
func (ss *SendStream) unsubscribe() bool {
	q := &ss.Session.queue
	q.mu.Lock()
	open := !ss.sub.silent && !ss.finished
	ss.sub.silent = true
	if ss.inReadyList {
		q.itemBytes -= ss.pendingBytes()
	}
	ss.pending, ss.itemSizes, ss.pendingItems = ss.pending[:0], ss.itemSizes[:0], 0
	q.mu.Unlock()
	ss.stop(nil)
	return open
}
