package session

import "unsafe"

// An offer is what can feed a stream without its iterator, whose identity it has.
type offer struct {
	iterator unsafe.Pointer
	feeds    any
}

// Offer remembers what can feed a stream in place of an iterator, if the handler returns
// that iterator itself and not another one around it. After the answer it has no effect.
func (in *Incoming) Offer(iterator unsafe.Pointer, feeds any) {
	in.scope.mu.Lock()
	defer in.scope.mu.Unlock()
	if !in.answered {
		in.offers = append(in.offers, offer{iterator, feeds})
	}
}

// Offered returns what was offered for an iterator, or nil.
func (in *Incoming) Offered(iterator unsafe.Pointer) any {
	in.scope.mu.Lock()
	defer in.scope.mu.Unlock()
	for _, o := range in.offers {
		if o.iterator == iterator {
			return o.feeds
		}
	}
	return nil
}
