package jsongen

import (
	"math"
	"strconv"
	"unsafe"
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
	neg := at(s, i, '-')
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
	end = i
	for uint(end) < uint(len(s)) && s[end]-'0' <= 9 {
		u = u*10 + uint64(s[end]-'0')
		end++
	}
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

// Float decodes a float.
func Float[T float](s []byte, i int, v *T) int {
	n := number(s, i)
	if n.end < 0 {
		return failed
	}
	bits := int(unsafe.Sizeof(*v)) * 8
	if f, ok := n.exact(); ok && bits == 64 {
		*v = T(f)
		return n.end
	}
	f, err := strconv.ParseFloat(string(s[i:n.end]), bits)
	if err != nil {
		return failed
	}
	*v = T(f)
	return n.end
}

// A literal is a number as it was written: mantissa times ten to the power of
// exponent, if that fits.
type literal struct {
	mantissa uint64
	exponent int
	digits   int // of mantissa, with leading zeros
	negative bool
	end      int // the place behind it
}

// number reads a number. See RFC 8259, section 6.
func number(s []byte, i int) (n literal) {
	n.end = i
	if at(s, n.end, '-') {
		n.negative = true
		n.end++
	}
	if at(s, n.end, '0') {
		n.end++
	} else if n.run(s) == 0 {
		n.end = failed
		return n
	}
	if at(s, n.end, '.') {
		n.end++
		if n.exponent = -n.run(s); n.exponent == 0 {
			n.end = failed
			return n
		}
	}
	if uint(n.end) < uint(len(s)) && s[n.end]|0x20 == 'e' {
		n.scale(s)
	}
	return n
}

// run reads digits into the mantissa.
func (n *literal) run(s []byte) int {
	i := n.end
	for ; uint(i) < uint(len(s)) && s[i]-'0' <= 9; i++ {
		n.mantissa = n.mantissa*10 + uint64(s[i]-'0')
	}
	count := i - n.end
	n.digits += count
	n.end = i
	return count
}

// scale reads the exponent at its e.
func (n *literal) scale(s []byte) {
	n.end++
	sign := 1
	if at(s, n.end, '-') || at(s, n.end, '+') {
		if s[n.end] == '-' {
			sign = -1
		}
		n.end++
	}
	e := literal{end: n.end}
	if e.run(s) == 0 {
		n.end = failed
		return
	}
	n.end = e.end
	if e.digits > 4 {
		n.digits = math.MaxInt // out of exact's reach
		return
	}
	n.exponent += sign * int(e.mantissa)
}

var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// exact is the number where mantissa and power of ten are exact as float64s, so
// that their product or quotient is rounded once, as it should be.
func (n *literal) exact() (f float64, ok bool) {
	if n.digits > 19 || n.mantissa > 1<<53 {
		return 0, false
	}
	f = float64(n.mantissa)
	if n.negative {
		f = -f
	}
	switch e := n.exponent; {
	case e == 0:
		return f, true
	case e < 0 && -e < len(powers):
		return f / powers[-e], true
	case e > 0 && e < len(powers):
		return f * powers[e], true
	}
	return 0, false
}

// appendFloat64 is appendFloat for most of the numbers that people write: those
// of few digits. A decimal number of up to 15 digits that is nearest to f is the
// only one of so few digits, and so the shortest.
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

// appendFloat appends f as ECMAScript would, as encoding/json does.
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
