package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A subscription is a stream to a plain client: publish and subscribe, by the names that
// its method declares, or as in the clients of Ethereum and in jsonrpsee. There is no
// credit: if a client reads nothing for subscribeWait, its subscription ends with
// fault.SlowConsumer.
type subscription struct {
	*Subscription
	form   wire.Format
	call   string // the id of the call, as a key
	id     []byte // as JSON text
	before []byte // of a message with an item, up to it
	after  []byte
	buf    []byte
	silent bool // the client has unsubscribed
}

// leave implements dialect: the client ends its subscription.
func (p *plain) leave(rs *RecvStream) {
	p.subscriptions.leave(rs.Handle)
	p.session.recv.remove(int64(rs.Handle))
}

// introduce implements dialect: the stream becomes a subscription.
func (p *plain) introduce(ss *SendStream) []byte {
	in := ss.scope.context.values.in
	sub := &subscription{Subscription: in.Method.Subscription, form: p.session.Format, call: idKey(in.ID)}
	if sub.Subscription == nil {
		sub.Subscription = subscriptionNamed(in.Method.Name)
	}
	switch {
	case sub.IsEvent():
		sub.id = eventAnswer(sub.form, sub.Kind, "ok")
	case sub.ID == "":
		sub.id = []byte("true")
	case sub.byPosition():
		sub.id = strconv.AppendUint(nil, ss.handle, 10)
	default:
		sub.id = fmt.Appendf(nil, `"0x%x"`, ss.handle)
	}
	sub.before, sub.after = sub.envelope()
	ss.sub = sub
	return sub.id
}

// eventAnswer returns the result of a call about a subscription without an id.
func eventAnswer(form wire.Format, kind, what string) []byte {
	return append(form.AppendString(append(form.AppendString([]byte{'{'}, kind), ':'), what), '}')
}

// subscriptionNamed returns the subscription of a method that declares none:
// X_subscription and X_unsubscribe belong to a method X_subscribe, as in Ethereum.
func subscriptionNamed(method string) *Subscription {
	sub := &Subscription{Notify: method, Unsubscribe: methodUnsubscribe, ID: "subscription", Item: "result"}
	if ns, ok := strings.CutSuffix(method, "_subscribe"); ok {
		sub.Notify, sub.Unsubscribe = ns+"_subscription", ns+"_unsubscribe"
	}
	return sub
}

// byPosition reports whether notifications have the id and the item in an array.
func (s *Subscription) byPosition() bool { return isPosition(s.ID) && isPosition(s.Item) }

func isPosition(name string) bool {
	_, err := strconv.Atoi(name)
	return err == nil
}

// IsEvent reports whether the stream is an event of rpc-websockets: it has a name in the
// place of an id.
func (s *Subscription) IsEvent() bool { return s.ID == "" && s.Kind != "" }

// head returns a notification up to its params. That of an event has a form of its own.
func (sub *subscription) head(method string) []byte {
	if sub.IsEvent() {
		return append(sub.form.AppendString([]byte(`{"notification":`), method), `,"params":`...)
	}
	return append(sub.form.AppendString([]byte(`{"jsonrpc":"2.0","method":`), method), `,"params":`...)
}

// withID returns a notification up to what follows the id among the members of params.
func (sub *subscription) withID(method string) []byte {
	b := append(sub.form.AppendString(append(sub.head(method), '{'), sub.ID), ':')
	return append(b, sub.id...)
}

// envelope returns what stands before and after an item.
func (sub *subscription) envelope() (before, after []byte) {
	head := sub.head(sub.Notify)
	switch {
	case sub.ID == "" && sub.Item == "":
		return head, []byte("}")
	case sub.ID == "" && isPosition(sub.Item):
		return append(head, '['), []byte("]}")
	case sub.ID == "":
		return append(sub.form.AppendString(append(head, '{'), sub.Item), ':'), []byte("}}")
	case sub.byPosition() && sub.ID < sub.Item:
		return append(append(append(head, '['), sub.id...), ','), []byte("]}")
	case sub.byPosition():
		return append(head, '['), append(append([]byte{','}, sub.id...), "]}"...)
	}
	before = append(sub.withID(sub.Notify), ',')
	return append(sub.form.AppendString(before, sub.Item), ':'), []byte("}}")
}

