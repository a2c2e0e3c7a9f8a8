package wire

import (
	"math"
	"strconv"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// jsonInt reads an integer: RFC 8259, section 6, with neither a fraction nor
// an exponent.
func jsonInt(raw []byte) (int64, bool) {
	i := jsonscan.Space(raw, 0)
	digits := i
	negative := jsonscan.At(raw, i, '-')
	if negative {
		digits++
	}
	end := jsonscan.Digits(raw, digits)
	if end < 0 || end-digits > 1 && raw[digits] == '0' || jsonscan.Space(raw, end) != len(raw) {
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

// jsonText returns what is between the quotation marks, unescaped, or nil if raw is
// not a string.
func jsonText(raw []byte) []byte {
	i := jsonscan.Space(raw, 0)
	if !jsonscan.At(raw, i, '"') {
		return nil
	}
	end := jsonscan.StringEnd(raw, i+1)
	if end < 0 || jsonscan.Space(raw, end) != len(raw) {
		return nil
	}
	return jsonscan.Unescape(raw[i+1 : end-1])
}

// PlainID decodes the id of a call in an answer of a plain server. Some return it as a
// string or as a float.
func PlainID(raw []byte) (id uint64, ok bool) {
	if n, ok := JSON.Natural(raw); ok {
		return uint64(n), true
	}
	text, ok := JSON.String(raw)
	if !ok {
		text = string(raw)
	}
	n, err := strconv.ParseFloat(text, 64)
	return uint64(n), err == nil && n == math.Trunc(n) && n >= 0 && n <= MaxInteger
}
