package session

import "unsafe"

// offers are what the handler of a call has got that can feed a stream without the
// stream's iterator, by the iterators' identities.
type offers map[unsafe.Pointer]any

// Offer remembers what can feed a stream in place of an iterator, if the handler returns
// that iterator itself and not another one around it. After the answer it has no effect.
func (in *Incoming) Offer(iterator unsafe.Pointer, feeds any) {
	in.scope.mu.Lock()
	defer in.scope.mu.Unlock()
	if in.answered {
		return
	}
	if in.offers == nil {
		in.offers = make(offers)
	}
	in.offers[iterator] = feeds
}

// Offered returns what was offered for an iterator, or nil.
func (in *Incoming) Offered(iterator unsafe.Pointer) any {
	in.scope.mu.Lock()
	defer in.scope.mu.Unlock()
	return in.offers[iterator]
}
