// Package cborscan reads CBOR, RFC 8949, without building values from it, and
// writes the heads of items. Lengths are definite everywhere.
//
// A scanning function returns the index behind what it skips. A negative result is
// a failure: ^i for a byte that is wrong or missing at index i, or [TooDeep].
package cborscan

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// TooDeep is returned for an item in which more levels of arrays, maps and tags nest
// than allowed.
const TooDeep = math.MinInt

// Major types: RFC 8949, section 3.1.
const (
	Uint   = 0
	Negint = 1
	Bytes  = 2
	String = 3
	Array  = 4
	Map    = 5
	Tag    = 6
	Simple = 7 // and floating point
)

// Simple values that are one byte: RFC 8949, section 3.3.
const (
	False = 0xf4
	True  = 0xf5
	Null  = 0xf6
)

// Head reads the head of the item at s[i]: RFC 8949, section 3. It returns the
// major type, the argument, and the index behind the head or a negative number.
// Indefinite lengths and the "break" that ends them are refused like the reserved
// values, because a length must be compared with a limit before the item is read.
func Head(s []byte, i int) (major byte, arg uint64, next int) {
	if i < len(s) && s[i]&0x1f < 24 {
		return s[i] >> 5, uint64(s[i] & 0x1f), i + 1
	}
	return longHead(s, i)
}

// longHead is Head for an argument that is not in the first byte. It is apart because
// Head is faster without the registers that it needs.
func longHead(s []byte, i int) (major byte, arg uint64, next int) {
	if i >= len(s) {
		return 0, 0, ^i
	}
	major, low := s[i]>>5, s[i]&0x1f
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

// Whole scans s, which must be one item and nothing else, in which at most the given
// number of levels may nest.
func Whole(s []byte, levels int) int {
	i := Item(s, 0, levels)
	if i >= 0 && i != len(s) {
		return ^i
	}
	return i
}

// Item skips the item that begins at s[i], in which at most the given number of
// levels of arrays, maps and tags may nest, the item itself included. Text must be
// UTF-8. Each length is compared with what is left of s before it is used.
func Item(s []byte, i, levels int) int {
	major, arg, next := Head(s, i)
	if next < 0 {
		return next
	}
	left := uint64(len(s) - next)
	switch major {
	case Bytes, String:
		if arg > left {
			return ^i
		}
		end := next + int(arg)
		if major == String && !utf8.Valid(s[next:end]) {
			return ^i
		}
		return end
	case Array:
		if arg > left {
			return ^i
		}
		return skipItems(s, next, int(arg), levels)
	case Map:
		if arg > left/2 {
			return ^i
		}
		return skipItems(s, next, 2*int(arg), levels)
	case Tag:
		return skipItems(s, next, 1, levels)
	case Simple:
		// Section 3.3: small values have the short form only.
		if s[i] == 0xf8 && arg < 32 {
			return ^i
		}
	}
	return next
}

// skipItems skips the n items inside an item in which at most the given number of
// levels may nest, that item included.
func skipItems(s []byte, i, n, levels int) int {
	if levels == 0 {
		return TooDeep
	}
	for range n {
		if i = Item(s, i, levels-1); i < 0 {
			return i
		}
	}
	return i
}

// Elements calls yield with each element of the array raw, until yield returns
// false. Of anything else it yields the elements before the first fault, or nothing.
func Elements(raw []byte, levels int, yield func(element []byte) bool) {
	major, n, i := Head(raw, 0)
	if i < 0 || major != Array {
		return
	}
	for ; n > 0; n-- {
		end := Item(raw, i, levels)
		if end < 0 || !yield(raw[i:end:end]) {
			return
		}
		i = end
	}
}

// Members scans the map at the beginning of s, in which at most the given number of
// levels may nest, and calls yield with each member, until yield returns false. The
// name is nil for a key that is not text.
func Members(s []byte, levels int, yield func(name, value []byte) bool) int {
	major, n, i := Head(s, 0)
	if i < 0 || major != Map || n > uint64(len(s)-i)/2 {
		return ^0
	}
	for ; n > 0; n-- {
		start := Item(s, i, levels-1)
		if start < 0 {
			return start
		}
		end := Item(s, start, levels-1)
		if end < 0 {
			return end
		}
		if !yield(Text(s[i:start]), s[start:end:end]) {
			return end
		}
		i = end
	}
	return i
}

// Text returns what is inside the text string raw, or nil if raw is something else.
func Text(raw []byte) []byte {
	major, n, i := Head(raw, 0)
	if i < 0 || major != String || n != uint64(len(raw)-i) {
		return nil
	}
	return raw[i:len(raw):len(raw)]
}

// AppendHead appends the shortest head: RFC 8949, section 4.2.1.
func AppendHead(dst []byte, major byte, arg uint64) []byte {
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

// HeadSize returns the number of bytes that AppendHead appends.
func HeadSize(arg uint64) int {
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

// AppendInt appends an integer of either sign.
func AppendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return AppendHead(dst, Negint, uint64(^n))
	}
	return AppendHead(dst, Uint, uint64(n))
}

// AppendText appends a text string. CBOR's text is UTF-8 (RFC 8949, section 3.1): a
// byte that is not becomes U+FFFD, as in JSON.
func AppendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return append(AppendHead(dst, String, uint64(len(s))), s...)
}
