package wire

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Major types: RFC 8949, section 3.1.
const (
	cborUint   = 0
	cborNegint = 1
	cborBytes  = 2
	cborString = 3
	cborArray  = 4
	cborMap    = 5
	cborTag    = 6
	cborSimple = 7 // and floating point
)

const (
	cborFalse = 0xf4
	cborTrue  = 0xf5
	cborNull  = 0xf6
)

// cborHead reads the head of the item at s[i]: RFC 8949, section 3. The index
// that it returns is the one behind the head, or negative. Indefinite lengths
// and the "break" that ends them are refused like the reserved values: a
// length that is not known cannot be held against a limit before it is read.
func cborHead(s []byte, i int) (major byte, arg uint64, next int) {
	if i >= len(s) {
		return 0, 0, ^i
	}
	major, low := s[i]>>5, s[i]&0x1f
	if low < 24 {
		return major, uint64(low), i + 1
	}
	next = i + 1 + 1<<(low&3)
	if low > 27 || next > len(s) {
		return 0, 0, ^i
	}
	switch low {
	case 24:
		arg = uint64(s[i+1])
	case 25:
		arg = uint64(binary.BigEndian.Uint16(s[i+1:]))
	case 26:
		arg = uint64(binary.BigEndian.Uint32(s[i+1:]))
	case 27:
		arg = binary.BigEndian.Uint64(s[i+1:])
	}
	return major, arg, next
}

// cborValid scans s, which is to be one item and nothing else, in which so many
// levels may nest.
func cborValid(s []byte, levels int) int {
	i := skipCBOR(s, 0, levels)
	if i >= 0 && i != len(s) {
		return ^i
	}
	return i
}

// skipCBOR skips the item that begins at s[i], in which so many levels of arrays,
// maps and tags may nest, itself included. No length is believed before it is known
// to fit into what is left of s.
func skipCBOR(s []byte, i, levels int) int {
	major, arg, next := cborHead(s, i)
	if next < 0 {
		return next
	}
	left := uint64(len(s) - next)
	switch major {
	case cborBytes, cborString:
		if arg > left {
			return ^i
		}
		end := next + int(arg)
		if major == cborString && !utf8.Valid(s[next:end]) {
			return ^i
		}
		return end
	case cborArray:
		if arg > left {
			return ^i
		}
		return skipItems(s, next, int(arg), levels)
	case cborMap:
		if arg > left/2 {
			return ^i
		}
		return skipItems(s, next, 2*int(arg), levels)
	case cborTag:
		return skipItems(s, next, 1, levels)
	case cborSimple:
		// Section 3.3: small values have the short form only.
		if s[i] == 0xf8 && arg < 32 {
			return ^i
		}
	}
	return next
}

// skipItems skips the n items inside an item in which so many levels may nest.
func skipItems(s []byte, i, n, levels int) int {
	if levels == 0 {
		return tooDeep
	}
	for range n {
		if i = skipCBOR(s, i, levels-1); i < 0 {
			return i
		}
	}
	return i
}

// cborElements yields the elements of the array that raw is.
func cborElements(raw []byte, yield func([]byte) bool) {
	major, n, i := cborHead(raw, 0)
	if i < 0 || major != cborArray {
		return
	}
	for ; n > 0; n-- {
		end := skipCBOR(raw, i, MaxDepth)
		if end < 0 || !yield(raw[i:end:end]) {
			return
		}
		i = end
	}
}

// cborMembers scans the map that s begins with and yields its members for as
// long as yield likes, with a nil name for a key that is not text.
func cborMembers(s []byte, levels int, yield func(name, value []byte) bool) int {
	major, n, i := cborHead(s, 0)
	if i < 0 || major != cborMap || n > uint64(len(s)-i)/2 {
		return ^0
	}
	for ; n > 0; n-- {
		start := skipCBOR(s, i, levels-1)
		if start < 0 {
			return start
		}
		end := skipCBOR(s, start, levels-1)
		if end < 0 {
			return end
		}
		if !yield(cborText(s[i:start]), s[start:end:end]) {
			return end
		}
		i = end
	}
	return i
}

// cborKind tells items apart by their first byte.
func cborKind(raw []byte) Kind {
	if len(raw) == 0 {
		return Invalid
	}
	switch raw[0] {
	case cborFalse, cborTrue:
		return Bool
	case cborNull:
		return Null
	case 0xf9, 0xfa, 0xfb:
		return Number
	}
	if raw[0]&0x1f > 27 {
		return Invalid
	}
	return [8]Kind{Number, Number, Bytes, String, Array, Object, Other, Other}[raw[0]>>5]
}

// cborInt reads an integer: RFC 8949, section 3.1, major types 0 and 1.
func cborInt(raw []byte) (int64, bool) {
	major, arg, end := cborHead(raw, 0)
	if end != len(raw) || end <= 0 || arg > math.MaxInt64 {
		return 0, false
	}
	switch major {
	case cborUint:
		return int64(arg), true
	case cborNegint:
		return ^int64(arg), true
	}
	return 0, false
}

// cborText returns what is in a text string.
func cborText(raw []byte) []byte {
	major, n, i := cborHead(raw, 0)
	if i < 0 || major != cborString || n != uint64(len(raw)-i) {
		return nil
	}
	return raw[i:len(raw):len(raw)]
}

// appendHead appends the shortest head: RFC 8949, section 4.2.1.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, major|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

// headSize is the length of what appendHead appends.
func headSize(arg uint64) int {
	switch {
	case arg < 24:
		return 1
	case arg <= math.MaxUint8:
		return 2
	case arg <= math.MaxUint16:
		return 3
	case arg <= math.MaxUint32:
		return 5
	}
	return 9
}

// appendInt appends an integer of either sign.
func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, cborNegint, uint64(^n))
	}
	return appendHead(dst, cborUint, uint64(n))
}

// appendText appends a text string, which must be UTF-8: RFC 8949, section
// 3.1. Each byte that is not becomes U+FFFD, as in JSON.
func appendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return append(appendHead(dst, cborString, uint64(len(s))), s...)
}
