package session

import (
	"testing"
	"unsafe"
)

// A handler's iterator may subscribe again and again: that is kept for the answer only.
func TestOffersEndWithTheAnswer(t *testing.T) {
	var in Incoming
	before, after := unsafe.Pointer(new(int)), unsafe.Pointer(new(int))
	in.Offer(before, "before")
	in.answered = true
	in.Offer(after, "after")
	if in.Offered(before) != "before" || in.Offered(after) != nil {
		t.Errorf("offered %v and, after the answer, %v", in.Offered(before), in.Offered(after))
	}
}
