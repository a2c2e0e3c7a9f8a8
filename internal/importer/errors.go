package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An errorVar is a declared error without data.
type errorVar struct{ name, text string }

// errorTypes notes which schemas are the data of a method's errors, so that their types are
// errors.
func (im *importer) errorTypes(m *method) {
	for _, e := range m.extension().list("errors") {
		if data := im.resolve(e.get("data")); data != nil {
			im.errorData[data.path] = true
		}
	}
}

// errors adds the directives of the errors that a method declares.
func (im *importer) errors(m *method) {
	codes := map[int]bool{}
	declare := func(name func() string, code int, wire string) {
		if im.Reserved(code) || codes[code] && code != 1 {
			return // the generator has one error a code
		}
		codes[code] = true
		d := "error " + name()
		if code != 1 {
			d += fmt.Sprint(" ", code)
		}
		if wire != "" {
			d += " name=" + wire
		}
		m.directives = append(m.directives, d)
	}
	if list := m.extension().list("errors"); len(list) > 0 {
		for _, e := range list {
			if code, err := strconv.Atoi(text(e.get("code"))); err == nil && validName(e.string("name")) {
				declare(func() string { return im.errorOf(e) }, code, e.string("name"))
			}
		}
		return
	}
	for _, e := range m.list("errors") {
		name := im.refName(e)
		if e = im.resolve(e); e == nil {
			continue
		}
		code, err := strconv.ParseInt(text(im.want(e, "code", "number")), 10, 32)
		if err != nil {
			im.bad(e, "the error has no code, or one that is no integer")
			continue
		}
		declare(func() string { return im.errorVar(name, e.string("message"), int(code)) }, int(code), "")
	}
}

// errorOf is the type or variable of an error that a description of ours has.
func (im *importer) errorOf(e *value) string {
	name := e.string("name")
	name = name[strings.LastIndex(name, ".")+1:]
	if data := e.get("data"); data != nil {
		if t := im.typeOf(data, name); t.name != "" && !t.alias && !strings.HasPrefix(t.is, "*") {
			t.errors = e.string("name")
			return t.name
		}
	}
	return im.variable(name, e.string("name"))
}

// errorVar is the variable of an error that has a code and a message.
func (im *importer) errorVar(name, message string, code int) string {
	if name == "" {
		name = short(message, 5)
	}
	if name == "" {
		name = fmt.Sprint("Code ", max(code, -code))
	}
	if message == "" {
		message = fmt.Sprint("error ", code)
	}
	key := fmt.Sprint(code, " ", message)
	if im.errorVars[key] == "" {
		im.errorVars[key] = im.variable("Err "+strings.TrimPrefix(name, "Err"), message)
	}
	return im.errorVars[key]
}

// variable is one with a text, the same for the same name and text.
func (im *importer) variable(name, text string) string {
	key := name + " " + text
	if im.errorVars[key] == "" {
		im.errorVars[key] = im.names.take(exported(name))
		im.vars = append(im.vars, &errorVar{im.errorVars[key], text})
	}
	return im.errorVars[key]
}

// sane is what names on the wire may be made of.
var sane = regexp.MustCompile(`^(\$/)?[\pL_][\pL\pN_./-]{0,127}$`)

func validName(name string) bool {
	return sane.MatchString(name) && !strings.HasPrefix(name, "rpc.") && name != "rpc"
}
