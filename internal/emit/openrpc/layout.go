package openrpc

import (
	"bytes"
	"strings"
)

// maxLine is how long lines are on which a whole value stands.
const maxLine = 100

// layout is a value as JSON: on one line where it fits behind what stands there, and else
// with a line for each of its members or elements.
func layout(v any, indent string, behind int) ([]byte, error) {
	line, err := oneLine(v)
	if err != nil || len(indent)+behind+len(line) <= maxLine {
		return line, err
	}
	var heads []string
	var values []any
	opening, closing := "[", "]"
	switch v := v.(type) {
	case object:
		opening, closing = "{", "}"
		for _, m := range v {
			name, err := compact(m.name)
			if err != nil {
				return nil, err
			}
			heads, values = append(heads, string(name)+": "), append(values, m.value)
		}
	case []object:
		heads = make([]string, len(v))
		for _, o := range v {
			values = append(values, o)
		}
	default:
		return line, nil
	}
	var b bytes.Buffer
	below := indent + "  "
	for i, value := range values {
		text, err := layout(value, below, len(heads[i]))
		if err != nil {
			return nil, err
		}
		b.WriteString(opening + "\n" + below + heads[i])
		b.Write(text)
		opening = ","
	}
	b.WriteString("\n" + indent + closing)
	return b.Bytes(), nil
}

// oneLine is a value as JSON on one line, with spaces between its parts.
func oneLine(v any) ([]byte, error) {
	var parts []string
	open, end := "[", "]"
	part := func(head string, v any) error {
		text, err := oneLine(v)
		parts = append(parts, head+string(text))
		return err
	}
	switch v := v.(type) {
	case object:
		open, end = "{", "}"
		for _, m := range v {
			name, err := compact(m.name)
			if err != nil {
				return nil, err
			}
			if err := part(string(name)+": ", m.value); err != nil {
				return nil, err
			}
		}
	case []object:
		for _, o := range v {
			if err := part("", o); err != nil {
				return nil, err
			}
		}
	case []string:
		for _, s := range v {
			if err := part("", s); err != nil {
				return nil, err
			}
		}
	default:
		return compact(v)
	}
	return []byte(open + strings.Join(parts, ", ") + end), nil
}
