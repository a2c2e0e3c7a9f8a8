package load

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseDirective(t *testing.T) {
	for text, want := range map[string]directive{
		"//wirecall:service":                   {verb: "service"},
		"//wirecall:service name=Chat":         {verb: "service", key: "name", value: "Chat"},
		`//wirecall:service "name=Chat.v1"`:    {verb: "service", key: "name", value: "Chat.v1"},
		"//wirecall:name get_block":            {verb: "name", value: "get_block"},
		"//wirecall:name  `get/block` \t":      {verb: "name", value: "get/block"},
		"//wirecall:notify\r":                  {verb: "notify"},
		"//wirecall:idempotent ":               {verb: "idempotent"},
		"//wirecall:json none":                 {verb: "json", value: "none"},
		"//wirecall:unordered":                 {verb: "unordered"},
		"//wirecall:option role=writer":        {verb: "option", key: "role", value: "writer"},
		"//wirecall:option mcp.tool=":          {verb: "option", key: "mcp.tool"},
		`//wirecall:option "a=two words, b=c"`: {verb: "option", key: "a", value: "two words, b=c"},
		"//wirecall:option role":               {verb: "error"},
		"//wirecall:option role writer":        {verb: "error"},
		"//wirecall:option =writer":            {verb: "error"},
		`//wirecall:option "a b=c"`:            {verb: "error"},
		"//wirecall:resume after=ID":           {verb: "error"},
		"//wirecall:error TooLong":             {verb: "error", key: "TooLong"},
		"//wirecall:error chat.TooLong -7":     {verb: "error", key: "chat.TooLong", code: -7},
		"//wirecall:error A 1 name=b.A":        {verb: "error", key: "A", code: 1, value: "b.A"},
		"//wirecall:error A name=b.A":          {verb: "error", key: "A", value: "b.A"},
		"//wirecall:error":                     {verb: "error"},
		"//wirecall:error a.b.c":               {verb: "error"},
		"//wirecall:error A name=b 1":          {verb: "error"},
		"//wirecall:error A -32700":            {verb: "error"},
		"//wirecall:cursor after=ID":           {verb: "cursor", key: "after", value: "ID"},
		"//wirecall:cursor größe=Größe":        {verb: "cursor", key: "größe", value: "Größe"},
		"//wirecall:param by name=author":      {verb: "param", key: "by", value: "author"},
		"//wirecall:param by alias=a,b.c":      {verb: "param", key: "by", aliases: []string{"a", "b.c"}},
		"//wirecall:result n alias=a name=b":   {verb: "result", key: "n", value: "b", aliases: []string{"a"}},
		"//wirecall:param":                     {verb: "error"},
		"//wirecall:param by":                  {verb: "error"},
		"//wirecall:param by author":           {verb: "error"},
		"//wirecall:param 0 name=author":       {verb: "error"},
		"//wirecall:param by name=":            {verb: "error"},
		"//wirecall:param by name=a,b":         {verb: "error"},
		"//wirecall:param by alias=a,":         {verb: "error"},
		"//wirecall:param by alias=rpc.a":      {verb: "error"},
		"//wirecall:param by name=a name=b":    {verb: "error"},
		"//wirecall:param by alias=a alias=b":  {verb: "error"},
		"// wirecall: makes code":              {},
		"// see wirecall:service":              {},
		"//go:generate wirecall:service":       {},
		"//\t//wirecall:service":               {},
		"//wirecalls:service":                  {},
		"/* wirecall:service */":               {},
		"// wirecall:service":                  {verb: "error"},
		"//wirecall: service":                  {verb: "error"},
		"//wirecall:":                          {},
		"//wirecall:serve":                     {verb: "error"},
		"//wirecall:service name=":             {verb: "error"},
		"//wirecall:service name=x name=y":     {verb: "error"},
		"//wirecall:service Chat":              {verb: "error"},
		"//wirecall:name rpc.call":             {verb: "error"},
		"//wirecall:name $/cancel":             {verb: "error"},
		`//wirecall:name "a b"`:                {verb: "error"},
		`//wirecall:name "a`:                   {verb: "error"},
		`//wirecall:name "\x00"`:               {verb: "error"},
		"//wirecall:name -x":                   {verb: "error"},
		"//wirecall:notify now":                {verb: "error"},
		"//wirecall:cursor after":              {verb: "error"},
		"//wirecall:cursor after=a.b":          {verb: "error"},
		"//wirecall:cursor func=ID":            {verb: "error"},
		"//wirecall:cursor after=ID before=ID": {verb: "error"},
	} {
		got, err := parseDirective(text)
		if err != nil {
			got = &directive{verb: "error"}
		}
		if got == nil {
			got = &directive{}
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%q: %+v, want %+v", text, *got, want)
		}
	}
}

func FuzzParseDirective(f *testing.F) {
	for _, text := range []string{
		"//wirecall:service", "//wirecall:service name=Chat", "//wirecall:name \"x\"", "//wirecall:cursor after=ID",
		"//wirecall:option \"name=a b\"", "//wirecall:error chat.TooLong -7 name=x", "// wirecall:notify", "//wirecall:", "//wirecall:name `", "//wirecall:name \"\\u0000\"", "//go:generate x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDirective(text)
		switch {
		case err != nil && d != nil:
			t.Fatal("a directive and an error")
		case d == nil:
			return
		case !strings.HasPrefix(text, "//wirecall:"+d.verb):
			t.Fatalf("%q is a %s", text, d.verb)
		}
		if slices.Contains([]string{"service", "name", "error"}, d.verb) { // its value is a name on the wire, or empty
			if strings.HasPrefix(d.value, "rpc.") || strings.ContainsFunc(d.value, func(r rune) bool { return r <= ' ' || strings.ContainsRune("$\"\\<>&", r) }) {
				t.Fatalf("%q is the name %q", text, d.value)
			}
		}
	})
}

func TestImportable(t *testing.T) {
	for _, c := range []struct {
		from, path string
		want       bool
	}{
		{"a.b/x", "a.b/y", true},
		{"a.b/x", "a.b/internal", true},
		{"a.b/x", "a.b/internal/z", true},
		{"a.b", "a.b/internal/z", true},
		{"a.b_test", "a.b/internal/z", true},
		{"a.b/x", "a.b/y/internal/z", false},
		{"a.b/y/internal/q", "a.b/y/internal/z", true},
		{"a.b/yy", "a.b/y/internal/z", false},
		{"a.b/x", "a.b/internals/z", true},
		{"a.b/x", "a.b/internal/c/internal/d", false},
		{"a.b/internal/c", "a.b/internal/c/internal/d", true},
		{"a.b/x", "internal/abi", false},
	} {
		if got := importable(c.from, c.path); got != c.want {
			t.Errorf("importable(%s, %s) is %v", c.from, c.path, got)
		}
	}
}
