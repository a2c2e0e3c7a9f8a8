package openrpc

import (
	"bytes"
	"encoding/json"
	"slices"
)

// An object is a JSON object whose members stay in the order in which they were set.
type object []member

type member struct {
	name  string
	value any
}

// set adds a member behind the others.
func (o *object) set(name string, value any) { *o = append(*o, member{name, value}) }

// setText adds a member that is a text, unless it is empty.
func (o *object) setText(name, text string) {
	if text != "" {
		o.set(name, text)
	}
}

// setTrue adds a member that is true, if it is.
func (o *object) setTrue(name string, on bool) {
	if on {
		o.set(name, true)
	}
}

// with is a copy of o with one more member.
func (o object) with(name string, value any) object {
	return append(slices.Clip(o), member{name, value})
}

// get is the value of a member, or nil.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// compact is a value as JSON without the escapes that only HTML needs.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