// item returns the message for an encoded item. It is valid until the next call.
func (sub *subscription) item(b []byte) []byte {
	sub.buf = append(append(append(sub.buf[:0], sub.before...), b...), sub.after...)
	return sub.buf
}

// endMessages returns the messages that end the subscription: none if the client has
// unsubscribed, or could only take them for items. errObject is nil if the stream is
// complete.
func (sub *subscription) endMessages(errObject []byte) [][]byte {
	switch {
	case sub.silent:
		return nil
	case sub.End != "" && sub.byPosition():
		return [][]byte{append(append(append(sub.head(sub.End), '['), sub.id...), "]}"...)}
	case sub.End != "" && errObject == nil:
		return [][]byte{append(sub.withID(sub.End), "}}"...)}
	case sub.End != "":
		return [][]byte{slices.Concat(sub.withID(sub.End), []byte(`,"error":`), errObject, []byte("}}"))}
	case sub.ID == "" || sub.byPosition():
		return nil
	case strings.HasSuffix(sub.Notify, "_subscription"):
		return sub.ethEndMessages(errObject)
	case errObject != nil:
		return [][]byte{slices.Concat(sub.withID(sub.Notify), []byte(`,"error":`), errObject, []byte("}}"))}
	case sub.Unsubscribe == methodUnsubscribe:
		return [][]byte{append(sub.withID(sub.Notify), `,"done":true}}`...)}
	}
	return nil
}

// methodEndSubscription is the second of the messages that end a subscription with an
// error in Ethereum's style.
const methodEndSubscription = "end_subscription"

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
	first := append(sub.form.AppendString([]byte(`{"id":null,"method":`), sub.Notify), `,"params":{"subscription":`...)
	first = append(append(append(append(first, sub.id...), `},"error":`...), errObject...), '}')
	second := append([]byte(`{"jsonrpc":"2.0","method":"`+methodEndSubscription+`","params":{"Subscription":`), sub.id...)
	return [][]byte{first, append(second, "}}"...)}
}

// A PlainName is a name that plain clients call and that no method has: of calls that
// subscribe to streams of methods, and of those that end them.
type PlainName struct {
	Methods      map[string]*Method // to which a call subscribes, by Subscription.Kind
	Unsubscribes bool
	Events       bool // some of those that it ends are events
	Cancels      bool // as a notification
}

// name returns what plain clients call by a name, which may be nothing.
func (p *plain) name(method []byte) PlainName {
	if lookup := p.session.PlainName; lookup != nil {
		if name := lookup(method); name != nil {
			return *name
		}
	}
	return PlainName{}
}

// redirect makes a request that subscribes one to the method that has the stream, if
// there is one. It returns the answer to one that subscribes to an event again, or to
// nothing.
func (p *plain) redirect(m *wire.Message) (answer []byte) {
	methods := p.name(m.Method).Methods
	if len(methods) == 0 {
		return nil
	}
	form := p.session.Format
	var kind string
	rest := []byte{'['}
	i := 0
	for raw := range form.Array(m.Params) {
		if i == 0 {
			kind, _ = form.String(raw)
		} else {
			rest = append(append(rest, raw...), ',')
		}
		i++
	}
	switch {
	case kind != "" && len(p.events(kind, string(m.Method))) > 0:
		return p.result(m, eventAnswer(form, kind, "socket has already been subscribed to event"))
	case kind != "" && methods[kind] != nil:
		rest[max(len(rest)-1, 0)] = ']'
		if i == 1 {
			rest = []byte("[]")
		}
		m.Method, m.Params = []byte(methods[kind].Name), rest
	case methods[""] != nil:
		m.Method = []byte(methods[""].Name)
	case p.session.Lookup(m.Method) == nil:
		refusal := &fault.Error{Code: fault.MethodNotFound, Message: fmt.Sprintf("method not found: %s of %q", Brief(m.Method), Brief(kind))}
		p.session.incoming.refused(m, refusal)
		return p.session.refusal(m.ID, refusal)
	}
	return nil
}

