package jsongen

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendString appends a string.
func AppendString[T ~string](dst []byte, v *T) []byte { return appendString(dst, string(*v)) }

// String decodes a string.
func String[T ~string](s []byte, i int, v *T) int {
	end, escaped := text(s, i)
	if end < 0 {
		return failed
	}
	if escaped {
		*v = T(unescape(s[i+1 : end]))
	} else {
		*v = T(s[i+1 : end])
	}
	return end + 1
}

// appendString copies the string and then looks at what it copied.
func appendString(dst []byte, v string) []byte {
	dst = append(dst, '"')
	start := len(dst)
	dst = append(dst, v...)
	n := safe(dst[start:])
	if n < len(v) {
		dst = appendUnsafe(dst[:start+n], v[n:])
	}
	return append(dst, '"')
}

// safe is how many bytes of s begin it and stand for themselves even where the
// text is put into HTML. It works as plain does.
func safe(s []byte) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if i == longText {
			i += safeBlocks(s[i:])
			if i+8 > len(s) {
				break
			}
		}
		if alarm := needsEscape(binary.LittleEndian.Uint64(s[i:])) & highs; alarm != 0 {
			return i + bits.TrailingZeros64(alarm)/8
		}
	}
	for i < len(s) && verbatim(s[i]) {
		i++
	}
	return i
}

// safeBlocks is to safe what plainBlocks is to plain.
func safeBlocks(s []byte) int {
	i := 0
	for ; i+32 <= len(s); i += 32 {
		b := s[i : i+32 : i+32]
		alarm := needsEscape(binary.LittleEndian.Uint64(b)) | needsEscape(binary.LittleEndian.Uint64(b[8:])) |
			needsEscape(binary.LittleEndian.Uint64(b[16:])) | needsEscape(binary.LittleEndian.Uint64(b[24:]))
		if alarm&highs != 0 {
			break
		}
	}
	return i
}

// needsEscape sets the high bits of the bytes of x that safe stops at. Quotation mark
// and ampersand differ in one bit, and so do the two angle brackets.
func needsEscape(x uint64) uint64 {
	return x | (x - ones*' ') | ((x ^ ones*'\\') - ones) | ((x&^(ones*4) ^ ones*'"') - ones) | ((x&^(ones*2) ^ ones*'<') - ones)
}

func verbatim(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '&' && c != '<' && c != '>'
}

const hexDigits = "0123456789abcdef"

// appendUnsafe appends text as encoding/json would escape it.
func appendUnsafe(dst []byte, v string) []byte {
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

// unescape is what text stands for whose escapes are in order.
func unescape(raw []byte) string {
	var room [128]byte
	b := room[:0]
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return string(append(b, raw...))
		}
		b = append(b, raw[:i]...)
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
			b = utf8.AppendRune(b, r)
			continue
		}
		b = append(b, c)
	}
}

// unescapeRune reads what follows \u, which may take a second escape.
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

// AppendBytes appends bytes in base64.
func AppendBytes[T ~[]byte](dst []byte, v *T) []byte {
	if *v == nil {
		return append(dst, "null"...)
	}
	return append(appendBase64(append(dst, '"'), *v), '"')
}

// Bytes decodes bytes in base64.
func Bytes[T ~[]byte](s []byte, i int, v *T) int {
	if at(s, i, 'n') {
		*v = nil
		return word(s, i, "null")
	}
	if !at(s, i, '"') {
		return failed
	}
	i++
	b := make([]byte, base64.StdEncoding.DecodedLen(max(bytes.IndexByte(s[i:], '"'), 0)))
	letters := decodeBase64(b, s[i:])
	n := letters / 4 * 3
	i += letters
	end := plain(s, i)
	if !at(s, end, '"') {
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
