package jsongen

import (
	"bytes"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// Fields are the names of a struct's fields in JSON, in the order in which they
// are encoded.
type Fields []string

// First returns the first member of the object at s[i] that is one of the fields, and the
// index of its value. If there is none the field is negative, and next is the index behind
// the object, or negative on failure.
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

// Next returns the next member, as First does, given the index behind the value of field.
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

// expected returns the index of the value of the member at s[i], if that is the given
// field and is written without space, as most programs write it.
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

// member is First from the member at s[i] on. It skips members that are not fields.
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
