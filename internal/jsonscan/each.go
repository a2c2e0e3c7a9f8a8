package jsonscan

import "bytes"

// Elements calls yield with each element of the array s, until yield returns
// false. The array must be known to be well formed, with at most the given number
// of levels; of anything else it yields the elements before the first fault, or
// nothing. White space around the array is allowed.
func Elements(s []byte, levels int, yield func(element []byte) bool) {
	i := Space(s, 0)
	if !At(s, i, '[') {
		return
	}
	i = Space(s, i+1)
	if At(s, i, ']') {
		return
	}
	for {
		end := Known(s, i, levels)
		if end < 0 || !yield(s[i:end:end]) {
			return
		}
		i = Space(s, end)
		if !At(s, i, ',') {
			return
		}
		i = Space(s, i+1)
	}
}

// Known is Value for a value that is known to be well formed: of a string that is
// the value only the end is searched.
func Known(s []byte, i, levels int) int {
	if !At(s, i, '"') {
		return Value(s, i, levels)
	}
	for start := i + 1; ; {
		n := bytes.IndexByte(s[i+1:], '"')
		if n < 0 {
			return ^len(s)
		}
		if i += 1 + n; !isEscaped(s[start:i]) {
			return i + 1
		}
	}
}

// isEscaped reports whether the byte behind text is escaped, that is, whether text
// ends in an odd number of backslashes.
func isEscaped(text []byte) bool {
	n := len(text)
	for n > 0 && text[n-1] == '\\' {
		n--
	}
	return (len(text)-n)%2 == 1
}
