// Package codec encodes Go values for the wire and decodes them.
//
// A connection uses one codec for everything that it carries. JSON is the default and
// the only one that plain JSON-RPC programs understand; codec/cbor is a smaller binary
// form that two wirecall peers can agree on when they connect.
package codec

import (
	"encoding/json"
	"fmt"

	_ "github.com/wirecall/wirecall/codec/jsongen" // registers Go's own types
	"github.com/wirecall/wirecall/internal/jsontypes"
	"github.com/wirecall/wirecall/internal/wire"
)

// A Codec encodes Go values in one of the wire's two formats and decodes them.
// There are two, [JSON] and cbor.Codec: the format of a message and of the values in
// it is one, and the wire has no others. A Codec may be used by any number of
// goroutines at once.
type Codec interface {
	// Name returns "json" or "cbor", which is the last part of the WebSocket
	// subprotocol, wirecall.v1.json or wirecall.v1.cbor.
	Name() string

	// Append appends the encoding of v to dst and returns the extended slice, or
	// dst and an error. JSON is compact: it has no line feed.
	Append(dst []byte, v any) ([]byte, error)

	// AppendWithin is Append for a value that is about to be sent. It also fails if
	// the peer would refuse the encoding: if it is malformed or not UTF-8, as the
	// result of a MarshalJSON method or a json.RawMessage can be, or if more than
	// depth levels of arrays, maps and tags nest in it.
	AppendWithin(dst []byte, v any, depth int) ([]byte, error)

	// Decode stores the value that src encodes in what v points to. It does not
	// retain src.
	Decode(src []byte, v any) error

	// Format returns the wire's format. Only packages of this module can name its
	// type, and so implement a Codec.
	Format() wire.Format
}

// JSON encodes values exactly as json.Marshal does, and decodes them as json.Unmarshal
// does. For the types that a generated service carries it uses code that is generated
// with the service, which has the same results and is several times faster. The strings
// of a value whose JSON has 256 bytes at most share one allocation: to keep a single one
// for long, use strings.Clone.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string { return wire.JSON.Name() }

func (jsonCodec) Format() wire.Format { return wire.JSON }

func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	if b, _ := jsontypes.Append(dst, v); b != nil {
		return b, nil
	}
	return appendOther(dst, v)
}

// AppendWithin does not check the JSON of types of which no value can have JSON that
// is refused.
func (jsonCodec) AppendWithin(dst []byte, v any, depth int) (b []byte, err error) {
	b, sound := jsontypes.Append(dst, v)
	switch {
	case b == nil:
		if b, err = appendOther(dst, v); err != nil {
			return dst, err
		}
	case sound:
		return b, nil
	}
	if err := wire.JSON.Check(b[len(dst):], depth); err != nil {
		return dst, fmt.Errorf("the JSON of %T: %w", v, err)
	}
	return b, nil
}

// appendOther appends a value by encoding/json.
func appendOther(dst []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}

// DecodePrefix stores the value at the beginning of src, which is known to be part of a
// well-formed object or array, in what v points to, and returns its size, or -1 if that
// is left to Decode.
func (jsonCodec) DecodePrefix(src []byte, v any) int { return jsontypes.DecodePrefix(src, v) }

func (jsonCodec) Decode(src []byte, v any) error {
	if jsontypes.Decode(src, v) {
		return nil
	}
	return json.Unmarshal(src, v)
}
