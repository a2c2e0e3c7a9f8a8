package rpc

import (
	"encoding/json"
	"reflect"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/wire"
)

// data is what e carries, encoded by cd; nil where there is nothing, or it cannot
// be encoded, or the peer would not take it.
func (e *Error) data(cd checkedCodec) (raw []byte) {
	defer func() {
		if recover() != nil { // a type's own encoding
			raw = nil
		}
	}()
	v := e.Data
	switch {
	case v != nil:
	case e.raw == nil:
		return nil
	case e.codec.Name() == cd.Name():
		if formOf(cd).Check(e.raw, wire.CallerDepth) != nil {
			return nil
		}
		return e.raw
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
// its registered type if it has one. Otherwise JSON stands between the two, as it
// keeps integers of any size; byte strings become base64. It is nil where JSON has
// no place for it.
func (e *Error) passedOn() any {
	if t, ok := registered.Load(e.Code); ok {
		v := reflect.New(t.(reflect.Type))
		if decodeData(e.codec, e.raw, v.Interface()) == nil {
			return v.Interface()
		}
	}
	if e.codec.Name() == "json" {
		return json.RawMessage(e.raw)
	}
	var text json.RawMessage
	if e.codec.Decode(e.raw, &text) != nil {
		return nil
	}
	return text
}

// decodeData stores the data of an error in what v points to. What a peer that did
// not know its type has passed on from JSON to CBOR has base64 where v has bytes,
// and is decoded as that JSON.
func decodeData(cd codec.Codec, raw []byte, v any) error {
	err := cd.Decode(raw, v)
	if err == nil || cd.Name() == "json" {
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
