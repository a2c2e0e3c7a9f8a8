package cbor

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// mend replaces what is not UTF-8 in the strings of b from start on by U+FFFD,
// as json.Marshal does. The library would send such a string as it is, and the
// peer would have to end the connection: RFC 8949, section 5.3.1, calls it
// invalid.
//
// All of b is well formed and of definite length, so that one item follows
// another without a look at what is inside which.
func mend(b []byte, start int) []byte {
	for i := start; i < len(b); {
		text, next := item(b, i)
		if !utf8.Valid(text) {
			return remake(b, i)
		}
		i = next
	}
	return b
}

// remake is mend from the first bad string on, where lengths begin to change.
func remake(b []byte, start int) []byte {
	mended := append(make([]byte, 0, len(b)+16), b[:start]...)
	for i := start; i < len(b); {
		text, next := item(b, i)
		if utf8.Valid(text) {
			mended = append(mended, b[i:next]...)
		} else {
			mended = appendText(mended, string([]rune(string(text))))
		}
		i = next
	}
	return mended
}

func appendText(dst []byte, s string) []byte {
	b, err := cbor.Marshal(s)
	if err != nil {
		panic(err) // a string can always be encoded
	}
	return append(dst, b...)
}

// item returns the text of the item at b[i], if it is a text string, and where
// the next one begins: what is inside an array, a map or a tag, or follows.
func item(b []byte, i int) (text []byte, next int) {
	major, low := b[i]>>5, b[i]&0x1f
	arg := uint64(low)
	i++
	switch low {
	case 24:
		arg = uint64(b[i])
		i++
	case 25:
		arg = uint64(binary.BigEndian.Uint16(b[i:]))
		i += 2
	case 26:
		arg = uint64(binary.BigEndian.Uint32(b[i:]))
		i += 4
	case 27:
		arg = binary.BigEndian.Uint64(b[i:])
		i += 8
	}
	switch major {
	case 2:
		return nil, i + int(arg)
	case 3:
		return b[i : i+int(arg)], i + int(arg)
	}
	return nil, i
}
