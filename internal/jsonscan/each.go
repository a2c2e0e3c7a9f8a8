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
		end := known(s, i, levels)
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

// Members scans the object that begins at s[i], in which at most the given number
// of levels may nest, and calls yield with each member, until yield returns false.
// The name is unescaped and valid until yield returns.
func Members(s []byte, i, levels int, yield func(name, value []byte) bool) int {
	return members(s, i, levels, Value, yield)
}

// KnownMembers is Members for an object that is known to be well formed, which is
// faster. Of anything else the members are not defined.
func KnownMembers(s []byte, i, levels int, yield func(name, value []byte) bool) int {
	return members(s, i, levels, known, yield)
}

// members is Members with the function that skips a value.
func members(s []byte, i, levels int, skip func(s []byte, i, levels int) int, yield func(name, value []byte) bool) int {
	if !At(s, i, '{') {
		return fail(i)
	}
	i = Space(s, i+1)
	if At(s, i, '}') {
		return i + 1
	}
	for {
		if !At(s, i, '"') {
			return ^i
		}
		quote := StringEnd(s, i+1)
		if quote < 0 {
			return quote
		}
		start := Colon(s, quote)
		if start < 0 {
			return start
		}
		end := skip(s, start, levels-1)
		if end < 0 {
			return end
		}
		if !yield(Unescape(s[i+1:quote-1]), s[start:end:end]) {
			return end
		}
		i = Space(s, end)
		if i >= len(s) {
			return ^i
		}
		switch s[i] {
		case ',':
			i = Space(s, i+1)
		case '}':
			return i + 1
		default:
			return ^i
		}
	}
}

// known is Value for a value that is known to be well formed: of a string that is
// the value only the end is searched.
func known(s []byte, i, levels int) int {
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
