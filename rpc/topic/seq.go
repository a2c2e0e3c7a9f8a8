package topic

import (
	"fmt"
	"strconv"
	"strings"
)

// A Seq is the place of an event in its topic, as text: the epoch of the topic, a dot
// and a number that grows with each event. It is what clients keep as a cursor, and
// opaque to them. The empty Seq is before the first event, in every epoch.
type Seq string

// Number returns the number in s, which is comparable to those of the same topic and
// epoch, or 0 if s has none.
func (s Seq) Number() uint64 {
	p, _ := s.place()
	return p.Number
}

// place returns the place that s is. The empty Seq is 0 in no epoch.
func (s Seq) place() (Place, error) {
	if s == "" {
		return Place{}, nil
	}
	epoch, number, found := strings.Cut(string(s), ".")
	n, err := strconv.ParseUint(number, 10, 64)
	if !found || epoch == "" || err != nil {
		return Place{}, fmt.Errorf("topic: %.40q is not the sequence of an event", string(s))
	}
	return Place{epoch, n}, nil
}
