package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The scanner of JSON. Its grammar is that of RFC 8259, and agrees with
// encoding/json on every input that is UTF-8 and not too deep for one of them
// (see FuzzDecodeJSON). UTF-8 is not looked at here, but once by the callers.

// skipSpace skips insignificant white space: RFC 8259, section 2.
func skipSpace(s []byte, i int) int {
	for i < len(s) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// skipJSON skips the value that begins at s[i], in which so many levels of arrays
// and objects may nest, itself included.
func skipJSON(s []byte, i, levels int) int {
	if i >= len(s) {
		return ^i
	}
	switch c := s[i]; c {
	case '"':
		return skipString(s, i)
	case '{':
		return skipObject(s, i, levels)
	case '[':
		return skipArray(s, i, levels)
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
func skipArray(s []byte, i, levels int) int {
	if levels == 0 {
		return tooDeep
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	for {
		if i = skipJSON(s, i, levels-1); i < 0 {
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
func skipObject(s []byte, i, levels int) int {
	if levels == 0 {
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
		if i = skipJSON(s, i, levels-1); i < 0 {
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

// longText is from where on a string is looked at 32 bytes at a time.
const longText = 64

// skipString skips the string that begins at s[i], a quotation mark: RFC 8259,
// section 7. It looks at eight bytes at a time, later at 32, for one that is a
// control character, a quotation mark or a backslash. A borrow can raise a false
// alarm only above a true one, and only the lowest counts.
func skipString(s []byte, i int) int {
	for i++; ; i += quietBlocks(s[i:]) {
		end := min(i+longText, len(s))
		for i+8 <= end {
			alarm := special(binary.LittleEndian.Uint64(s[i:])) & highs
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
		if end == len(s) {
			break
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

// quietBlocks is how many bytes of s begin it in blocks at which skipString would
// not stop.
func quietBlocks(s []byte) int {
	i := 0
	for ; i+32 <= len(s); i += 32 {
		b := s[i : i+32 : i+32]
		alarm := special(binary.LittleEndian.Uint64(b)) | special(binary.LittleEndian.Uint64(b[8:])) |
			special(binary.LittleEndian.Uint64(b[16:])) | special(binary.LittleEndian.Uint64(b[24:]))
		if alarm&highs != 0 {
			break
		}
	}
	return i
}

// special sets the high bits of the bytes of x that skipString stops at.
func special(x uint64) uint64 {
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return (x-ones*0x20)&^x | (quote-ones)&^quote | (slash-ones)&^slash
}

// skipKnown is skipJSON for a value that Decode has seen: of a string that is the
// value only the end is looked for.
func skipKnown(s []byte, i, levels int) int {
	if i >= len(s) || s[i] != '"' {
		return skipJSON(s, i, levels)
	}
	for start := i + 1; ; {
		n := bytes.IndexByte(s[i+1:], '"')
		if n < 0 {
			return ^len(s)
		}
		if i += 1 + n; !behindSlash(s[start:i]) {
			return i + 1
		}
	}
}

// behindSlash reports whether what follows text is escaped: behind an odd number of
// backslashes.
func behindSlash(text []byte) bool {
	n := len(text)
	for n > 0 && text[n-1] == '\\' {
		n--
	}
	return (len(text)-n)%2 == 1
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
