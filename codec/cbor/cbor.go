// Package cbor is the codec for wirecall's binary form, RFC 8949: smaller
// than JSON and quicker to read, with []byte and numbers as they are.
//
// Two wirecall peers agree on it when they connect, by the WebSocket
// subprotocol wirecall.v1.cbor. A peer that does not offer this codec, and
// every plain JSON-RPC 2.0 program, goes on with JSON.
//
// # What differs from JSON
//
// Whatever JSON can encode this codec can encode too, by the same struct tags (a cbor tag
// goes first) and the same methods: MarshalJSON, MarshalText and their
// counterparts work as they do there, MarshalCBOR and UnmarshalCBOR go before
// them. These things come out differently:
//
//   - Names of struct fields match exactly. JSON falls back to ignoring case.
//   - A map with the same key twice is an error. JSON takes the last.
//   - In a variable of type any, an integer arrives as an int64 (or a big.Int,
//     if it does not fit) where JSON makes a float64, and a []byte arrives as
//     a []byte where JSON makes a string. A map whose keys are not strings
//     cannot be decoded into any: give the variable its type.
//   - NaN and the infinities cross, which JSON refuses. What goes through
//     MarshalJSON, json.RawMessage included, has the numbers of Go: integers
//     of any size, and float64.
//   - The ",string" option of a field's tag is not needed and not looked at.
//   - The zero time.Time is null, and null leaves a time.Time as it was.
//   - A type that has both MarshalJSON and MarshalText crosses as its text,
//     which its UnmarshalJSON is given as a JSON string. Where that is not
//     what MarshalJSON writes, the type needs MarshalCBOR and UnmarshalCBOR.
//
// A value that points to itself is an error in JSON and must not be given to
// this codec, which would not return.
package cbor

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/wire"
)

// Codec is the codec. It may be used by any number of goroutines at once.
var Codec codec.Codec = cborCodec{}

type cborCodec struct{}

func (cborCodec) Name() string { return wire.CBOR.Name() }

func (cborCodec) Format() wire.Format { return wire.CBOR }

// encoding encodes as encoding/json does, as far as the formats allow.
var encoding = must(cbor.EncOptions{
	Sort:                    cbor.SortBytewiseLexical, // as json.Marshal sorts: the same value, the same bytes
	ShortestFloat:           cbor.ShortestFloat16,     // loses nothing
	Time:                    cbor.TimeRFC3339Nano,     // keeps the offset; a plain string to whoever reads any
	IndefLength:             cbor.IndefLengthForbidden,
	OmitEmpty:               cbor.OmitEmptyGoValue,
	BinaryMarshaler:         cbor.BinaryMarshalerNone, // JSON does not know it
	TextMarshaler:           cbor.TextMarshalerTextString,
	JSONMarshalerTranscoder: fromJSON{},
}.UserBufferEncMode())

// decoding decodes what came from the wire, whose nesting and lengths were checked: a
// limit on elements would refuse messages that the limit on their size allows.
//
// A repeated key is refused because the library takes the first or the last, whichever
// is quicker, so that two peers could see different values.
var decoding = must(decodingOptions(toJSON{}).DecMode())

func decodingOptions(transcoder cbor.Transcoder) cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:                 cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:           wire.MaxDepth,
		MaxArrayElements:          math.MaxInt32,
		MaxMapPairs:               math.MaxInt32,
		IndefLength:               cbor.IndefLengthForbidden,
		IntDec:                    cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType:            reflect.TypeFor[map[string]any](),
		FieldNameMatching:         cbor.FieldNameMatchingCaseSensitive,
		TimeTagToAny:              cbor.TimeTagToRFC3339Nano,
		UnrecognizedTagToAny:      cbor.UnrecognizedTagContentToAny,
		BinaryUnmarshaler:         cbor.BinaryUnmarshalerNone,
		TextUnmarshaler:           cbor.TextUnmarshalerTextString,
		JSONUnmarshalerTranscoder: transcoder,
	}
}

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

// buffers holds bytes.Buffers for use around the caller's bytes, so that Append allocates
// only what it appends.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (c cborCodec) Append(dst []byte, v any) ([]byte, error) {
	return c.AppendWithin(dst, v, math.MaxInt)
}

func (cborCodec) AppendWithin(dst []byte, v any, depth int) ([]byte, error) {
	out, err := appendUnchecked(dst, v)
	if err != nil {
		return dst, err
	}
	if wire.CBOR.Check(out[len(dst):], depth) == nil {
		return out, nil
	}
	out = replaceInvalid(out, len(dst))
	if err := wire.CBOR.Check(out[len(dst):], depth); err != nil {
		return dst, fmt.Errorf("the CBOR of %T: %w", v, err)
	}
	return out, nil
}

// appendUnchecked appends the library's encoding of v, in which text may not be UTF-8.
func appendUnchecked(dst []byte, v any) ([]byte, error) {
	b := buffers.Get().(*bytes.Buffer)
	*b = *bytes.NewBuffer(dst)
	err := encoding.MarshalToBuffer(v, b)
	out := b.Bytes()
	*b = bytes.Buffer{}
	buffers.Put(b)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (cborCodec) Decode(src []byte, v any) error { return decoding.Unmarshal(src, v) }
