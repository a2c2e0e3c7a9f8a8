package wire

import (
	"errors"
	"iter"
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/cborscan"
	"github.com/wirecall/wirecall/internal/jsonscan"
)

// Kind is the type of a raw value.
type Kind uint8

const (
	Invalid Kind = iota // not the beginning of any value
	Null
	Bool
	Number // integer or floating point; not CBOR's tagged big ones
	String
	Array
	Object
	Bytes // CBOR only
	Other // CBOR only: tags, undefined, and simple values without a name
)

// The functions below read raw values that Decode returned, or parts of them. For other
// bytes they are safe, but their results are not defined, except those of Check. White
// space around a JSON value is allowed everywhere.

// Kind returns the kind of raw by its first byte.
func (f Format) Kind(raw []byte) Kind {
	if f == CBOR {
		return cborKind(raw)
	}
	i := jsonscan.Space(raw, 0)
	if i == len(raw) {
		return Invalid
	}
	switch raw[i] {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return Number
	}
	return Invalid
}

// Check returns nil if raw is one well-formed value with nothing behind it, in
// valid UTF-8, in which no more than depth levels nest; otherwise what is wrong
// with it, in words that quote nothing of it.
func (f Format) Check(raw []byte, depth int) error {
	var end int
	switch {
	case f == CBOR:
		end = cborscan.Whole(raw, depth)
	case !utf8.Valid(raw):
		return errors.New("invalid UTF-8")
	default:
		end = jsonscan.Whole(raw, depth)
	}
	if end < 0 {
		return errors.New(f.wrong(end, depth))
	}
	return nil
}

// Array yields the elements of an array, and nothing for any other value.
func (f Format) Array(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if f == CBOR {
			cborscan.Elements(raw, MaxDepth, yield)
			return
		}
		jsonscan.Elements(raw, MaxDepth, yield)
	}
}

// Object yields the members of an object in their order, duplicates included,
// and nothing for any other value. Of a CBOR map it yields the members that
// have text for a key.
func (f Format) Object(raw []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for r := f.ReadObject(raw); r.Next(); {
			if value := r.Value(); r.Name != nil && !yield(string(r.Name), value) {
				return
			}
		}
	}
}

// Int returns the integer raw. Neither 1.0 nor 1e3 is one, nor a number outside the range
// of an int64.
func (f Format) Int(raw []byte) (int64, bool) {
	if f == CBOR {
		return cborInt(raw)
	}
	return jsonInt(raw)
}

// Natural is Int for the protocol's own numbers, which are from 0 to MaxInteger.
func (f Format) Natural(raw []byte) (int64, bool) {
	n, ok := f.Int(raw)
	return n, ok && n >= 0 && n <= MaxInteger
}

// Bool returns the boolean raw.
func (f Format) Bool(raw []byte) (v, ok bool) {
	if f.Kind(raw) != Bool {
		return false, false
	}
	if f == CBOR {
		return raw[0] == cborscan.True, true
	}
	return raw[jsonscan.Space(raw, 0)] == 't', true
}

// String returns the string raw. A lone surrogate in JSON's escapes becomes U+FFFD, as
// with encoding/json.
func (f Format) String(raw []byte) (string, bool) {
	if text := f.text(raw); text != nil {
		return string(text), true
	}
	return "", false
}

// text is String without the copy: the result aliases raw unless there are escapes. It is
// nil if raw is not a string.
func (f Format) text(raw []byte) []byte {
	if f == CBOR {
		return cborscan.Text(raw)
	}
	return jsonText(raw)
}
