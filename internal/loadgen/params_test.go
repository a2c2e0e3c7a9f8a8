package loadgen

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/openrpc"
)

// files are the texts of files.
type files map[string]string

func (f files) open(name string) (io.ReadCloser, error) {
	text, ok := f[name]
	if !ok {
		return nil, errors.New("no file " + name)
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func TestTemplate(t *testing.T) {
	f := files{"names": "Ann\nBob\r\n", "text": "as {seq} is", "empty": ""}
	for arg, want := range map[string]string{
		"n:={seq}":              `^11$`,
		"n={seq}":               `^"11"$`,
		"n=a{seq}b{seq}{x}":     `^"a11b11\{x\}"$`,
		"n:={rand:-3..-2}":      `^-[23]$`,
		`n:={"a":{rand:1..3}}`:  `^\{"a":[123]\}$`,
		"n={line:names}":        `^"(Ann|Bob)"$`,
		"n={line:empty}":        `^""$`,
		"n=@text":               `^"as \{seq\} is"$`,
		"n={rand:3..1}":         `{rand:3..1}: want two numbers of 32 bits, the lower one first`,
		"n={rand:1..9999999999": `^"\{rand:1..9999999999"$`,
		"n={line:none}":         `no file none`,
		"n:={seq}x":             `the parameter n is not JSON: "0x"; n=text is a string`,
		"n@-":                   `the standard input can be read once, and each call would read it`,
		"nonsense":              `"nonsense" is not a parameter: want name=text`,
	} {
		template, err := NewTemplate(new(openrpc.Method), []string{arg}, f.open)
		if err != nil {
			if !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %v, want %s", arg, err, want)
			}
			continue
		}
		p, err := template.Params(11, nil)
		if err != nil {
			t.Errorf("%s: %v", arg, err)
			continue
		}
		if v := p.Field(0).(*dynamic.JSON); !json.Valid(*v) || !regexp.MustCompile(want).Match(*v) {
			t.Errorf("%s: %s, want %s", arg, *v, want)
		}
	}
}

// Parameters that do not vary are made once.
func TestTemplateFixed(t *testing.T) {
	template, err := NewTemplate(new(openrpc.Method), []string{"a=1", "b:=2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := template.Params(1, nil)
	two, _ := template.Params(2, nil)
	if one != two {
		t.Error("they were made twice")
	}
}

func TestSequence(t *testing.T) {
	for _, c := range []struct {
		values        []int64
		lost, doubled int64
	}{
		{[]int64{5, 6, 7}, 0, 0},
		{[]int64{5, 6, 9}, 2, 0},
		{[]int64{5, 6, 6, 7}, 0, 1},
		{[]int64{5, 8, 6, 9}, 2, 1},
	} {
		var s Sequence
		before := int64(0)
		for i, v := range c.values {
			before = s.item(v, before, i == 0)
		}
		if s.Lost != c.lost || s.Doubled != c.doubled {
			t.Errorf("%v: %+v", c.values, s)
		}
	}
	var s Sequence
	for _, v := range []int64{3, 1, 6, 2} {
		s.result(v)
	}
	if s.whole(); s.Lost != 2 || s.Doubled != 0 {
		t.Errorf("%+v", s)
	}
}
