package session

import "bytes"

// An earlyNotification has come before the answer that has its id.
type earlyNotification struct {
	method, id string
	subscriptionItem
}

// size returns how many bytes are kept that the server has sent.
func (e *earlyNotification) size() int { return len(e.id) + len(e.item) + len(e.err) }

// keepEarly keeps a notification until the calls are answered of which one may have its
// id. The mutex must be held.
func (t *subscriptions) keepEarly(e earlyNotification) {
	s := t.session
	switch {
	case t.lost != nil:
	case len(t.early) >= s.Limits.SubscriptionItems:
		t.lost = errOverrunPlain(s.Limits.SubscriptionItems)
	case !s.reserve(e.size()):
		t.lost = errFullPlain
	default:
		e.item, e.err = bytes.Clone(e.item), bytes.Clone(e.err)
		t.early = append(t.early, e)
	}
}

// begin receives what came before the answer that began a subscription.
func (t *subscriptions) begin(s *subscribed) {
	t.mu.Lock()
	var early []earlyNotification
	rest := t.early[:0]
	for _, e := range t.early {
		if s.takes(e.method, e.id) {
			early = append(early, e)
		} else {
			rest = append(rest, e)
		}
	}
	t.early = rest
	lost := t.lost
	t.dropEarly()
	t.mu.Unlock()
	for _, e := range early {
		t.session.buffered.Add(-int64(e.size()))
		t.deliver(s, e.subscriptionItem)
	}
	if lost != nil {
		t.fail(s, lost)
	}
}

// dropEarly drops the notifications of unknown ids if no call can be answered with one.
// The mutex must be held.
func (t *subscriptions) dropEarly() {
	if len(t.pending) > 0 {
		return
	}
	for _, e := range t.early {
		t.session.buffered.Add(-int64(e.size()))
	}
	t.early, t.lost = nil, nil
}
