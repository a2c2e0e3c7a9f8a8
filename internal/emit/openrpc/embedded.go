package openrpc

import (
	"bytes"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// Embedded is the part of a document that describes one service of a package: what
// rpc.Service.Description holds. Each method and each schema is on a line, and there is no
// back quote in it, so that it can stand in Go as it is.
func Embedded(p *model.Package, s *model.Service) (string, error) {
	e := newEmitter()
	e.Index = model.NewIndex(p)
	if err := e.service(s); err != nil {
		return "", err
	}
	var b bytes.Buffer
	b.WriteString(`{"methods":[`)
	for i, m := range e.methods {
		if err := line(&b, i, "", m); err != nil {
			return "", err
		}
	}
	b.WriteString("\n" + `],"components":{"schemas":{`)
	for i, s := range e.components() {
		if err := line(&b, i, s.name, s.value); err != nil {
			return "", err
		}
	}
	b.WriteString("\n" + `},"tags":`)
	tags, err := compact(e.tags)
	b.Write(tags)
	b.WriteString("}}")
	return unquoted.Replace(b.String()), err
}

// unquoted escapes what cannot stand between back quotes in Go.
var unquoted = strings.NewReplacer("`", `\u0060`, "\ufeff", `\ufeff`, "\r", "")

// line writes an element, or a member that has a name, on a line.
func line(b *bytes.Buffer, i int, name string, v any) error {
	text, err := compact(v)
	if i > 0 {
		b.WriteByte(',')
	}
	b.WriteByte('\n')
	if name != "" {
		b.WriteString(`"` + name + `":`)
	}
	b.Write(text)
	return err
}
