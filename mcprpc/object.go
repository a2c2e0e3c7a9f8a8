package mcprpc

import (
	"bytes"
	"encoding/json"
)

// An object is a JSON object whose members stand in their order.
type object []member

type member struct {
	name  string
	value any // an object, or what encoding/json takes
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) { return o.json() }

// json returns the object as JSON. Text that is JSON already is written as it is.
func (o object) json() (json.RawMessage, error) {
	var b bytes.Buffer
	err := o.write(&b)
	return b.Bytes(), err
}

func (o object) write(b *bytes.Buffer) error {
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := write(b, m.name); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := write(b, m.value); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func write(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case object:
		return v.write(b)
	case json.RawMessage:
		b.Write(v)
		return nil
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false) // people and models read it
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line's end
	return nil
}
