package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A subscription is a stream in plain mode: publish and subscribe as in the clients of
// Ethereum and in jsonrpsee. There is no credit: if a client reads nothing for
// subscribeWait, its subscription ends with fault.SlowConsumer.
type subscription struct {
	form   wire.Format
	id     []byte // as JSON text
	name   string // the method of its notifications
	prefix []byte // of every message, up to the item
	buf    []byte
	silent bool // the client has unsubscribed
	eth    bool // named as in Ethereum, whose subscriptions have no end
}

func newSubscription(form wire.Format, method string, id []byte) *subscription {
	name := notificationName(method)
	p := []byte(`{"jsonrpc":"2.0","method":`)
	p = form.AppendString(p, name)
	p = append(append(p, `,"params":{"subscription":`...), id...)
	return &subscription{form: form, id: id, name: name, prefix: p, eth: name != method}
}

// leave implements dialect: the client ends its subscription.
func (p *plain) leave(rs *RecvStream) {
	p.subscriptions.leave(rs.Handle)
	p.session.recv.remove(int64(rs.Handle))
}

// introduce implements dialect: the stream becomes a subscription.
func (p *plain) introduce(ss *SendStream, method string) []byte {
	name := fmt.Appendf(nil, `"0x%x"`, ss.handle)
	ss.sub = newSubscription(p.session.Format, method, name)
	return name
}

// notificationName returns the method of the notifications with a method's items:
// X_subscription for a method X_subscribe, as in Ethereum, otherwise the method itself.
func notificationName(method string) string {
	if ns, ok := strings.CutSuffix(method, "_subscribe"); ok {
		return ns + "_subscription"
	}
	return method
}

// item returns the message for an encoded item. It is valid until the next call.
func (sub *subscription) item(b []byte) []byte {
	sub.buf = append(append(append(sub.buf[:0], sub.prefix...), `,"result":`...), b...)
	sub.buf = append(sub.buf, "}}"...)
	return sub.buf
}

// endMessages returns the messages that end the subscription, none if the client has
// unsubscribed. errObject is nil if the stream is complete.
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

// ethEndMessages returns the messages that end a subscription in Ethereum's style,
// whose clients take any message without a result for an item. A complete stream gets
// none, an error two, which are harmless only together. ethers takes the first for an
// answer, because it has an id, and viem for an error, because it has one; web3.js
// ignores it, because it has no "jsonrpc". The second ends the subscription of
// go-ethereum's client, which, unlike the others, ignores the case of member names.
func (sub *subscription) ethEndMessages(errObject []byte) [][]byte {
	if errObject == nil {
		return nil
	}
	first := append(sub.form.AppendString([]byte(`{"id":null,"method":`), sub.name), `,"params":{"subscription":`...)
	first = append(append(append(append(first, sub.id...), `},"error":`...), errObject...), '}')
	second := append([]byte(`{"jsonrpc":"2.0","method":"end_subscription","params":{"Subscription":`), sub.id...)
	return [][]byte{first, append(second, "}}"...)}
}

// unsubscribe answers rpc.unsubscribe, and the X_unsubscribe that belongs to a method
// X_subscribe, with true if the subscription was open. No item follows the answer. It
// returns nil for any other method.
func (p *plain) unsubscribe(m *wire.Message) []byte {
	s := p.session
	if string(m.Method) != methodUnsubscribe && !p.unsubscribes(string(m.Method)) {
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
	if ss := s.queue.stream(handle); ss != nil && err == nil {
		open = ss.unsubscribe()
	}
	msg := s.Format.AppendResponse(nil, &wire.Head{ID: m.ID, Body: true})
	return s.Format.AppendTail(fmt.Append(msg, open))
}

func (p *plain) unsubscribes(method string) bool {
	ns, ok := strings.CutSuffix(method, "_unsubscribe")
	lookup := p.session.Lookup
	return ok && lookup([]byte(method)) == nil && lookup([]byte(ns+"_subscribe")) != nil
}

// unsubscribe stops the stream, drops its pending items, and reports whether it was
// open.
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
