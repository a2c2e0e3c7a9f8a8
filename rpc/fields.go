package rpc

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// A payload is a call's Params or Result, with its fields if it is a generated struct.
type payload struct {
	value  any
	record contract.Record // value, if it is a generated struct
	names  []string        // of the fields of record
}

func payloadOf(v any, names []string) payload {
	record, _ := v.(contract.Record)
	return payload{v, record, names}
}

func (c *Call) params() payload { return payloadOf(c.Params, c.Method.Params) }

func (c *Call) result() payload { return payloadOf(c.Result, c.Method.Results) }

// sends reports whether there are streams among the parameters.
func (c *Call) sends() bool {
	p := c.params()
	return p.hasStreams()
}

// receives reports whether there are streams among the results.
func (c *Call) receives() bool {
	p := c.result()
	return p.hasStreams()
}

// streams returns the streams among the fields.
func (p *payload) streams() (streams []*contract.Stream) {
	if s, ok := p.value.(*contract.Stream); ok {
		return []*contract.Stream{s}
	}
	if p.record == nil {
		return nil
	}
	for i := range p.names {
		if s, ok := p.record.Field(i).(*contract.Stream); ok {
			streams = append(streams, s)
		}
	}
	return streams
}

func (p *payload) hasStreams() bool {
	if p.record == nil {
		_, ok := p.value.(*contract.Stream)
		return ok
	}
	for i := range p.names {
		if _, ok := p.record.Field(i).(*contract.Stream); ok {
			return true
		}
	}
	return false
}

// failStreams makes the result streams of a failed call yield its error, so that code
// which checks only the streams finds it.
func (c *Call) failStreams(err error) {
	result := c.result()
	for _, s := range result.streams() {
		*s = contract.Stream{Err: err}
	}
}

// An encoder encodes the Params or the Result of a call. streams are the names on the
// wire of its streams, in order; the name of a nil iterator is nil.
type encoder struct {
	form    wire.Format
	codec   codec.Codec
	streams [][]byte
	depth   int // the greatest depth of a value
}

// append appends the encoded Params or Result.
func (e *encoder) append(dst []byte, p *payload) ([]byte, error) {
	if p.record == nil {
		return e.value(dst, p.value)
	}
	if len(p.names) == 0 {
		return dst, fmt.Errorf("the Method has no names for the fields of %T", p.value)
	}
	dst = e.form.AppendObject(dst, len(p.names))
	for i, name := range p.names {
		dst = e.form.AppendKey(dst, name, i == 0)
		var err error
		if dst, err = e.value(dst, p.record.Field(i)); err != nil {
			return dst, fmt.Errorf("%s: %w", name, err)
		}
	}
	return e.form.AppendObjectEnd(dst), nil
}

func (e *encoder) value(dst []byte, v any) ([]byte, error) {
	switch v.(type) {
	case nil:
		return e.form.AppendNull(dst), nil
	case *contract.Stream:
		name := e.streams[0]
		e.streams = e.streams[1:]
		if name == nil {
			return e.form.AppendNull(dst), nil
		}
		return append(dst, name...), nil
	}
	return encodeTo(dst, e.codec, v, e.depth)
}

// reset sets a result to its zero value. It may hold an earlier answer, which decoding
// would merge with the new one.
func (p *payload) reset() {
	if p.record == nil {
		resetValue(p.value)
		return
	}
	for i := range p.names {
		resetValue(p.record.Field(i))
	}
}

func resetValue(v any) {
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
		p.Elem().SetZero()
	}
}

// A decoder decodes the Params or the Result of a call and assigns the streams that the
// message lists.
type decoder struct {
	form      wire.Format
	codec     codec.Codec
	errors    declaredErrors        // of the method, for its streams
	aliases   map[string]string     // other names of fields
	strict    bool                  // refuse unknown members
	unclaimed []*session.RecvStream // streams of the message that no value has named yet
	claimed   []*session.RecvStream
}

// claim returns the stream with the given name on the wire.
func (d *decoder) claim(raw []byte) (contract.Stream, error) {
	h, ok := d.form.Int(raw)
	for i, rs := range d.unclaimed {
		if ok && rs.Handle == uint64(h) {
			rest := make([]*session.RecvStream, 0, len(d.unclaimed))
			d.unclaimed = append(append(rest, d.unclaimed[:i]...), d.unclaimed[i+1:]...)
			d.claimed = append(d.claimed, rs)
			return contract.Stream{Remote: newIncomingStream(rs, d.errors)}, nil
		}
	}
	return contract.Stream{}, errors.New("not a stream that the message lists")
}

