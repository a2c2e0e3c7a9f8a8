package session

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A Subscription is how a stream is carried in plain mode: rpc.Subscription, which
// documents it.
type Subscription struct {
	Subscribe, Kind     string
	Notify, End         string
	Unsubscribe, Cancel string
	ID, Item            string
}

// subscriptions owns the subscriptions of a plain client to its server: the calls that
// begin one, and the open ones. A RecvStream has the items of each.
//
// The server may send items before it answers the call with their id. While such a call
// is unanswered, items of unknown ids are kept. The id of a subscription that the client
// has left stays in the table until the server has answered that, so that items in
// flight are dropped even if the server uses the id again.
type subscriptions struct {
	session *Session

	mu         sync.Mutex
	pending    map[uint64]*Subscription       // by the id of the call
	abandoned  map[uint64]*Subscription       // the same of calls that nobody waits for
	open       map[subscriptionID]*subscribed // those that have been left included
	byHandle   map[uint64]*subscribed         // without them
	leaving    map[uint64]*subscribed         // by the id of the call that ends them
	methods    map[string]*Subscription       // of notifications, since the first call
	early      []earlyNotification            // of unknown ids
	lost       *fault.Error                   // the limit that others were over; nil if none
	lostCall   uint64                         // calls up to this one may have lost one of those; 0 if none
	lastCall   uint64                         // the latest call
	lastHandle uint64
}

// A subscriptionID is the method of a subscription's notifications and its id, decoded.
type subscriptionID struct{ method, id string }

// A subscribed is an open subscription.
type subscribed struct {
	*Subscription
	key    subscriptionID
	id     []byte // as JSON text
	call   uint64 // the id of the call that began it
	handle uint64 // of its RecvStream
}

// takes reports whether a notification of a method with that id is one of s.
func (s *subscribed) takes(method, id string) bool {
	return id == s.key.id && (method == s.Notify || method == s.End)
}

// Subscribe declares that the answer to the request is the id of a subscription. It must
// be called before Send. It fails if the server's notifications could not be distinguished.
func (r *Request) Subscribe(sub *Subscription) error {
	t := &r.Session.dialect.(*plain).subscriptions
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, method := range []string{sub.Notify, sub.End} {
		if m := t.methods[method]; m != nil && (m.ID != sub.ID || m.Item != sub.Item) {
			return fmt.Errorf("rpc: %s: notifications called %s have their ids and items in other places", r.Method, method)
		}
	}
	if t.methods == nil {
		t.pending, t.abandoned = make(map[uint64]*Subscription), make(map[uint64]*Subscription)
		t.methods = make(map[string]*Subscription)
		t.open, t.byHandle = make(map[subscriptionID]*subscribed), make(map[uint64]*subscribed)
		t.leaving = make(map[uint64]*subscribed)
	}
	for _, method := range []string{sub.Notify, sub.End} {
		if method != "" {
			t.methods[method] = sub
		}
	}
	t.pending[r.Call.id], t.lastCall = sub, max(t.lastCall, r.Call.id)
	r.subscribes = t
	return nil
}

// undo forgets a call that has not been sent.
func (t *subscriptions) undo(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pending, id)
	t.dropEarly()
}

// abandon is called when the caller waits no longer. If the server answers later, the
// subscription is ended at once. No items are kept for it.
func (t *subscriptions) abandon(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sub := t.pending[id]; sub != nil {
		delete(t.pending, id)
		t.abandoned[id] = sub
		t.dropEarly()
	}
}

// answer receives the answer to the call with that id. If it begins a subscription, it
// returns that, and the message has the handle of its stream in the place of the id. The
// caller opens the stream and calls begin.
func (t *subscriptions) answer(id uint64, m *wire.Message) (*subscribed, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left := t.leaving[id]; left != nil {
		delete(t.leaving, id)
		t.close(left)
		return nil, nil
	}
	sub := cmp.Or(t.pending[id], t.abandoned[id])
	if sub == nil {
		return nil, nil
	}
	delete(t.pending, id)
	delete(t.abandoned, id)
	s, err := t.began(sub, id, m)
	if s == nil {
		t.dropEarly()
	}
	return s, err
}

