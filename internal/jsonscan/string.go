package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// longText is the number of bytes from which on a string is scanned in blocks of
// 32 bytes.
const longText = 64

// StringEnd returns the index behind the quotation mark that ends the string of
// which s[i] is the first byte inside, or any later one that does not belong to an
// escape: RFC 8259, section 7. It looks at eight bytes at a time, later at 32.
func StringEnd(s []byte, i int) int {
	if i < 0 {
		return i
	}
	for ; ; i += blocks(s[i:], 0) {
		limit := min(i+longText, len(s))
		for i+8 <= limit {
			stop := stops(binary.LittleEndian.Uint64(s[i:]), 0) & highs
			if stop == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stop) / 8
			if s[i] == '"' {
				return i + 1
			}
			if i = skipEscape(s, i); i < 0 {
				return i
			}
		}
		if limit == len(s) {
			break
		}
	}
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\' || c < ' ':
			if i = skipEscape(s, i); i < 0 {
				return i
			}
		default:
			i++
		}
	}
	return ^i
}

// Plain returns the index of the first byte, from s[i] on, that is a quotation mark,
// a backslash, a control character or not ASCII, or the length of s. It scans as
// StringEnd does.
func Plain(s []byte, i int) int {
	for ; ; i += blocks(s[i:], highs) {
		limit := min(i+longText, len(s))
		for ; i+8 <= limit; i += 8 {
			if stop := stops(binary.LittleEndian.Uint64(s[i:]), highs) & highs; stop != 0 {
				return i + bits.TrailingZeros64(stop)/8
			}
		}
		if limit == len(s) {
			break
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// blocks returns the number of bytes at the beginning of s that are in blocks of 32
// bytes with no stop.
func blocks(s []byte, also uint64) int {
	i := 0
	for ; i+32 <= len(s); i += 32 {
		b := s[i : i+32 : i+32]
		stop := stops(binary.LittleEndian.Uint64(b), also) | stops(binary.LittleEndian.Uint64(b[8:]), also) |
			stops(binary.LittleEndian.Uint64(b[16:]), also) | stops(binary.LittleEndian.Uint64(b[24:]), also)
		if stop&highs != 0 {
			break
		}
	}
	return i
}

// stops sets the high bits of the bytes of x that are a control character, a
// quotation mark or a backslash, and of those whose high bit is set in x and in
// also. Of these bits only the lowest is certain: a byte that is found borrows from
// the ones above it.
func stops(x, also uint64) uint64 {
	return ((x-ones*' ')|((x^ones*'"')-ones)|((x^ones*'\\')-ones))&^x | x&also
}

// skipEscape skips the escape that begins at s[i], a backslash. A control
// character there is a failure.
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
		if hex4(s[i+2:]) < 0 {
			return ^i
		}
		return i + 6
	}
	return ^i
}

// hex4 returns the value of the four hexadecimal digits at the beginning of s, or
// -1.
func hex4(s []byte) (r rune) {
	if len(s) < 4 {
		return -1
	}
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

// Unescape returns the text of a well-formed string, given what is between its
// quotation marks. The result aliases raw if there are no escapes.
func Unescape(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[:len(raw):len(raw)]
	}
	return AppendUnescaped(make([]byte, 0, len(raw)), raw)
}

// AppendUnescaped appends what Unescape returns. Half of a surrogate pair becomes
// U+FFFD, as with encoding/json.
func AppendUnescaped(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		c := raw[i+1]
		raw = raw[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			var r rune
			r, raw = unescapeRune(raw)
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

// unescapeRune returns the character of the hexadecimal digits at the beginning of
// raw, to which a second escape may belong.
func unescapeRune(raw []byte) (r rune, rest []byte) {
	r, raw = hex4(raw), raw[4:]
	if !utf16.IsSurrogate(r) {
		return r, raw
	}
	if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(raw[2:])); pair != utf8.RuneError {
			return pair, raw[6:]
		}
	}
	return utf8.RuneError, raw
}
