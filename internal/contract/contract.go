// Package contract holds the types that package rpc shares with the packages that
// generated code calls, such as rpc/gen1, which give them the names that generated
// code uses. It imports neither.
package contract

import "context"

// A Record is a generated struct with a method's parameters, or with its results
// where they are several. Their names are the method's.
type Record interface {
	// Field returns a pointer to the i-th field, which is a *Stream for a stream.
	Field(i int) any
}

// A Stream is an iter.Seq2[T, error] without its type, on its way to or from the
// wire. At most one of its fields is set. The zero Stream is the nil iterator, which
// is received as an empty stream.
type Stream struct {
	Local  Producer // a stream of this process
	Remote Receiver // one that the peer produces
	Err    error    // the call that was to return it has failed
}

// A Producer runs the user's iterator and hands pointers to its items to emit,
// until that returns false. It returns the error that the iterator yielded. The
// item that a pointer points to changes after emit has returned.
type Producer func(emit func(item any) bool) error

// A Receiver is a stream that the peer produces. Each is Stream's; it may be called
// once.
type Receiver interface {
	Each(f func(Item) bool) error
}

// An Item is an item of a stream that has not been decoded. It is valid until the
// function that was given it returns.
type Item interface {
	Decode(v any) error
}

// Each calls f with every item until f returns false. It returns the error that the
// stream ended with; nil where it was complete or f returned false.
func (s Stream) Each(f func(Item) bool) error {
	switch {
	case s.Err != nil:
		return s.Err
	case s.Remote != nil:
		return s.Remote.Each(f)
	case s.Local != nil: // client and service have met in one process
		stopped := false
		err := s.Local(func(item any) bool {
			stopped = !f(localItem{item})
			return !stopped
		})
		if stopped {
			return nil
		}
		return err
	}
	return nil
}

// A Cursor is a call whose stream is continued by further calls. See gen1.Cursor.
type Cursor interface {
	// Begin fails if it has been called before.
	Begin() error

	// Stream is the stream of the latest call.
	Stream() Stream

	// Continue makes the call again, until there is a stream. end is the error that
	// the stream has ended with, and moved reports whether it had yielded an item.
	// It returns end, or why there is no stream, where the call is not to be made
	// again.
	Continue(end error, moved bool) error
}

// NewCursor makes a Cursor of a call that has been made. caller is an rpc.Caller,
// call an *rpc.Call. Package rpc sets it when it is initialized.
var NewCursor func(ctx context.Context, caller, call any) Cursor
