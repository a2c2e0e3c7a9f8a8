package topic

// Hubs returns how many hubs there are in this process.
func Hubs() int {
	hubs.Lock()
	defer hubs.Unlock()
	return len(hubs.byKey)
}

// Held returns how many sessions the hubs refer to beside those with parked streams.
func Held() (n int) {
	hubs.Lock()
	defer hubs.Unlock()
	for _, h := range hubs.byKey {
		n += h.(interface{ held() int }).held()
	}
	return n
}

func (h *hub[T]) held() (n int) {
	for _, g := range h.lacking[:cap(h.lacking)] {
		if g != nil {
			n++
		}
	}
	return n
}
