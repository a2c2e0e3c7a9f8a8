package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// AppendString appends v as a JSON string, with the escapes of json.Marshal: of
// what RFC 8259, section 7, requires, and of the characters with a meaning in HTML
// or in old JavaScript. A byte that is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, v string) []byte {
	dst = append(dst, '"')
	start := len(dst)
	dst = append(dst, v...)
	n := verbatimPrefix(dst[start:])
	if n < len(v) {
		dst = appendEscaped(dst[:start+n], v[n:])
	}
	return append(dst, '"')
}

// verbatimPrefix returns the number of bytes at the beginning of s that are ASCII
// and need no escape. It scans as StringEnd does.
func verbatimPrefix(s []byte) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if i == longText {
			i += verbatimBlocks(s[i:])
			if i+8 > len(s) {
				break
			}
		}
		if stop := escapes(binary.LittleEndian.Uint64(s[i:])) & highs; stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for i < len(s) && verbatim(s[i]) {
		i++
	}
	return i
}

// verbatimBlocks returns the number of bytes at the beginning of s that are in
// blocks at which verbatimPrefix would not stop.
func verbatimBlocks(s []byte) int {
	i := 0
	for ; i+32 <= len(s); i += 32 {
		b := s[i : i+32 : i+32]
		stop := escapes(binary.LittleEndian.Uint64(b)) | escapes(binary.LittleEndian.Uint64(b[8:])) |
			escapes(binary.LittleEndian.Uint64(b[16:])) | escapes(binary.LittleEndian.Uint64(b[24:]))
		if stop&highs != 0 {
			break
		}
	}
	return i
}

// escapes sets the high bits of the bytes of x that are not verbatim. A quotation
// mark and an ampersand differ in one bit, and so do the two angle brackets.
func escapes(x uint64) uint64 {
	return x | (x - ones*' ') | ((x ^ ones*'\\') - ones) | ((x&^(ones*4) ^ ones*'"') - ones) | ((x&^(ones*2) ^ ones*'<') - ones)
}

// verbatim reports whether c is ASCII and is not escaped.
func verbatim(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '&' && c != '<' && c != '>'
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends v with its escapes.
func appendEscaped(dst []byte, v string) []byte {
	for i := 0; i < len(v); {
		c := v[i]
		if verbatim(c) {
			dst = append(dst, c)
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = appendEscape(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(v[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case r == '\u2028', r == '\u2029':
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
		default:
			dst = append(dst, v[i:i+size]...)
		}
		i += size
	}
	return dst
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}
