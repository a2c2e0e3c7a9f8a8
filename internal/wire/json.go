package wire

import (
	"math"

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
