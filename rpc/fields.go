package rpc

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/wire"
)

// A payload is a call's Params or Result, looked at once.
type payload struct {
	value  any
	named  bool    // it has fields
	fields []Field // then these
}

func payloadOf(v any) payload {
	if f, ok := v.(Fields); ok {
		return payload{v, true, f.Fields()}
	}
	return payload{value: v}
}

// streams are those among it.
func (p *payload) streams() (streams []*Stream) {
	if s, ok := p.value.(*Stream); ok {
		return []*Stream{s}
	}
	for _, f := range p.fields {
		if s, ok := f.Value.(*Stream); ok {
			streams = append(streams, s)
		}
	}
	return streams
}

// streamsIn are the streams among a call's Params or Result.
func streamsIn(v any) []*Stream {
	p := payloadOf(v)
	return p.streams()
}

// failStreams makes the result streams of a failed call yield its error, so
// that code which looks only there finds it.
func failStreams(result any, err error) {
	for _, s := range streamsIn(result) {
		*s = Stream{err: err}
	}
}

// An encoder writes what a call carries. streams are the wire's names for its
// streams, in the order in which they come; a nil one is the nil iterator.
type encoder struct {
	form    wire.Format
	codec   codec.Codec
	streams [][]byte
	depth   int // how deep a value may nest
}

// append appends Params or a Result.
func (e *encoder) append(dst []byte, p *payload) ([]byte, error) {
	if !p.named {
		return e.value(dst, p.value)
	}
	dst = e.form.AppendObject(dst, len(p.fields))
	for i, f := range p.fields {
		dst = e.form.AppendKey(dst, f.Name, i == 0)
		var err error
		if dst, err = e.value(dst, f.Value); err != nil {
			return dst, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return e.form.AppendObjectEnd(dst), nil
}

func (e *encoder) value(dst []byte, v any) ([]byte, error) {
	switch v.(type) {
	case nil:
		return e.form.AppendNull(dst), nil
	case *Stream:
		name := e.streams[0]
		e.streams = e.streams[1:]
		if name == nil {
			return e.form.AppendNull(dst), nil
		}
		return append(dst, name...), nil
	}
	return encodeTo(dst, e.codec, v, e.depth)
}

// reset makes a result zero, which may hold an earlier answer's: decoding into that
// would make one value of both.
func reset(result any) {
	f, named := result.(Fields)
	if !named {
		resetValue(result)
		return
	}
	for _, f := range f.Fields() {
		resetValue(f.Value)
	}
}

func resetValue(v any) {
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
		p.Elem().SetZero()
	}
}

// A decoder reads what a call carries, and hands out the streams that its message
// has listed.
type decoder struct {
	form    wire.Format
	codec   codec.Codec
	sinks   []*sink // not claimed yet
	claimed []*sink
}

// claim turns the wire's name for a stream into the stream.
func (d *decoder) claim(raw []byte) (Stream, error) {
	h, ok := d.form.Int(raw)
	for i, k := range d.sinks {
		if ok && k.handle == uint64(h) {
			rest := make([]*sink, 0, len(d.sinks))
			d.sinks = append(append(rest, d.sinks[:i]...), d.sinks[i+1:]...)
			d.claimed = append(d.claimed, k)
			return Stream{remote: newIncomingStream(k)}, nil
		}
	}
	return Stream{}, errors.New("not a stream that the message lists")
}

// decode stores Params or a Result in v. Members match by their exact names,
// and unknown ones are ignored; an array goes by position.
func (d *decoder) decode(raw []byte, v any) error {
	fields, ok := v.(Fields)
	if !ok {
		return d.value(raw, v)
	}
	fs := fields.Fields()
	switch d.form.Kind(raw) {
	case wire.Object:
		for name, member := range d.form.Object(raw) {
			for _, f := range fs {
				if f.Name == name {
					if err := d.value(member, f.Value); err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					break
				}
			}
		}
		return nil
	case wire.Array:
		i := 0
		for member := range d.form.Array(raw) {
			if i == len(fs) {
				return fmt.Errorf("more than %d by position", len(fs))
			}
			if err := d.value(member, fs[i].Value); err != nil {
				return fmt.Errorf("%s: %w", fs[i].Name, err)
			}
			i++
		}
		return nil
	}
	return fmt.Errorf("want an object")
}

func (d *decoder) value(raw []byte, v any) (err error) {
	switch v := v.(type) {
	case nil:
		return nil
	case *Stream:
		if d.form.Kind(raw) == wire.Null {
			*v = Stream{}
			return nil
		}
		*v, err = d.claim(raw)
		return err
	}
	return decodeFrom(raw, d.codec, v)
}
