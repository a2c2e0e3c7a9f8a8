package cbor

import (
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/cborscan"
)

// replaceInvalid replaces each byte that is not UTF-8 in the strings of b from start
// on by U+FFFD, as json.Marshal does. The library would send such a string as it is,
// and the peer would have to close the connection: RFC 8949, section 5.3.1, calls it
// invalid.
//
// All of b is well formed and of definite length, so that the items can be read one
// after another, whatever their nesting.
func replaceInvalid(b []byte, start int) []byte {
	for i := start; i < len(b); {
		text, next := item(b, i)
		if !utf8.Valid(text) {
			return replaceFrom(b, i)
		}
		i = next
	}
	return b
}

// replaceFrom is replaceInvalid from the first invalid string on, where lengths begin
// to change.
func replaceFrom(b []byte, start int) []byte {
	out := append(make([]byte, 0, len(b)+16), b[:start]...)
	for i := start; i < len(b); {
		text, next := item(b, i)
		if utf8.Valid(text) {
			out = append(out, b[i:next]...)
		} else {
			out = cborscan.AppendText(out, string(text))
		}
		i = next
	}
	return out
}

// item returns the text of the item at b[i], or nil if it is not a text string, and
// where the next one begins: what is inside an array, a map or a tag, or follows.
func item(b []byte, i int) (text []byte, next int) {
	major, arg, next := cborscan.Head(b, i)
	switch major {
	case cborscan.Bytes:
		next += int(arg)
	case cborscan.String:
		text = b[next : next+int(arg)]
		next += int(arg)
	}
	return text, next
}