// began returns the subscription that the answer to a call begins, or nil if it begins
// none. The mutex must be held.
func (t *subscriptions) began(sub *Subscription, call uint64, m *wire.Message) (*subscribed, error) {
	if m == nil || m.Error != nil || t.session.Format.Kind(m.Result) == wire.Null && sub.ID != "" {
		return nil, nil
	}
	if why := t.refusal(sub, m.Result); why != "" {
		return nil, &fault.Error{Code: fault.Unknown, Message: why, Received: true}
	}
	s := &subscribed{Subscription: sub, key: subscriptionID{method: sub.Notify}, call: call}
	if sub.ID != "" {
		var ok bool
		if s.key.id, ok = t.decodeID(m.Result); !ok {
			return nil, fault.Errorf(fault.Internal, "rpc: the server's answer is not the id of a subscription: %s", Brief(m.Result))
		}
		s.id = bytes.Clone(m.Result)
	}
	if t.open[s.key] != nil {
		return nil, fault.Errorf(fault.Internal, "rpc: the server has answered with a subscription that is open already: %s", Brief(m.Result))
	}
	t.lastHandle++
	s.handle = t.lastHandle
	t.open[s.key], t.byHandle[s.handle] = s, s
	m.Streams = append(m.Streams[:0], s.handle)
	m.Result = strconv.AppendUint(nil, s.handle, 10)
	return s, nil
}

// refusal returns why the server refuses to send an event. A server of rpc-websockets has
// that in its result, {"NAME":"provided event invalid"}, with "ok" for one that it sends.
func (t *subscriptions) refusal(sub *Subscription, result []byte) string {
	form := t.session.Format
	if sub.ID != "" || form.Kind(result) != wire.Object {
		return ""
	}
	why, _ := form.String(t.member(result, sub.Kind))
	if why == "ok" {
		return ""
	}
	return why
}

// receive receives a notification, and reports whether it is one of a subscription. end
// is the error beside its params, nil for none.
func (t *subscriptions) receive(m *wire.Message, end []byte) bool {
	t.mu.Lock()
	sub := t.methods[string(m.Method)]
	if sub == nil {
		inUse := t.methods != nil
		t.mu.Unlock()
		return inUse && string(m.Method) == methodEndSubscription // which follows the error
	}
	id, item := t.read(sub, m.Params)
	item.end = item.end || string(m.Method) == sub.End
	if end != nil {
		item.item, item.err = nil, end
	}
	item.deep = m.Deep
	s := t.find(sub, m.Method, id)
	if s == nil && len(t.pending) > 0 {
		t.keepEarly(earlyNotification{method: string(m.Method), id: id, subscriptionItem: item})
	}
	left := s == nil || t.byHandle[s.handle] == nil
	t.mu.Unlock()
	if !left {
		t.deliver(s, item)
	}
	return true
}

// find returns the subscription of a notification, or nil. sub is one that has
// notifications of that method; several may share the one that ends them. The mutex must
// be held.
func (t *subscriptions) find(sub *Subscription, method []byte, id string) *subscribed {
	if string(method) == sub.Notify {
		return t.open[subscriptionID{sub.Notify, id}]
	}
	for _, s := range t.open {
		if s.takes(string(method), id) {
			return s
		}
	}
	return nil
}

