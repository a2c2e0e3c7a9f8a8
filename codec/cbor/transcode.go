package cbor

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// fromJSON converts the result of a MarshalJSON method to CBOR.
type fromJSON struct{}

func (fromJSON) Transcode(dst io.Writer, src io.Reader) error {
	d := json.NewDecoder(src)
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	v, err := numbers(v)
	if err != nil {
		return err
	}
	return encoding.NewEncoder(dst).Encode(v)
}

// numbers replaces each json.Number in v by an int64, a big.Int or a float64.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = numbers(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func number(n json.Number) (any, error) {
	if n == "-0" { // which only a float can be
		return math.Copysign(0, -1), nil
	}
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	if !strings.ContainsAny(string(n), ".eE") {
		if i, ok := new(big.Int).SetString(string(n), 10); ok {
			return i, nil
		}
	}
	return n.Float64()
}

// toJSON converts CBOR to the JSON that an UnmarshalJSON method takes.
type toJSON struct{}

// generic decodes into any, which calls no UnmarshalJSON and so does not need toJSON.
var generic = must(decodingOptions(nil).DecMode())

func (toJSON) Transcode(dst io.Writer, src io.Reader) error {
	raw, err := io.ReadAll(src)
	if err != nil {
		return err
	}
	var v any
	if err := generic.Unmarshal(raw, &v); err != nil {
		return err
	}
	b, err := json.Marshal(plain(v))
	if err != nil {
		return err
	}
	_, err = dst.Write(b)
	return err
}

// plain replaces values of package cbor's own types by values that encoding/json encodes.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	case big.Int:
		return &v // MarshalJSON is a method of the pointer
	case cbor.SimpleValue:
		return nil
	}
	return v
}
