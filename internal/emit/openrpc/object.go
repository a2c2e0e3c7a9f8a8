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

// compact is a value as JSON without spaces.
func compact(v any) ([]byte, error) { return oneLine(v, "") }

// oneLine is a value as JSON on one line, with a space or nothing between its parts.
func oneLine(v any, space string) ([]byte, error) {
	var b bytes.Buffer
	err := write(&b, v, space)
	return b.Bytes(), err
}

func write(b *bytes.Buffer, v any, space string) error {
	switch v := v.(type) {
	case object:
		return list(b, "{}", space, v, func(m member) error {
			if err := scalar(b, m.name); err != nil {
				return err
			}
			b.WriteString(":" + space)
			return write(b, m.value, space)
		})
	case []object:
		return list(b, "[]", space, v, func(o object) error { return write(b, o, space) })
	case []string:
		return list(b, "[]", space, v, func(s string) error { return scalar(b, s) })
	}
	return scalar(b, v)
}

// list writes members or elements between brackets.
func list[T any](b *bytes.Buffer, brackets, space string, all []T, write func(T) error) error {
	b.WriteByte(brackets[0])
	for i, v := range all {
		if i > 0 {
			b.WriteString("," + space)
		}
		if err := write(v); err != nil {
			return err
		}
	}
	b.WriteByte(brackets[1])
	return nil
}

// scalar writes a value without the escapes that only HTML needs.
func scalar(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	b.Truncate(len(bytes.TrimRight(b.Bytes(), "\n")))
	return err
}
