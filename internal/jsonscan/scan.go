package jsonscan

// At reports whether s[i] exists and is c.
func At(s []byte, i int, c byte) bool { return uint(i) < uint(len(s)) && s[i] == c }

// Space skips insignificant white space: RFC 8259, section 2.
func Space(s []byte, i int) int {
	for uint(i) < uint(len(s)) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// Whole scans s, which must be one value and nothing else, with white space around
// it. In the value at most the given number of levels of arrays and objects may
// nest.
func Whole(s []byte, levels int) int {
	i := Value(s, Space(s, 0), levels)
	if i < 0 {
		return i
	}
	if i = Space(s, i); i != len(s) {
		return ^i
	}
	return i
}

// Value skips the value that begins at s[i], in which at most the given number of
// levels of arrays and objects may nest, the value itself included.
func Value(s []byte, i, levels int) int {
	if uint(i) >= uint(len(s)) {
		return fail(i)
	}
	switch s[i] {
	case '"':
		return StringEnd(s, i+1)
	case '{':
		return skipObject(s, i, levels)
	case '[':
		return skipArray(s, i, levels)
	case 't':
		return Word(s, i, "true")
	case 'f':
		return Word(s, i, "false")
	case 'n':
		return Word(s, i, "null")
	default:
		return Number(s, i)
	}
}

// Word skips the given word.
func Word(s []byte, i int, word string) int {
	if uint(i) > uint(len(s)) || len(s)-i < len(word) || string(s[i:i+len(word)]) != word {
		return fail(i)
	}
	return i + len(word)
}

// skipArray is Elements without the calls of yield.
func skipArray(s []byte, i, levels int) int {
	if levels == 0 {
		return TooDeep
	}
	i = Space(s, i+1)
	if At(s, i, ']') {
		return i + 1
	}
	for {
		if i = Value(s, i, levels-1); i < 0 {
			return i
		}
		i = Space(s, i)
		if i >= len(s) {
			return ^i
		}
		switch s[i] {
		case ',':
			i = Space(s, i+1)
		case ']':
			return i + 1
		default:
			return ^i
		}
	}
}

// skipObject is Members without the calls of yield.
func skipObject(s []byte, i, levels int) int {
	if levels == 0 {
		return TooDeep
	}
	i = Space(s, i+1)
	if At(s, i, '}') {
		return i + 1
	}
	for {
		if i = skipName(s, i); i < 0 {
			return i
		}
		if i = Value(s, i, levels-1); i < 0 {
			return i
		}
		i = Space(s, i)
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

// skipName skips the name of a member, the colon, and the space around the colon.
func skipName(s []byte, i int) int {
	if !At(s, i, '"') {
		return ^i
	}
	if i = StringEnd(s, i+1); i < 0 {
		return i
	}
	return Colon(s, i)
}

// Colon skips a colon and the space around it.
func Colon(s []byte, i int) int {
	i = Space(s, i)
	if !At(s, i, ':') {
		return fail(i)
	}
	return Space(s, i+1)
}

// Number skips the number that begins at s[i]: RFC 8259, section 6.
func Number(s []byte, i int) int {
	if At(s, i, '-') {
		i++
	}
	if At(s, i, '0') {
		i++
	} else if i = Digits(s, i); i < 0 {
		return i
	}
	if i < len(s) && s[i] == '.' {
		if i = Digits(s, i+1); i < 0 {
			return i
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		return Digits(s, i)
	}
	return i
}

// Digits skips one or more decimal digits.
func Digits(s []byte, i int) int {
	start := i
	for uint(i) < uint(len(s)) && s[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return fail(i)
	}
	return i
}
