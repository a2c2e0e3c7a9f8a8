package jsongen

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

type signed interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64
}

type unsigned interface {
	~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

type float interface{ ~float32 | ~float64 }

// AppendInt appends a signed integer.
func AppendInt[T signed](dst []byte, v *T) []byte { return strconv.AppendInt(dst, int64(*v), 10) }

// AppendUint appends an unsigned integer.
func AppendUint[T unsigned](dst []byte, v *T) []byte { return strconv.AppendUint(dst, uint64(*v), 10) }

// AppendFloat appends a float.
func AppendFloat[T float](dst []byte, v *T) []byte {
	if unsafe.Sizeof(*v) == 4 {
		return appendFloat(dst, float64(*v), 32)
	}
	return appendFloat64(dst, float64(*v))
}

// Int decodes a signed integer.
func Int[T signed](s []byte, i int, v *T) int {
	neg := jsonscan.At(s, i, '-')
	if neg {
		i++
	}
	u, i := digits(s, i)
	n := int64(u)
	if neg {
		n = -n
	}
	*v = T(n)
	if int64(*v) != n || neg != (n < 0) && u != 0 {
		return failed
	}
	return i
}

// Uint decodes an unsigned integer.
func Uint[T unsigned](s []byte, i int, v *T) int {
	u, i := digits(s, i)
	*v = T(u)
	if uint64(*v) != u {
		return failed
	}
	return i
}

// digits reads an integer that has neither a sign nor a fraction nor an
// exponent.
func digits(s []byte, i int) (u uint64, end int) {
	u, end = run(s, i, 0)
	n := end - i
	switch {
	case n == 0, n > 1 && s[i] == '0', end < len(s) && (s[end] == '.' || s[end]|0x20 == 'e'):
		return 0, failed
	case n > 19:
		big, err := strconv.ParseUint(string(s[i:end]), 10, 64)
		if err != nil {
			return 0, failed
		}
		u = big
	}
	return u, end
}

// run appends the decimal digits at s[i] to those of u. If there are more than 19
// in all the result has overflowed.
func run(s []byte, i int, u uint64) (_ uint64, end int) {
	for ; uint(i) < uint(len(s)) && s[i]-'0' <= 9; i++ {
		u = u*10 + uint64(s[i]-'0')
	}
	return u, i
}

// Float decodes a float.
func Float[T float](s []byte, i int, v *T) int {
	bits := int(unsafe.Sizeof(*v)) * 8
	if bits == 64 {
		if f, end := decimal(s, i); end >= 0 {
			*v = T(f)
			return end
		}
	}
	end := jsonscan.Number(s, i)
	if end < 0 {
		return failed
	}
	f, err := strconv.ParseFloat(string(s[i:end]), bits)
	if err != nil {
		return failed
	}
	*v = T(f)
	return end
}

var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// decimal reads a number without an exponent whose digits and power of ten are exact
// as float64s, so that their quotient is rounded once, as it should be. It fails on
// any other number: [jsonscan.Number] and strconv read those.
func decimal(s []byte, i int) (f float64, end int) {
	negative := jsonscan.At(s, i, '-')
	if negative {
		i++
	}
	mantissa, end := run(s, i, 0)
	if end == i || end > i+1 && s[i] == '0' {
		return 0, failed
	}
	places := 0
	if jsonscan.At(s, end, '.') {
		point := end
		mantissa, end = run(s, point+1, mantissa)
		if places = end - point - 1; places == 0 {
			return 0, failed
		}
		i++
	}
	if end-i > 19 || mantissa > 1<<53 || end < len(s) && s[end]|0x20 == 'e' {
		return 0, failed
	}
	if f = float64(mantissa); places > 0 {
		f /= powers[places]
	}
	if negative {
		f = -f
	}
	return f, end
}

// appendFloat64 is appendFloat with a fast path for numbers of few digits. Of the decimal
// numbers with at most 15 digits at most one is nearest to f, and that is the shortest.
func appendFloat64(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	if !(abs < 1e15) {
		return appendFloat(dst, f, 64)
	}
	n := uint64(abs)
	if float64(n) == abs {
		return strconv.AppendUint(sign(dst, f), n, 10)
	}
	if abs >= 1e9 {
		return appendFloat(dst, f, 64)
	}
	n = uint64(abs*1e6 + 0.5)
	if float64(n)/1e6 != abs {
		return appendFloat(dst, f, 64)
	}
	dst = append(strconv.AppendUint(sign(dst, f), n/1e6, 10), '.')
	for n, unit := n%1e6, uint64(1e5); n > 0; n, unit = n%unit, unit/10 {
		dst = append(dst, '0'+byte(n/unit))
	}
	return dst
}

func sign(dst []byte, f float64) []byte {
	if math.Signbit(f) {
		return append(dst, '-')
	}
	return dst
}

// appendFloat appends f in the form of ECMAScript, as encoding/json does.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 {
		if bits == 64 && (abs < 1e-6 || abs >= 1e21) || bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21) {
			format = 'e'
		}
	}
	dst = strconv.AppendFloat(dst, f, format, -1, bits)
	if n := len(dst); format == 'e' && n >= 4 && string(dst[n-4:n-1]) == "e-0" { // e-09 is e-9
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
