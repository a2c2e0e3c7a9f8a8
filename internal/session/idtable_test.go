package session

import (
	"math/rand/v2"
	"testing"
)

// A table behaves as a map does, with consecutive ids and with those that want the same
// place.
func TestIDTable(t *testing.T) {
	for name, next := range map[string]func(*rand.Rand) uint64{
		"few ids":        func(r *rand.Rand) uint64 { return r.Uint64N(300) },
		"one place":      func(r *rand.Rand) uint64 { return r.Uint64N(100) << 20 },
		"two places":     func(r *rand.Rand) uint64 { return r.Uint64N(50)<<20 | r.Uint64N(2) },
		"the last place": func(r *rand.Rand) uint64 { return ^uint64(0) - r.Uint64N(40)<<8 },
	} {
		t.Run(name, func(t *testing.T) {
			var table idTable[int]
			want := map[uint64]*int{}
			r := rand.New(rand.NewPCG(1, 2))
			for range 20_000 {
				id := next(r)
				got := table.get(id)
				if got != want[id] {
					t.Fatalf("get(%d) = %v, want %v", id, got, want[id])
				}
				if got == nil {
					want[id] = new(int)
					table.put(id, want[id])
				} else if r.IntN(2) == 0 {
					if removed := table.remove(id); removed != got {
						t.Fatalf("remove(%d) = %v, want %v", id, removed, got)
					}
					delete(want, id)
					if table.get(id) != nil || table.remove(id) != nil {
						t.Fatalf("%d is still there", id)
					}
				}
				if table.len() != len(want) {
					t.Fatalf("%d entries, want %d", table.len(), len(want))
				}
			}
			seen := map[*int]bool{}
			for v := range table.all() {
				seen[v] = true
			}
			for id, v := range want {
				if !seen[v] {
					t.Errorf("%d is missing among all", id)
				}
			}
			if len(seen) != len(want) {
				t.Errorf("%d values, want %d", len(seen), len(want))
			}
		})
	}
}
