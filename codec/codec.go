// Package codec says how Go values become bytes on the wire and back.
//
// A connection uses one codec for all that it carries. JSON is the default and
// the only one that plain JSON-RPC programs understand; codec/cbor is a smaller
// binary form that two wirecall peers can agree on when they connect.
package codec

import (
	"encoding/json"
	"fmt"

	"github.com/wirecall/wirecall/codec/jsongen"
	"github.com/wirecall/wirecall/internal/wire"
)

// A Codec turns Go values into one of the wire's two forms and back. It must
// be safe for concurrent use.
type Codec interface {
	// Name is the last part of the WebSocket subprotocol wirecall.v1.NAME, and
	// says which form of the wire's envelope goes with the codec: "json" (text)
	// or "cbor" (binary, RFC 8949). The wire knows no others. Another
	// implementation of either takes the same name.
	Name() string

	// Append appends the encoding of v to dst and returns the extended slice.
	// JSON must be compact: a line feed separates messages. On an error what
	// was appended is thrown away.
	Append(dst []byte, v any) ([]byte, error)

	// Decode stores the value that src encodes in what v points to. It must
	// not keep src, whose bytes change after it returns.
	Decode(src []byte, v any) error
}

// JSON is encoding/json: values encode exactly as json.Marshal has them, and
// decode as with json.Unmarshal. For the types that a generated service carries
// it does the same several times faster, by code that is generated with it.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	if b := jsongen.Append(dst, v); b != nil {
		return b, nil
	}
	return appendOther(dst, v)
}

// AppendWithin is Append for a value that is about to be sent, for package rpc. It
// fails if the JSON is not UTF-8, or if more than depth levels of arrays and
// objects nest in it. It does not look where the type alone rules that out.
func (jsonCodec) AppendWithin(dst []byte, v any, depth int) (b []byte, err error) {
	b, sound := jsongen.AppendSound(dst, v)
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

// appendOther appends a value whose type no code was generated for.
func appendOther(dst []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}

func (jsonCodec) Decode(src []byte, v any) error {
	if jsongen.Decode(src, v) {
		return nil
	}
	return json.Unmarshal(src, v)
}
