package rpc

import (
	"encoding/json"
	"errors"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/wire"
)

// An errorData is the data of an Error.
type errorData struct {
	value any         // of the application
	raw   []byte      // as received
	codec codec.Codec // of raw
	typed error       // the declared error that was decoded from raw
}

// decode stores the data in what v points to.
func (d *errorData) decode(v any) error {
	if d.raw != nil {
		return decodeData(d.codec, d.raw, v)
	}
	if d.value == nil {
		return errors.New("rpc: the error carries no data")
	}
	raw, err := codec.JSON.Append(nil, d.value)
	if err != nil {
		return err
	}
	return codec.JSON.Decode(raw, v)
}

// encoded returns the data of e as encoded by cd. It returns nil if there is none, if
// it cannot be encoded, or if the peer would refuse it.
func (e *Error) encoded(cd codec.Codec) (raw []byte) {
	defer func() {
		if recover() != nil { // in a type's own encoding
			raw = nil
		}
	}()
	d := &e.data
	v := d.value
	switch {
	case v != nil:
	case d.raw == nil:
		return nil
	case d.codec.Format() == cd.Format():
		if cd.Format().Check(d.raw, wire.CallerDepth) != nil {
			return nil
		}
		return d.raw
	default:
		v = e.converted()
	}
	if v == nil {
		return nil
	}
	b, err := cd.AppendWithin(nil, v, wire.CallerDepth)
	if err != nil {
		return nil
	}
	return b
}

// converted returns the value to encode for data that was received in one format and is
// sent in the other. It is the declared error, if its type is known here. Otherwise the
// data is converted to JSON, which keeps integers of any size and turns byte strings
// into base64. It returns nil if the data cannot be converted.
func (e *Error) converted() any {
	d := &e.data
	if d.typed != nil {
		return d.typed
	}
	if d.codec.Format() == wire.JSON {
		return json.RawMessage(d.raw)
	}
	var text json.RawMessage
	if d.codec.Decode(d.raw, &text) != nil {
		return nil
	}
	return text
}

// decodeData stores the data of an error in what v points to. If a peer that did not
// know the type has converted the data from JSON to CBOR, it has base64 where v has
// bytes, and is decoded as JSON.
func decodeData(cd codec.Codec, raw []byte, v any) error {
	err := cd.Decode(raw, v)
	if err == nil || cd.Format() == wire.JSON {
		return err
	}
	var text json.RawMessage
	if cd.Decode(raw, &text) != nil {
		return err
	}
	resetValue(v)
	if codec.JSON.Decode(text, v) != nil {
		return err
	}
	return nil
}
