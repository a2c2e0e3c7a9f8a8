package rpc

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/wire"
)

// A checkedCodec never sends what the peer cannot take. A user's MarshalJSON or a
// json.RawMessage can hold anything, and a type that holds itself is as deep as its
// value; a message with one such value in it would cost the connection, and with it
// the calls and streams of others.
type checkedCodec interface {
	codec.Codec

	// AppendWithin is Append, and fails if the encoding is not well formed and
	// UTF-8, or if more than depth levels of arrays and objects nest in it.
	AppendWithin(dst []byte, v any, depth int) ([]byte, error)
}

// checked is cd, with a look at all that it encodes where it does not look itself.
func checked(cd codec.Codec) checkedCodec {
	if cd, ok := cd.(checkedCodec); ok {
		return cd
	}
	return scannedCodec{cd, formOf(cd)}
}

// A scannedCodec is a codec of another module.
type scannedCodec struct {
	codec.Codec
	form wire.Format
}

func (s scannedCodec) AppendWithin(dst []byte, v any, depth int) ([]byte, error) {
	b, err := s.Append(dst, v)
	if err != nil {
		return dst, err
	}
	added := b[len(dst):]
	err = s.form.Check(added, depth)
	if err == nil && s.form == wire.JSON && bytes.IndexByte(added, '\n') >= 0 {
		err = errors.New("not compact: it has a line feed")
	}
	if err != nil {
		return dst, fmt.Errorf("what %T made of %T: %w", s.Codec, v, err)
	}
	return b, nil
}

func formOf(cd codec.Codec) wire.Format {
	if cd.Name() == "cbor" {
		return wire.CBOR
	}
	return wire.JSON
}
