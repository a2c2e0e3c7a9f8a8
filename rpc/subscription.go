package rpc

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/wire"
)

// A subscription is how a stream looks in plain mode: as the publish and
// subscribe that Ethereum's clients and jsonrpsee speak. There is no credit; a
// client that does not read for subscribeWait loses it with CodeSlowConsumer.
type subscription struct {
	form   wire.Format
	prefix []byte // of every message, up to the item
	buf    []byte
	silent bool // the client has unsubscribed
	noDone bool // the client knows no end but an error
}

func newSubscription(form wire.Format, method string, id []byte) *subscription {
	name := notificationName(method)
	p := []byte(`{"jsonrpc":"2.0","method":`)
	p = form.AppendString(p, name)
	p = append(append(p, `,"params":{"subscription":`...), id...)
	return &subscription{form: form, prefix: p, noDone: name != method}
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
func (s *subscription) item(b []byte) []byte {
	s.buf = append(append(append(s.buf[:0], s.prefix...), `,"result":`...), b...)
	s.buf = append(s.buf, "}}"...)
	return s.buf
}

// end appends the last message, nothing where the client no longer listens. The
// subscriptions of Ethereum's clients have no end: ethers takes a message without
// a result for an item, and throws where nobody catches. An error is worth that.
func (s *subscription) end(dst, errObject []byte) []byte {
	if s.silent || s.noDone && errObject == nil {
		return dst
	}
	dst = append(dst, s.prefix...)
	if errObject == nil {
		return append(dst, `,"done":true}}`...)
	}
	return append(append(append(dst, `,"error":`...), errObject...), "}}"...)
}

// unsubscribe answers rpc.unsubscribe, and the X_unsubscribe that goes with a
// method X_subscribe: true where the subscription was open. No item follows
// the answer. It returns nil for any other method.
func (c *session) unsubscribe(m *wire.Message) []byte {
	if string(m.Method) != methodUnsubscribe && !c.unsubscribes(string(m.Method)) {
		return nil
	}
	var id string
	n := 0
	for raw := range c.form.Array(m.Params) {
		id, _ = c.form.String(raw)
		n++
	}
	if n != 1 || id == "" {
		return c.refusal(m.ID, &Error{Code: CodeInvalidParams, Message: "invalid params: want [id of a subscription]"})
	}
	open := false
	hex, _ := strings.CutPrefix(id, "0x")
	handle, err := strconv.ParseUint(hex, 16, 64)
	if s := c.out.source(handle); s != nil && err == nil {
		open = s.unsubscribe()
	}
	msg := c.form.AppendResponse(nil, &wire.Head{ID: m.ID, Body: true})
	return c.form.AppendTail(fmt.Append(msg, open))
}

func (c *session) unsubscribes(method string) bool {
	ns, ok := strings.CutSuffix(method, "_unsubscribe")
	return ok && c.methods.lookup([]byte(method)) == nil && c.methods.lookup([]byte(ns+"_subscribe")) != nil
}

// unsubscribe silences the source, which drops what waits.
func (s *source) unsubscribe() bool {
	o := &s.c.out
	o.mu.Lock()
	open := !s.sub.silent && !s.ended
	s.sub.silent = true
	if s.queued {
		o.items -= s.held()
	}
	s.pend, s.lens, s.n = s.pend[:0], s.lens[:0], 0
	o.mu.Unlock()
	s.stop(nil)
	return open
}
