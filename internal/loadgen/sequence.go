package loadgen

import (
	"strconv"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/openrpc"
)

// A Sequence is what the values of Options.Seq say of what was lost and doubled.
//
// Of a stream each item must have the value of the one before, and 1. Of calls only the
// whole is known: each call that ran has taken a value of its own, if nobody else called.
type Sequence struct {
	Values  int64 `json:"values"`
	Lost    int64 `json:"lost"`    // items that did not arrive, or calls that ran without an answer or twice
	Doubled int64 `json:"doubled"` // items that arrived again, or answers that several calls had

	least, most int64 // of calls
}

// value is the sequence's value in an item or a result.
func (o *Options) value(v dynamic.JSON) (n int64, ok bool) {
	if v, ok = dynamic.After(&openrpc.Cursor{Path: o.Seq}, v); !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// result notes the value of a call's result.
func (s *Sequence) result(n int64) {
	if s.Values == 0 {
		s.least, s.most = n, n
	}
	s.least, s.most = min(s.least, n), max(s.most, n)
	s.Values++
}

// item notes the value of a stream's item, behind another, and returns which one the next
// must be above.
func (s *Sequence) item(n, before int64, first bool) int64 {
	s.Values++
	switch {
	case first:
		return n
	case n <= before:
		s.Doubled++
		return before
	}
	s.Lost += n - before - 1
	return n
}

// whole counts what is lost and doubled among the results of calls.
func (s *Sequence) whole() {
	if s.Values == 0 {
		return
	}
	span := s.most - s.least + 1
	s.Lost, s.Doubled = max(0, span-s.Values), max(0, s.Values-span)
}
