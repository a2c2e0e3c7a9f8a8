package jsongen

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// space skips white space.
func space(s []byte, i int) int {
	for uint(i) < uint(len(s)) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// at reports whether s[i] is there and is c.
func at(s []byte, i int, c byte) bool { return uint(i) < uint(len(s)) && s[i] == c }

// word skips a word that must be at s[i].
func word(s []byte, i int, w string) int {
	if uint(i) > uint(len(s)) || len(s)-i < len(w) || string(s[i:i+len(w)]) != w {
		return failed
	}
	return i + len(w)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// longText is from where on text is looked at 32 bytes at a time.
const longText = 64

// plain skips text that means what it says: ASCII without control characters,
// quotation marks and backslashes. It looks at eight bytes at a time, later at
// 32; a borrow can raise a false alarm only above a true one, and only the lowest
// counts.
func plain(s []byte, i int) int {
	for ; ; i += plainBlocks(s[i:]) {
		end := min(i+longText, len(s))
		for ; i+8 <= end; i += 8 {
			if alarm := special(binary.LittleEndian.Uint64(s[i:])) & highs; alarm != 0 {
				return i + bits.TrailingZeros64(alarm)/8
			}
		}
		if end == len(s) {
			break
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// plainBlocks is how many bytes of s begin it in blocks at which plain would not
// stop.
func plainBlocks(s []byte) int {
	i := 0
	for ; i+32 <= len(s); i += 32 {
		b := s[i : i+32 : i+32]
		alarm := special(binary.LittleEndian.Uint64(b)) | special(binary.LittleEndian.Uint64(b[8:])) |
			special(binary.LittleEndian.Uint64(b[16:])) | special(binary.LittleEndian.Uint64(b[24:]))
		if alarm&highs != 0 {
			break
		}
	}
	return i
}

// special sets the high bits of the bytes of x that plain stops at.
func special(x uint64) uint64 {
	return x | (x - ones*' ') | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones)
}

// text returns the place of the quotation mark that ends the string at s[i].
func text(s []byte, i int) (end int, escaped bool) {
	if !at(s, i, '"') {
		return failed, false
	}
	end = plain(s, i+1)
	if at(s, end, '"') {
		return end, false
	}
	return unusual(s, i+1, end)
}

// unusual is text from i on, where there is something unusual at s[end].
func unusual(s []byte, i, end int) (_ int, escaped bool) {
	ascii := true
	for end < len(s) {
		switch c := s[end]; {
		case c == '"' && (ascii || utf8.Valid(s[i:end])):
			return end, escaped
		case c >= utf8.RuneSelf:
			ascii = false
			end++
		case c == '\\':
			escaped = true
			if end = escape(s, end); end < 0 {
				return failed, false
			}
		default:
			return failed, false
		}
		end = plain(s, end)
	}
	return failed, false
}

// escape skips the escape at s[i], which is a backslash.
func escape(s []byte, i int) int {
	if i+1 >= len(s) {
		return failed
	}
	switch s[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if hex4(s[i+2:]) >= 0 {
			return i + 6
		}
	}
	return failed
}

// hex4 is the value of four hexadecimal digits, or negative.
func hex4(s []byte) (r rune) {
	if len(s) < 4 {
		return -1
	}
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// skip skips the value at s[i].
func skip(s []byte, i, depth int) int {
	if uint(i) >= uint(len(s)) || depth > maxDepth {
		return failed
	}
	switch s[i] {
	case '"':
		if i, _ = text(s, i); i >= 0 {
			i++
		}
		return i
	case '{':
		return skipAll(s, i, '}', func(i int) int { return skip(s, colon(s, skip(s, key(s, i), depth)), depth+1) })
	case '[':
		return skipAll(s, i, ']', func(i int) int { return skip(s, i, depth+1) })
	case 't':
		return word(s, i, "true")
	case 'f':
		return word(s, i, "false")
	case 'n':
		return word(s, i, "null")
	}
	return number(s, i).end
}

// skipAll skips what begins at s[i] and ends with a bracket.
func skipAll(s []byte, i int, bracket byte, member func(i int) int) int {
	i = space(s, i+1)
	if at(s, i, bracket) {
		return i + 1
	}
	for {
		i = space(s, member(i))
		switch {
		case at(s, i, bracket):
			return i + 1
		case !at(s, i, ','):
			return failed
		}
		i = space(s, i+1)
	}
}

// key is i if a key begins there.
func key(s []byte, i int) int {
	if at(s, i, '"') {
		return i
	}
	return failed
}

// colon skips the colon behind a key, and the space around it.
func colon(s []byte, i int) int {
	if i = space(s, i); at(s, i, ':') {
		return space(s, i+1)
	}
	return failed
}
