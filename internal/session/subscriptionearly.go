package session

import "bytes"

// An earlyNotification has come before the answer that has its id. Calls up to missed
// may have lost one before it.
type earlyNotification struct {
	method, id string
	missed     uint64
	subscriptionItem
}

// size returns how many bytes are kept that the server has sent.
func (e *earlyNotification) size() int { return len(e.id) + len(e.item) + len(e.err) }

// keepEarly keeps a notification until the calls are answered of which one may have its
// id. If there is no room for it, those calls have lost it; later ones have not. The mutex
// must be held.
func (t *subscriptions) keepEarly(e earlyNotification) {
	s := t.session
	switch {
	case len(t.early) >= s.Limits.SubscriptionItems:
		t.lost, t.lostCall = errOverrunPlain(s.Limits.SubscriptionItems), t.lastCall
	case !s.reserve(e.size()):
		t.lost, t.lostCall = errFullPlain, t.lastCall
	default:
		e.item, e.err, e.missed = bytes.Clone(e.item), bytes.Clone(e.err), t.lostCall
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
	lost, loser := t.lost, s.call <= t.lostCall
	t.dropEarly()
	t.mu.Unlock()
	for _, e := range early {
		t.session.buffered.Add(-int64(e.size()))
		if s.call > e.missed {
			t.deliver(s, e.subscriptionItem)
		}
	}
	if loser {
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
	t.early, t.lost, t.lostCall = nil, nil, 0
}
