package openrpc

import "bytes"

// maxLine is how long lines are on which a whole value stands.
const maxLine = 100

// layout is a value as JSON: on one line where it fits behind what stands there, and else
// with a line for each of its members or elements.
func layout(v any, indent string, behind int) ([]byte, error) {
	line, err := oneLine(v, " ")
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
