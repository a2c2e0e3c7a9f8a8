package session

import "iter"

// An idTable holds what is open by its id: the calls of either side, and the streams. Its
// zero value is empty, and as small as a map. Ids are mostly consecutive, so that nearly
// every entry is at its id modulo the length, where it is found without a hash. One whose
// place is taken is in a map, which bounds what a peer can cost that chooses its ids for
// collisions.
type idTable[T any] struct{ *idEntries[T] } // nil before the first

type idEntries[T any] struct {
	places []idEntry[T]  // the length is a power of two
	others map[uint64]*T // nil before the first
	used   int           // entries in both, at most half as many as places
}

type idEntry[T any] struct {
	id    uint64
	value *T // nil if the place is free
}

// len returns the number of entries.
func (t idTable[T]) len() int {
	if t.idEntries == nil {
		return 0
	}
	return t.used
}

// place returns where the entry with that id is, unless it is among the others.
func (e *idEntries[T]) place(id uint64) *idEntry[T] {
	return &e.places[id&uint64(len(e.places)-1)]
}

// get returns what has that id, or nil.
func (t idTable[T]) get(id uint64) *T {
	if t.idEntries == nil {
		return nil
	}
	if at := t.place(id); at.id == id && at.value != nil {
		return at.value
	}
	return t.others[id]
}

// put adds v under an id that is not in the table.
func (t *idTable[T]) put(id uint64, v *T) {
	if t.idEntries == nil {
		t.idEntries = &idEntries[T]{places: make([]idEntry[T], 4)}
	} else if 2*t.used >= len(t.places) {
		t.grow()
	}
	t.used++
	if at := t.place(id); at.value == nil {
		*at = idEntry[T]{id, v}
		return
	}
	if t.others == nil {
		t.others = make(map[uint64]*T)
	}
	t.others[id] = v
}

// grow doubles the places. An entry among the others stays there.
func (e *idEntries[T]) grow() {
	old := e.places
	e.places = make([]idEntry[T], 2*len(old))
	for _, entry := range old {
		if entry.value != nil {
			*e.place(entry.id) = entry // no two that had different places have the same now
		}
	}
}

// remove removes what has that id and returns it, or nil if there is none.
func (t idTable[T]) remove(id uint64) *T {
	if t.idEntries == nil {
		return nil
	}
	at := t.place(id)
	v := at.value
	if v != nil && at.id == id {
		*at = idEntry[T]{}
	} else if v = t.others[id]; v != nil {
		delete(t.others, id)
	} else {
		return nil
	}
	t.used--
	return v
}

// all returns the values, in no order. The table must not change meanwhile.
func (t idTable[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if t.idEntries == nil {
			return
		}
		for _, at := range t.places {
			if at.value != nil && !yield(at.value) {
				return
			}
		}
		for _, v := range t.others {
			if !yield(v) {
				return
			}
		}
	}
}
