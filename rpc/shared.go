package rpc

import (
	"errors"
	"fmt"
	"sync"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/wire"
)

// A Shared is a value that many streams yield, such as a price that is sent to everyone
// who watches it. It is encoded once, when it is first sent, and all streams send the
// same bytes. On the wire it is its value and nothing more: a method may return
// iter.Seq2[Shared[T], error] where it returned iter.Seq2[T, error], without any change
// for its peers.
//
// The value must not be changed once it is shared. A Shared may be copied and used by
// any number of goroutines. The zero Shared holds the zero T.
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

// Share returns a Shared that holds v.
func Share[T any](v T) Shared[T] { return Shared[T]{&shared[T]{value: v}} }

// Value returns the shared value.
func (s Shared[T]) Value() (v T) {
	if s.s == nil {
		return v
	}
	return s.s.value
}

// MarshalJSON returns the JSON of the value.
func (s Shared[T]) MarshalJSON() ([]byte, error) {
	return s.encoded(codec.JSON, wire.CallerDepth)
}

// UnmarshalJSON replaces the value of s with a new one.
func (s *Shared[T]) UnmarshalJSON(b []byte) error { return s.decodeBy(codec.JSON, b) }

var errSharedInside = errors.New("rpc: a Shared crosses in CBOR by itself only, as an item, a parameter or a result, not inside another value")

// MarshalCBOR returns an error: in CBOR a Shared must be an item, a parameter or a
// result itself, and cannot be inside another value.
func (s Shared[T]) MarshalCBOR() ([]byte, error) { return nil, errSharedInside }

// UnmarshalCBOR returns an error, as MarshalCBOR does.
func (s *Shared[T]) UnmarshalCBOR([]byte) error { return errSharedInside }

// encoded returns the value as encoded by cd. The bytes are shared and must not be
// changed. It fails if the value nests deeper than depth.
func (s Shared[T]) encoded(cd codec.Codec, depth int) ([]byte, error) {
	if s.s == nil {
		return cd.AppendWithin(nil, new(T), depth)
	}
	form := cd.Format()
	f := &s.s.forms[form]
	f.once.Do(func() { f.bytes, f.err = cd.AppendWithin(nil, &s.s.value, wire.CallerDepth) })
	if f.err == nil && depth < wire.CallerDepth {
		if err := form.Check(f.bytes, depth); err != nil {
			return nil, fmt.Errorf("the shared %T: %w", s.s.value, err)
		}
	}
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
