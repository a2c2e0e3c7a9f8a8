package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// The grammar is that of RFC 8259, and agrees with encoding/json on every
// input of valid UTF-8 that is not too deep for one of them (see
// FuzzDecodeJSON). UTF-8 itself is not looked at by the scanners but once by
// their callers.

// skipSpace skips insignificant white space: RFC 8259, section 2.
func skipSpace(s []byte, i int) int {
	for i < len(s) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// jsonValid scans s, which is to be one value and nothing else.
func jsonValid(s []byte) int {
	if !utf8.Valid(s) {
		return ^0
	}
	i := skipJSON(s, skipSpace(s, 0), 1)
	if i < 0 {
		return i
	}
	if i = skipSpace(s, i); i != len(s) {
		return ^i
	}
	return i
}

// skipJSON skips the value that begins at s[i], which would be at the given
// depth if it were an array or an object.
func skipJSON(s []byte, i, depth int) int {
	if i >= len(s) {
		return ^i
	}
	switch c := s[i]; c {
	case '"':
		return skipString(s, i)
	case '{':
		return skipObject(s, i, depth)
	case '[':
		return skipArray(s, i, depth)
	case 't':
		return skipWord(s, i, "true")
	case 'f':
		return skipWord(s, i, "false")
	case 'n':
		return skipWord(s, i, "null")
	default:
		return skipNumber(s, i)
	}
}

func skipWord(s []byte, i int, word string) int {
	if len(s)-i < len(word) || string(s[i:i+len(word)]) != word {
		return ^i
	}
	return i + len(word)
}

// skipArray is jsonElements without the elements.
func skipArray(s []byte, i, depth int) int {
	if depth > MaxDepth {
		return tooDeep
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	for {
		if i = skipJSON(s, i, depth+1); i < 0 {
			return i
		}
		i = skipSpace(s, i)
		if i >= len(s) {
			return ^i
		}
		switch s[i] {
		case ',':
			i = skipSpace(s, i+1)
		case ']':
			return i + 1
		default:
			return ^i
		}
	}
}

// skipObject is jsonMembers without the members.
func skipObject(s []byte, i, depth int) int {
	if depth > MaxDepth {
		return tooDeep
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == '}' {
		return i + 1
	}
	for {
		if i = skipName(s, i); i < 0 {
			return i
		}
		if i = skipJSON(s, i, depth+1); i < 0 {
			return i
		}
		i = skipSpace(s, i)
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

// skipName skips a member's name, the colon, and the space around that.
func skipName(s []byte, i int) int {
	if i >= len(s) || s[i] != '"' {
		return ^i
	}
	if i = skipString(s, i); i < 0 {
		return i
	}
	return skipColon(s, i)
}

func skipColon(s []byte, i int) int {
	i = skipSpace(s, i)
	if i >= len(s) || s[i] != ':' {
		return ^i
	}
	return skipSpace(s, i+1)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// skipString skips the string that begins at s[i], a quotation mark: RFC 8259,
// section 7. It looks at eight bytes at a time for one that is a control
// character, a quotation mark or a backslash. A borrow can raise a false alarm
// only above a true one, and only the lowest counts.
func skipString(s []byte, i int) int {
	i++
	for i+8 <= len(s) {
		x := binary.LittleEndian.Uint64(s[i:])
		quote := x ^ ones*'"'
		slash := x ^ ones*'\\'
		alarm := ((x-ones*0x20)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & highs
		if alarm == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(alarm) / 8
		if s[i] == '"' {
			return i + 1
		}
		if i = skipEscape(s, i); i < 0 {
			return i
		}
	}
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\' || c < 0x20:
			if i = skipEscape(s, i); i < 0 {
				return i
			}
		default:
			i++
		}
	}
	return ^i
}

// skipEscape skips the escape that begins at s[i], a backslash. A control
// character, which should have been escaped, is none.
func skipEscape(s []byte, i int) int {
	if s[i] != '\\' {
		return ^i
	}
	if i+1 >= len(s) {
		return ^len(s)
	}
	switch s[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(s) || hex4(s[i+2:]) < 0 {
			return ^i
		}
		return i + 6
	}
	return ^i
}

// hex4 returns the value of four hexadecimal digits, or -1.
func hex4(s []byte) rune {
	var r rune
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// skipNumber skips the number that begins at s[i]: RFC 8259, section 6.
func skipNumber(s []byte, i int) int {
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if i = skipDigits(s, i); i < 0 {
		return i
	}
	if i < len(s) && s[i] == '.' {
		if i = skipDigits(s, i+1); i < 0 {
			return i
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		return skipDigits(s, i)
	}
	return i
}

// skipDigits skips one digit or more.
func skipDigits(s []byte, i int) int {
	start := i
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	if i == start {
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
		end := skipJSON(raw, i, 2)
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
// names unescaped, for as long as yield likes. A name is good until the next.
func jsonMembers(s []byte, i, depth int, yield func(name, value []byte) bool) int {
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
		end := skipJSON(s, start, depth+1)
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

// jsonIs reports whether raw is the string s.
func jsonIs(raw []byte, s string) bool {
	return string(jsonText(raw)) == s
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
