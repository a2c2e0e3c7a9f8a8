package topic

import (
	"fmt"
	"strings"
)

// maxName is the longest name of a topic, in bytes.
const maxName = 255

// Name returns the name of a topic of a class, such as room, with keys that may be any
// text, such as what a client has sent. Different keys have different names.
//
//	topic.Name("room", "Zoë's") // "room.Zo=C3=AB=27s"
func Name(class string, keys ...string) string {
	var b strings.Builder
	b.WriteString(class)
	for _, key := range keys {
		b.WriteByte('.')
		if key == "" {
			b.WriteByte('=') // no escape: nothing follows it
		}
		for i := range len(key) {
			if c := key[i]; plain(c) {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "=%02X", c)
			}
		}
	}
	return b.String()
}

// plain reports whether a byte stands for itself in a name.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// checkName returns an error for a name that is not parts of letters, digits, _, - and =
// with dots between them, or too long.
func checkName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("topic: a name of %d bytes; it has %d at most", len(name), maxName)
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" {
			return fmt.Errorf("topic: the name %q has an empty part; Name makes names of any text", name)
		}
		for i := range len(part) {
			if c := part[i]; !plain(c) && c != '=' {
				return fmt.Errorf("topic: the name %q has the byte %q; Name makes names of any text", name, c)
			}
		}
	}
	return nil
}

// classOf returns the first part of a name.
func classOf(name string) string {
	class, _, _ := strings.Cut(name, ".")
	return class
}
