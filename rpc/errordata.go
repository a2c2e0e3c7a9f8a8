package rpc

import (
	"encoding/json"
	"errors"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/wire"
)

// An errorData is what an Error carries beside its message.
type errorData struct {
	value any         // what the application gave
	raw   []byte      // or what was received
	codec codec.Codec // that decodes raw
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

// encoded is e's data, encoded by cd; nil where there is none, or it cannot be
// encoded, or the peer would not take it.
func (e *Error) encoded(cd codec.Codec) (raw []byte) {
	defer func() {
		if recover() != nil { // a type's own encoding
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
		v = e.passedOn()
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

// passedOn is the value of data that came in one form and goes on in the other: of
// its declared type if that is known here. Otherwise JSON stands between the two, as it
// keeps integers of any size; byte strings become base64. It is nil where JSON has
// no place for it.
func (e *Error) passedOn() any {
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

// decodeData stores the data of an error in what v points to. What a peer that did
// not know its type has passed on from JSON to CBOR has base64 where v has bytes,
// and is decoded as that JSON.
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