// receiveInvalid receives a message that is not one of JSON-RPC 2.0, and reports whether
// it belongs to a subscription all the same. There are two: the item of an event, which
// rpc-websockets names by "notification" in the place of "method", without "jsonrpc"; and
// the error that ends a subscription by Ethereum's names, beside the params that have its
// id.
func (t *subscriptions) receiveInvalid(raw []byte, invalid error) bool {
	if invalid.(*wire.Fault).Code == wire.ParseError {
		return false
	}
	form := t.session.Format
	m := wire.Message{Deep: true} // it may be
	var event, method string
	var end []byte
	for name, value := range form.Object(raw) {
		switch name {
		case "notification":
			event, _ = form.String(value)
		case "method":
			method, _ = form.String(value)
		case "params":
			m.Params = value
		case "error":
			end = value
		case "id":
			m.ID = value
		}
	}
	switch {
	case m.ID != nil && form.Kind(m.ID) != wire.Null:
		return false
	case end == nil && method == "":
		m.Method = []byte(event)
	case end != nil && event == "":
		m.Method = []byte(method)
	default:
		return false
	}
	return t.receive(&m, end)
}

// deliver passes an item to its stream, or ends that.
func (t *subscriptions) deliver(s *subscribed, item subscriptionItem) {
	rs := t.session.recv.get(int64(s.handle))
	switch {
	case rs == nil:
	case item.item != nil:
		if err := rs.receivePlain(item.item, item.deep); err != nil {
			t.fail(s, err)
		}
	case item.err != nil:
		t.ended(s, t.receivedEnd(item.err))
	case item.end:
		t.ended(s, io.EOF)
	}
}

// receivedEnd returns the error that a subscription ends with. Some servers send text.
func (t *subscriptions) receivedEnd(raw []byte) error {
	form := t.session.Format
	if form.Kind(raw) == wire.Object {
		return t.session.receivedError(raw)
	}
	text, ok := form.String(raw)
	if !ok {
		text = Brief(string(raw))
	}
	return &fault.Error{Code: fault.Unknown, Message: text, Received: true}
}

// close removes a subscription from the open ones, where another may have taken its
// place. The mutex must be held.
func (t *subscriptions) close(s *subscribed) {
	if t.open[s.key] == s {
		delete(t.open, s.key)
	}
}

// ended ends the stream of a subscription that the server has ended.
func (t *subscriptions) ended(s *subscribed, end error) {
	t.mu.Lock()
	t.close(s)
	delete(t.byHandle, s.handle)
	t.mu.Unlock()
	if rs := t.session.recv.remove(int64(s.handle)); rs != nil {
		rs.receiveEnd(end)
	}
}

// fail ends a subscription from this side behind the items received before.
func (t *subscriptions) fail(s *subscribed, err error) {
	t.leave(s.handle)
	if rs := t.session.recv.remove(int64(s.handle)); rs != nil {
		rs.receiveEnd(err)
	}
}

// leave ends a subscription at the server, if it has not ended.
func (t *subscriptions) leave(handle uint64) {
	t.mu.Lock()
	s := t.byHandle[handle]
	delete(t.byHandle, handle)
	if s != nil && (s.Unsubscribe == "" || s.Cancel != "") { // no answer is awaited
		t.close(s)
	}
	t.mu.Unlock()
	switch {
	case s == nil:
	case s.Cancel != "":
		form := t.session.Format
		msg := form.AppendRequest(nil, &wire.Head{Method: s.Cancel, Body: true})
		msg = append(form.AppendID(append(msg, '['), s.call), ']')
		t.session.queue.post(form.AppendTail(msg))
	case s.Unsubscribe != "":
		t.unsubscribe(s)
	}
}

// unsubscribe calls the method that ends a subscription. Nobody waits for the answer,
// but its id is in use until then.
func (t *subscriptions) unsubscribe(s *subscribed) {
	call, err := t.session.outgoing.begin(context.Background(), true)
	if err != nil {
		return // the session has ended
	}
	t.session.outgoing.disown(call)
	form := t.session.Format
	id := form.AppendID(nil, call.id)
	t.mu.Lock()
	t.leaving[call.id] = s
	t.mu.Unlock()
	msg := form.AppendRequest(nil, &wire.Head{ID: id, Method: s.Unsubscribe, Body: true})
	msg = append(msg, '[')
	switch {
	case s.ID != "":
		msg = append(msg, s.id...)
	case s.Kind != "":
		msg = form.AppendString(msg, s.Kind)
	}
	t.session.queue.post(form.AppendTail(append(msg, ']')))
}
