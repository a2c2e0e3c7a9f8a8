package jsongen

import (
	"bytes"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// Fields are the names of a struct's fields in JSON, in the order in which they
// are encoded.
type Fields []string

// First goes into the object at s[i], to its first member that is one of the
// fields: which, and the place of its value. At the end of the object, and where
// it gives up, the field is negative; next is then the place behind the object,
// or negative.
func (f Fields) First(s []byte, i int) (field, next int) {
	if !jsonscan.At(s, i, '{') {
		return failed, failed
	}
	i++
	if next := f.expected(s, i, 0); next > 0 {
		return 0, next
	}
	if i = jsonscan.Space(s, i); jsonscan.At(s, i, '}') {
		return failed, i + 1
	}
	return f.member(s, i, 0)
}

// Next goes on to the next member, as First does, behind the value of a field.
func (f Fields) Next(s []byte, i, field int) (_, next int) {
	if jsonscan.At(s, i, ',') {
		if next := f.expected(s, i+1, field+1); next > 0 {
			return field + 1, next
		}
	}
	i = jsonscan.Space(s, i)
	switch {
	case jsonscan.At(s, i, '}'):
		return failed, i + 1
	case jsonscan.At(s, i, ','):
		return f.member(s, jsonscan.Space(s, i+1), field+1)
	}
	return failed, failed
}

// expected is the place of the value at s[i] of a field, if it is that one and
// written without space, as it is as a rule.
func (f Fields) expected(s []byte, i, field int) int {
	if uint(field) >= uint(len(f)) {
		return failed
	}
	name := f[field]
	colon := i + len(name) + 2
	if colon+1 >= len(s) || s[i] != '"' || string(s[i+1:colon-1]) != name || s[colon-1] != '"' || s[colon] != ':' || s[colon+1] <= ' ' {
		return failed
	}
	return colon + 1
}

// member is First where the member at s[i] may be any. It skips those that are
// none of the fields.
func (f Fields) member(s []byte, i, expected int) (field, next int) {
	for {
		end, escaped := text(s, i)
		if end < 0 {
			return failed, failed
		}
		name := s[i+1 : end]
		if escaped {
			name = []byte(unescape(name))
		}
		if i = jsonscan.Colon(s, end+1); i < 0 {
			return failed, failed
		}
		if field := f.find(name, expected); field >= 0 {
			return field, i
		}
		if f.folds(name) {
			return failed, failed
		}
		i = jsonscan.Space(s, jsonscan.Value(s, i, maxDepth))
		switch {
		case jsonscan.At(s, i, '}'):
			return failed, i + 1
		case !jsonscan.At(s, i, ','):
			return failed, failed
		}
		i = jsonscan.Space(s, i+1)
	}
}

// find looks for a name, first from where it is expected.
func (f Fields) find(name []byte, expected int) int {
	for i := expected; i < len(f); i++ {
		if string(name) == f[i] {
			return i
		}
	}
	for i := range min(expected, len(f)) {
		if string(name) == f[i] {
			return i
		}
	}
	return failed
}

// folds reports whether encoding/json would take name for one of the fields
// though it is another.
func (f Fields) folds(name []byte) bool {
	for _, n := range f {
		if bytes.EqualFold(name, []byte(n)) {
			return true
		}
	}
	return false
}

// Comma appends a comma if what dst ends in is not the beginning of an object.
func Comma(dst []byte) []byte {
	if dst[len(dst)-1] == '{' {
		return dst
	}
	return append(dst, ',')
}
