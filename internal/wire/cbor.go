package wire

import (
	"math"

	"github.com/wirecall/wirecall/internal/cborscan"
)

// cborKind returns the kind of an item by its first byte.
func cborKind(raw []byte) Kind {
	if len(raw) == 0 {
		return Invalid
	}
	switch raw[0] {
	case cborscan.False, cborscan.True:
		return Bool
	case cborscan.Null:
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
	major, arg, end := cborscan.Head(raw, 0)
	if end != len(raw) || end <= 0 || arg > math.MaxInt64 {
		return 0, false
	}
	switch major {
	case cborscan.Uint:
		return int64(arg), true
	case cborscan.Negint:
		return ^int64(arg), true
	}
	return 0, false
}