// unsubscribe answers rpc.unsubscribe, and what ends the subscriptions of a method, with
// true if the subscription was open. No item follows the answer. It returns nil for any
// other method.
func (p *plain) unsubscribe(m *wire.Message) []byte {
	s := p.session
	method := string(m.Method)
	if method != methodUnsubscribe && !p.unsubscribes(method) && !p.name(m.Method).Unsubscribes {
		return nil
	}
	var id string
	n := 0
	for raw := range s.Format.Array(m.Params) {
		id = p.subscriptionID(raw)
		n++
	}
	var result []byte
	if n == 0 || n == 1 && id != "" {
		result = p.end(method, id)
	}
	if result == nil {
		return s.refusal(m.ID, &fault.Error{Code: fault.InvalidParams, Message: "invalid params: want [id of a subscription]"})
	}
	return p.result(m, result)
}

// result returns the answer to m with an encoded result.
func (p *plain) result(m *wire.Message, result []byte) []byte {
	form := p.session.Format
	return form.AppendTail(append(form.AppendResponse(nil, &wire.Head{ID: m.ID, Body: true}), result...))
}

// events returns the open streams of an event, which the method subscribes to or ends.
// Those without a kind are no events, but are found in the same way.
func (p *plain) events(kind, method string) []*SendStream {
	return p.session.queue.openStreams(func(ss *SendStream) bool {
		return !ss.sub.silent && ss.sub.ID == "" && ss.sub.Kind == kind && (ss.sub.Subscribe == method || ss.sub.Unsubscribe == method)
	})
}

// subscriptionID returns the id of a subscription as text, or "" if it is none. Those
// whose notifications go by position have numbers.
func (p *plain) subscriptionID(raw []byte) string {
	form := p.session.Format
	id, _ := form.String(raw)
	if n, ok := form.Natural(raw); ok {
		if ss := p.session.queue.stream(uint64(n)); ss != nil && ss.sub.byPosition() {
			return strconv.FormatInt(n, 16)
		}
	}
	return id
}

// end ends the subscriptions with an id, or those of a kind that a method ends, and
// returns the result of the call. Without an id it ends those that have neither, and
// returns nil if there are none.
func (p *plain) end(method, id string) (result []byte) {
	for _, ss := range p.events(id, method) {
		ss.unsubscribe()
		result = ss.sub.id
	}
	switch {
	case result != nil || id == "":
		return result
	case p.name([]byte(method)).Events:
		return eventAnswer(p.session.Format, id, "not subscribed")
	}
	open := false
	hex, _ := strings.CutPrefix(id, "0x")
	handle, err := strconv.ParseUint(hex, 16, 64)
	if ss := p.session.queue.stream(handle); ss != nil && err == nil {
		open = ss.unsubscribe()
	}
	return strconv.AppendBool(nil, open)
}

// unsubscribes reports whether a method X_unsubscribe belongs to a method X_subscribe.
func (p *plain) unsubscribes(method string) bool {
	ns, ok := strings.CutSuffix(method, "_unsubscribe")
	lookup := p.session.Lookup
	return ok && lookup([]byte(method)) == nil && lookup([]byte(ns+"_subscribe")) != nil
}

// cancelCall receives a notification that ends the streams of one call, whose id is its
// first parameter. To look for more of them would cost the streams times the parameters.
func (p *plain) cancelCall(params []byte) {
	for raw := range p.session.Format.Array(params) {
		p.cancel(raw)
		call := idKey(raw)
		for _, ss := range p.session.queue.openStreams(func(ss *SendStream) bool { return ss.sub.call == call && ss.sub.Cancel != "" }) {
			ss.stop(nil)
		}
		return
	}
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
