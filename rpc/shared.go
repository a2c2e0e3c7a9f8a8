package rpc

import (
	"errors"
	"sync"

	"github.com/wirecall/wirecall/codec"
)

// A Shared is a value that many streams yield, such as a price that goes to
// everyone who watches it: it is encoded when it is first sent, and those bytes
// go to all. On the wire it is its value and nothing more, so that a method may
// return iter.Seq2[Shared[T], error] where it returned iter.Seq2[T, error], and
// peers notice nothing.
//
// The value must not be changed once it is shared. A Shared may be copied and
// used by any number of goroutines. The zero Shared holds the zero T.
type Shared[T any] struct{ s *shared[T] }

type shared[T any] struct {
	value T
	forms [2]encodedOnce // by wire.Format
}

type encodedOnce struct {
	once  sync.Once
	bytes []byte
	err   error
}

// Share makes a Shared of v.
func Share[T any](v T) Shared[T] { return Shared[T]{&shared[T]{value: v}} }

// Value returns what was shared.
func (s Shared[T]) Value() (v T) {
	if s.s == nil {
		return v
	}
	return s.s.value
}

// MarshalJSON returns the value's JSON.
func (s Shared[T]) MarshalJSON() ([]byte, error) { return s.encoded(codec.JSON) }

// UnmarshalJSON stores a value.
func (s *Shared[T]) UnmarshalJSON(b []byte) error { return s.decodeBy(codec.JSON, b) }

var errSharedInside = errors.New("rpc: a Shared crosses in CBOR by itself only, as an item, a parameter or a result, not inside another value")

// MarshalCBOR fails: see the error.
func (s Shared[T]) MarshalCBOR() ([]byte, error) { return nil, errSharedInside }

// UnmarshalCBOR fails likewise.
func (s *Shared[T]) UnmarshalCBOR([]byte) error { return errSharedInside }

// encoded is the value in the codec's form, of which nobody may change a byte.
func (s Shared[T]) encoded(cd codec.Codec) ([]byte, error) {
	if s.s == nil {
		return cd.Append(nil, new(T))
	}
	f := &s.s.forms[formOf(cd)]
	f.once.Do(func() { f.bytes, f.err = cd.Append(nil, &s.s.value) })
	return f.bytes, f.err
}

func (s *Shared[T]) decodeBy(cd codec.Codec, raw []byte) error {
	fresh := new(shared[T])
	if err := cd.Decode(raw, &fresh.value); err != nil {
		return err
	}
	s.s = fresh
	return nil
}

// encodeTo appends v, which a Shared has ready.
func encodeTo(dst []byte, cd codec.Codec, v any) ([]byte, error) {
	if s, ok := v.(interface {
		encoded(codec.Codec) ([]byte, error)
	}); ok {
		b, err := s.encoded(cd)
		return append(dst, b...), err
	}
	return cd.Append(dst, v)
}

// decodeFrom stores raw in what v points to.
func decodeFrom(raw []byte, cd codec.Codec, v any) error {
	if s, ok := v.(interface {
		decodeBy(codec.Codec, []byte) error
	}); ok {
		return s.decodeBy(cd, raw)
	}
	return cd.Decode(raw, v)
}
