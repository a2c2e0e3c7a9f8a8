package topic

import (
	"context"
	"strconv"
	"time"
)

// A Bus keeps the events of topics and tells when there are new ones. [Memory] is one.
// Its methods may be called by many goroutines at once. They get valid names.
type Bus interface {
	// Append stores an event behind the last one of a topic and returns its place. If the
	// entry has a condition that does not hold, the error is a *ConflictError.
	Append(ctx context.Context, topic string, e Entry) (Place, error)

	// Read returns what is stored behind a number, oldest first, at most max records, and
	// as few as one. A topic that nobody has published to is empty.
	Read(ctx context.Context, topic string, after uint64, max int) (Page, error)

	// Back returns the place behind which the last n events of a topic are, or all that
	// are stored if those are fewer.
	Back(ctx context.Context, topic string, n int) (Place, error)

	// Since returns the place behind which the events of a topic are that were stored at a
	// time or later.
	Since(ctx context.Context, topic string, t time.Time) (Place, error)

	// Follow has the bus tell of what is appended to a topic, until stop is called. Each
	// call of next returns a channel that is closed when something is appended that a Read
	// before the call may not have returned. The channel may be closed without a reason.
	Follow(topic string) (next func() <-chan struct{}, stop func())
}

// An Entry is an event that is to be stored.
type Entry struct {
	Data []byte // JSON; kept, and not changed by anybody

	// ID is what the application calls the event. If it is not empty and an event with the same
	// ID was stored in the last two minutes, that one's place is returned instead.
	ID string

	// Expect is the Seq of the last event that the topic must have, if Conditional; empty for
	// a topic that has had none.
	Conditional bool
	Expect      Seq

	value any // that Data encodes, for those in the same process
}

// A Place is where an event is stored. Numbers grow within an epoch. Another one begins
// where a bus may lack events that it had.
type Place struct {
	Epoch  string // without dots
	Number uint64 // of the first event at least 1
}

// Seq returns the place as text.
func (p Place) Seq() Seq { return Seq(p.Epoch + "." + strconv.FormatUint(p.Number, 10)) }

// A Page is a part of a topic.
type Page struct {
	Epoch string

	// Begin is the number behind which nothing is missing in the topic: retention has
	// removed those up to it.
	Begin uint64

	Last    uint64 // of the last event that was ever stored; 0 if there is none
	Records []Record
}

// A Record is a stored event.
type Record struct {
	Number uint64
	Time   time.Time
	Data   []byte // of the Entry
	value  any    // of the Entry
}
