package session

import (
	"fmt"

	"github.com/wirecall/wirecall/internal/wire"
)

// A member is a member of an object of rpc.hello or rpc.resume.
type member struct {
	name     string
	number   *int64  // where its value is, if it is a number
	text     *string // where its value is, if it is a string
	flag     *bool   // where its value is, if it is a boolean
	optional bool    // left out if it is 0, empty or false
}

func (m *member) empty() bool {
	switch {
	case m.text != nil:
		return *m.text == ""
	case m.flag != nil:
		return !*m.flag
	}
	return *m.number == 0
}

// appendMembers appends an object with the members.
func appendMembers(form wire.Format, dst []byte, members []member) []byte {
	n := 0
	for i := range members {
		if !members[i].optional || !members[i].empty() {
			n++
		}
	}
	dst = form.AppendObject(dst, n)
	first := true
	for i := range members {
		m := &members[i]
		if m.optional && m.empty() {
			continue
		}
		dst = form.AppendKey(dst, m.name, first)
		first = false
		switch {
		case m.text != nil:
			dst = form.AppendString(dst, *m.text)
		case m.flag != nil:
			dst = form.AppendBool(dst, *m.flag)
		default:
			dst = form.AppendInt(dst, *m.number)
		}
	}
	return form.AppendObjectEnd(dst)
}

// readMembers stores the members that the object raw has, and ignores others. It returns
// an error about the first that is not of its type.
func readMembers(form wire.Format, raw []byte, members []member) (err error) {
	if form.Kind(raw) != wire.Object {
		return fmt.Errorf("want an object")
	}
	for name, value := range form.Object(raw) {
		for i := range members {
			m := &members[i]
			if m.name != name || form.Kind(value) == wire.Null {
				continue
			}
			ok := false
			switch {
			case m.text != nil:
				*m.text, ok = form.String(value)
			case m.flag != nil:
				*m.flag, ok = form.Bool(value)
			default:
				*m.number, ok = form.Int(value)
			}
			if !ok && err == nil {
				err = fmt.Errorf("%s: %s is not of its type", name, Brief(value))
			}
		}
	}
	return err
}
