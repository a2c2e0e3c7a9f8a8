package load

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A directive is one line above an interface, a method of one or an integer type:
//
//	//wirecall:service [name=NAME] [names=PATTERN]
//	//wirecall:name NAME
//	//wirecall:notify
//	//wirecall:idempotent
//	//wirecall:unordered
//	//wirecall:cursor PARAMETER=FIELD
//	//wirecall:json all|none
//	//wirecall:param PARAMETER [name=NAME] [alias=NAME,…]
//	//wirecall:result RESULT [name=NAME] [alias=NAME,…]
//	//wirecall:option KEY=VALUE
//	//wirecall:error TYPE [CODE] [name=NAME]
//	//wirecall:params [position|name] [omitempty|omitempty=PARAMETER,…]
//	//wirecall:subscription [PRESET] [KEY=VALUE]…
//	//wirecall:bigint
//
// The first belongs to interfaces, the last to integer types, the five before it to
// interfaces and methods, the others to methods. Each
// may stand once, option once for each key, error once for each type, param and result once
// for each of those. Arguments are words, or Go strings in quotes.
type directive struct {
	verb       string
	key, value string   // as in name=Chat; a lone word is a value; of an error its type and its name
	code       int      // of an error; 0 for none
	aliases    []string // of a parameter or a result

	naming *naming           // of a service; nil for Service.Method
	params *paramsForm       // nil unless it is about them
	sub    *subscriptionForm // nil unless it is one
}

// marked matches what a directive looks like with a space too many.
var marked = regexp.MustCompile(`^//\s+wirecall:[a-z]|^//wirecall:\s`)

// parseDirective reads one comment. It returns nil for what is no directive of
// ours, and an error for what was meant as one.
func parseDirective(text string) (*directive, error) {
	if marked.MatchString(text) {
		_, rest, _ := strings.Cut(text, "wirecall:")
		verb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		return nil, fmt.Errorf("a directive has no spaces around its name: write //wirecall:%s", verb)
	}
	d, ok := ast.ParseDirective(token.NoPos, text)
	if !ok || d.Tool != "wirecall" {
		return nil, nil
	}
	var words []string
	args, err := d.ParseArgs()
	if err != nil {
		return nil, err
	}
	for _, a := range args {
		words = append(words, a.Arg)
	}
	out := &directive{verb: d.Name}
	switch d.Name {
	case "service":
		err = out.service(words)
	case "name":
		err = out.name(words)
	case "params":
		err = out.parameters(words)
	case "subscription":
		err = out.subscription(words)
	case "cursor":
		err = out.cursor(words)
	case "resume":
		err = errors.New("//wirecall:resume is now //wirecall:cursor, with the same argument")
	case "option":
		err = out.option(words)
	case "error":
		err = out.error(words)
	case "param", "result":
		err = out.valueNames(words)
	case "json":
		if len(words) != 1 || words[0] != "all" && words[0] != "none" {
			err = errors.New("write //wirecall:json all or //wirecall:json none")
		} else {
			out.value = words[0]
		}
	case "notify", "idempotent", "unordered", "bigint":
		if len(words) > 0 {
			err = fmt.Errorf("//wirecall:%s takes no arguments", d.Name)
		}
	default:
		err = fmt.Errorf("unknown directive //wirecall:%s; there are service, name, notify, idempotent, unordered, cursor, param, result, json, option, error, params, subscription and bigint", d.Name)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (d *directive) service(words []string) (err error) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case key == "name" && d.key == "":
			d.key, d.value, err = key, value, checkName(value)
		case key == "names" && d.naming == nil:
			d.naming, err = parseNaming(value)
		default:
			err = errors.New("write //wirecall:service, with name=NAME and names=PATTERN behind it if wanted, such as names=eth_methodName")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *directive) name(words []string) error {
	if len(words) != 1 {
		return errors.New("write //wirecall:name NAME")
	}
	d.value = words[0]
	return checkMethodName(d.value)
}

func (d *directive) cursor(words []string) error {
	if len(words) == 1 {
		d.key, d.value, _ = strings.Cut(words[0], "=")
	}
	if !token.IsIdentifier(d.key) || !token.IsIdentifier(d.value) {
		return errors.New("write //wirecall:cursor PARAMETER=FIELD, such as after=ID")
	}
	return nil
}

func (d *directive) option(words []string) error {
	ok := false
	if len(words) == 1 {
		d.key, d.value, ok = strings.Cut(words[0], "=")
	}
	if !ok || !sane.MatchString(d.key) {
		return errors.New("write //wirecall:option KEY=VALUE, such as role=writer, or \"note=two words\"; a KEY has letters, digits and _ - . /, a letter first")
	}
	return nil
}

var errError = errors.New("write //wirecall:error TYPE, with a CODE and name=NAME behind it if wanted, such as //wirecall:error TooLong 1001")

func (d *directive) error(words []string) error {
	if len(words) == 0 {
		return errError
	}
	d.key = words[0]
	pkg, name, qualified := strings.Cut(d.key, ".")
	if !token.IsIdentifier(pkg) || qualified && !token.IsIdentifier(name) {
		return errError
	}
	words = words[1:]
	if len(words) > 0 && !strings.Contains(words[0], "=") {
		code, err := strconv.ParseInt(words[0], 10, 32)
		if err != nil {
			return errError
		}
		if d.code = int(code); ReservedCode(d.code) {
			return fmt.Errorf("the code %d has a meaning in JSON-RPC or in the protocol already: use one that is not 0, -32800, or from -32768 to -32000; of those -32001 to -32004, -32006 and -32099 to -32020 are free", code)
		}
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	var ok bool
	if d.value, ok = strings.CutPrefix(words[0], "name="); !ok || len(words) > 1 {
		return errError
	}
	return checkName(d.value)
}

// repeatable reports whether directives of a verb may stand more than once in a place,
// with different keys.
func repeatable(verb string) bool {
	return slices.Contains([]string{"option", "error", "param", "result"}, verb)
}

// sane is what a name on the wire may be made of. It leaves out whatever would
// need escaping in JSON, a URL or a shell.
var sane = regexp.MustCompile(`^[\pL_][\pL\pN_./-]*$`)

// checkName reports why name cannot be one on the wire. JSON-RPC keeps names
// that begin with "rpc." to itself; "$/" is for methods alone.
func checkName(name string) error {
	switch {
	case strings.HasPrefix(name, "rpc.") || name == "rpc":
		return fmt.Errorf("the name %q is JSON-RPC's own: names beginning with rpc. are reserved", name)
	case strings.HasPrefix(name, "$"):
		return fmt.Errorf("the name %q is the protocol's own: names beginning with $/ are reserved", name)
	case !sane.MatchString(name) || len(name) > 128:
		return fmt.Errorf("the name %q is not one: use at most 128 letters, digits and _ - . /, a letter first", name)
	}
	return nil
}

// ownNames are the notifications of the runtime. Other methods under $/ may be declared,
// as those of the Language Server Protocol.
var ownNames = []string{"items", "end", "credit", "cancel", "cancelRequest", "ping", "pong", "goaway", "moved", "ack", "close", "auth"}

// checkMethodName is checkName for a method, which may be under $/.
func checkMethodName(name string) error {
	under, ok := strings.CutPrefix(name, "$/")
	switch {
	case !ok:
		return checkName(name)
	case slices.Contains(ownNames, under):
		return fmt.Errorf("the name %q is the protocol's own", name)
	}
	return checkName(under)
}
