package wire

import (
	"bytes"
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonValid scans s, which is to be one value and nothing else, in which so many
// levels may nest.
func jsonValid(s []byte, levels int) int {
	i := skipJSON(s, skipSpace(s, 0), levels)
	if i < 0 {
		return i
	}
	if i = skipSpace(s, i); i != len(s) {
		return ^i
	}
	return i
}

// jsonElements yields the elements of the array that raw is.
func jsonElements(raw []byte, yield func([]byte) bool) {
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != '[' {
		return
	}
	i = skipSpace(raw, i+1)
	if i < len(raw) && raw[i] == ']' {
		return
	}
	for {
		end := skipKnown(raw, i, MaxDepth)
		if end < 0 || !yield(raw[i:end:end]) {
			return
		}
		i = skipSpace(raw, end)
		if i == len(raw) || raw[i] != ',' {
			return
		}
		i = skipSpace(raw, i+1)
	}
}

// jsonMembers scans the object that begins at s[i] and yields its members, the
// names unescaped, for as long as yield likes. A name is good until the next. skip
// is skipJSON or skipKnown.
func jsonMembers(s []byte, i, levels int, skip func(s []byte, i, levels int) int, yield func(name, value []byte) bool) int {
	if i >= len(s) || s[i] != '{' {
		return ^i
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s) || s[i] != '"' {
			return ^i
		}
		quote := skipString(s, i)
		if quote < 0 {
			return quote
		}
		start := skipColon(s, quote)
		if start < 0 {
			return start
		}
		end := skip(s, start, levels-1)
		if end < 0 {
			return end
		}
		if !yield(unescape(s[i+1:quote-1]), s[start:end:end]) {
			return end
		}
		i = skipSpace(s, end)
		if i >= len(s) {
			return ^i
		}
		switch s[i] {
		case ',':
			i = skipSpace(s, i+1)
		case '}':
			return i + 1
		default:
			return ^i
		}
	}
}

// jsonKind tells values apart by their first byte.
func jsonKind(raw []byte) Kind {
	i := skipSpace(raw, 0)
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

// jsonInt reads an integer: RFC 8259, section 6, with neither a fraction nor
// an exponent.
func jsonInt(raw []byte) (int64, bool) {
	i := skipSpace(raw, 0)
	digits := i
	negative := i < len(raw) && raw[i] == '-'
	if negative {
		digits++
	}
	end := skipDigits(raw, digits)
	if end < 0 || end-digits > 1 && raw[digits] == '0' || skipSpace(raw, end) != len(raw) {
		return 0, false
	}
	var n uint64
	for _, c := range raw[digits:end] {
		digit := uint64(c - '0')
		if n > (math.MaxInt64+1-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), n <= math.MaxInt64
}

// jsonText returns what is between the quotation marks, unescaped.
func jsonText(raw []byte) []byte {
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != '"' {
		return nil
	}
	end := skipString(raw, i)
	if end < 0 || skipSpace(raw, end) != len(raw) {
		return nil
	}
	return unescape(raw[i+1 : end-1])
}

// unescape returns what the inside of a string means. It aliases s where
// nothing is escaped.
func unescape(s []byte) []byte {
	i := bytes.IndexByte(s, '\\')
	if i < 0 {
		return s[:len(s):len(s)]
	}
	text := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		if s[i] != '\\' {
			text = append(text, s[i])
			i++
			continue
		}
		r, size := escaped(s[i:])
		text = utf8.AppendRune(text, r)
		i += size
	}
	return text
}

// escaped returns the character that the escape at the beginning of s stands
// for, and the length of the escape. Half of a surrogate pair stands for
// U+FFFD.
func escaped(s []byte) (rune, int) {
	switch c := s[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(c), 2
	}
	r := hex4(s[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(s[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}
