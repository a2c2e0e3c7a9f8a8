package jsongen

import (
	"bytes"
	"encoding/base64"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// AppendString appends a string.
func AppendString[T ~string](dst []byte, v *T) []byte { return jsonscan.AppendString(dst, string(*v)) }

// String decodes a string.
func String[T ~string](s []byte, i int, v *T) int {
	end, escaped := text(s, i)
	if end < 0 {
		return failed
	}
	switch {
	case escaped:
		*v = T(unescape(s[i+1 : end]))
	case cap(s) > len(s) && end > i+1: // s belongs to the value: see jsontypes.Decode
		*v = T(unsafe.String(&s[i+1], end-i-1))
	default:
		*v = T(s[i+1 : end])
	}
	return end + 1
}

// text returns the index of the quotation mark that ends the string at s[i], whose
// inside must be UTF-8.
func text(s []byte, i int) (end int, escaped bool) {
	if !jsonscan.At(s, i, '"') {
		return failed, false
	}
	end = jsonscan.Plain(s, i+1)
	if jsonscan.At(s, end, '"') {
		return end, false
	}
	return rest(s, end)
}

// rest is text for a string whose inside is plain up to s[i].
func rest(s []byte, i int) (end int, escaped bool) {
	end = jsonscan.StringEnd(s, i) - 1
	if end < 0 || !utf8.Valid(s[i:end]) {
		return failed, false
	}
	return end, bytes.IndexByte(s[i:end], '\\') >= 0
}

// unescape returns the text of a string that has escapes.
func unescape(raw []byte) string {
	var room [128]byte
	return string(jsonscan.AppendUnescaped(room[:0], raw))
}

// AppendBytes appends bytes in base64.
func AppendBytes[T ~[]byte](dst []byte, v *T) []byte {
	if *v == nil {
		return append(dst, "null"...)
	}
	return append(appendBase64(append(dst, '"'), *v), '"')
}

// Bytes decodes bytes in base64.
func Bytes[T ~[]byte](s []byte, i int, v *T) int {
	if jsonscan.At(s, i, 'n') {
		*v = nil
		return jsonscan.Word(s, i, "null")
	}
	if !jsonscan.At(s, i, '"') {
		return failed
	}
	i++
	b := make([]byte, base64.StdEncoding.DecodedLen(max(bytes.IndexByte(s[i:], '"'), 0)))
	letters := decodeBase64(b, s[i:])
	n := letters / 4 * 3
	i += letters
	end := jsonscan.Plain(s, i)
	if !jsonscan.At(s, end, '"') {
		return failed
	}
	last, err := base64.StdEncoding.Decode(b[n:], s[i:end])
	if err != nil {
		return failed
	}
	*v = b[:n+last]
	return end + 1
}

// AppendTime appends a time.
func AppendTime(dst []byte, v *time.Time) []byte {
	dst, err := v.AppendText(append(dst, '"'))
	if err != nil {
		return nil
	}
	return append(dst, '"')
}

// Time decodes a time.
func Time(s []byte, i int, v *time.Time) int {
	end, escaped := text(s, i)
	if end < 0 || escaped || v.UnmarshalText(s[i+1:end]) != nil {
		return failed
	}
	return end + 1
}