// decode stores Params or a Result in p. The members of an object are matched by their
// exact names or aliases; unknown members are ignored, or refused if d is strict. The elements of
// an array are matched by position.
func (d *decoder) decode(raw []byte, p *payload) error {
	if p.record == nil {
		return d.value(raw, p.value)
	}
	switch d.form.Kind(raw) {
	case wire.Object:
		return d.decodeObject(raw, p)
	case wire.Array:
		i := 0
		for member := range d.form.Array(raw) {
			if i == len(p.names) {
				return fmt.Errorf("more than %d by position", len(p.names))
			}
			if err := d.value(member, p.record.Field(i)); err != nil {
				return fmt.Errorf("%s: %w", p.names[i], err)
			}
			i++
		}
		return nil
	}
	return fmt.Errorf("want an object")
}

// decodeObject is decode for an object. What the codec can decode in place has not to be
// scanned for its end first.
func (d *decoder) decodeObject(raw []byte, p *payload) error {
	inPlace, _ := d.codec.(interface{ DecodePrefix([]byte, any) int })
	next := 0 // the members usually come in order
	for r := d.form.ReadObject(raw); r.Next(); next++ {
		if next >= len(p.names) || string(r.Name) != p.names[next] {
			next = slices.Index(p.names, string(r.Name))
		}
		if next < 0 && len(d.aliases) > 0 {
			var err error
			if next, err = d.alias(raw, p.names, string(r.Name)); err != nil {
				return err
			}
		}
		if next < 0 {
			if d.strict && r.Name != nil {
				return unknownParameter(string(r.Name), p.names)
			}
			r.Value()
			continue
		}
		field := p.record.Field(next)
		if inPlace != nil {
			if n := inPlace.DecodePrefix(r.Rest(), field); n >= 0 {
				r.Skip(n)
				continue
			}
		}
		if err := d.value(r.Value(), field); err != nil {
			return fmt.Errorf("%s: %w", p.names[next], err)
		}
	}
	return nil
}

// alias returns the index of the field with the given alias, or -1. It is an error if the
// object raw has the field by another of its names as well.
func (d *decoder) alias(raw []byte, names []string, alias string) (int, error) {
	name, ok := d.aliases[alias]
	if !ok {
		return -1, nil
	}
	n := 0
	for other := range d.form.Object(raw) {
		if other == name || d.aliases[other] == name {
			n++
		}
	}
	if n > 1 {
		return -1, fmt.Errorf("%s is given more than once: %s is another name of it", name, alias)
	}
	return slices.Index(names, name), nil
}

// unknownParameter returns the error of a strict decoder.
func unknownParameter(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("unknown parameter %q; there are none", session.Brief(name))
	}
	return fmt.Errorf("unknown parameter %q; there are %s", session.Brief(name), strings.Join(known, ", "))
}

// params is decode for parameters. A method without parameters has a nil p.value.
func (d *decoder) params(raw []byte, p *payload) error {
	if p.value != nil {
		return d.decode(raw, p)
	}
	if d.form.Kind(raw) == wire.Object {
		for name := range d.form.Object(raw) {
			return unknownParameter(name, nil)
		}
	}
	return nil
}

func (d *decoder) value(raw []byte, v any) (err error) {
	switch v := v.(type) {
	case nil:
		return nil
	case *contract.Stream:
		if d.form.Kind(raw) == wire.Null {
			*v = contract.Stream{}
			return nil
		}
		*v, err = d.claim(raw)
		return err
	}
	return decodeFrom(raw, d.codec, v)
}

// encodeTo appends the encoding of v; a Shared keeps its encoding. It fails if the peer
// would refuse the value, because the message would otherwise cost the whole
// connection, with the calls and streams of others.
func encodeTo(dst []byte, cd codec.Codec, v any, depth int) ([]byte, error) {
	if s, ok := v.(interface {
		encoded(codec.Codec, int) ([]byte, error)
	}); ok {
		b, err := s.encoded(cd, depth)
		return append(dst, b...), err
	}
	return cd.AppendWithin(dst, v, depth)
}

// decodeFrom stores the decoded raw in what v points to.
func decodeFrom(raw []byte, cd codec.Codec, v any) error {
	if s, ok := v.(interface {
		decodeBy(codec.Codec, []byte) error
	}); ok {
		return s.decodeBy(cd, raw)
	}
	return cd.Decode(raw, v)
}
