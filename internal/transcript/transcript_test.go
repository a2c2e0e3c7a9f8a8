package transcript

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	all, err := Parse("f.txt", "About the file.\n\n-- one\nWhy.\n! Sessions\n# a remark\n-> {«x*3»}\n<-close why\n\n-- two\nWhy.\n.. 1s\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []*Conversation{
		{File: "f.txt", Name: "one", Settings: []Line{{5, "!", "Sessions"}}, Lines: []Line{{7, "->", "{xxx}"}, {8, "<-close", "why"}}},
		{File: "f.txt", Name: "two", Lines: []Line{{12, "..", "1s"}}},
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("%+v %+v", all[0], all[1])
	}
	for text, want := range map[string]string{
		"-> {}\n":                      "",
		"Prose.\n-> {}\nprose\n":       "f.txt:3: prose inside a conversation",
		"-- no reason\n":               "f.txt:1: the conversation above does not say why it exists",
		"Why.\n-- one\n-> {}\n-- two ": "f.txt:4: the conversation above does not say why it exists",
	} {
		if _, err := Parse("f.txt", text); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNames(t *testing.T) {
	const uuid, moment = "0a1b2c3d-0000-4000-8000-000000000001", "2026-01-02T03:04:05.6+01:00"
	n := Names{}
	for _, test := range []struct {
		want, got string
		ok        bool
	}{
		{"plain", "plain", true},
		{"plain", "other", false},
		{"a «token» b", "a x.y-z_1 b", true},
		{"«token»", "x.y-z_1", true},
		{"«token»", "another", false},
		{"«id:uuid»", uuid, true},
		{"/«id»/", "/" + uuid + "/", true},
		{"«:uuid»", "no", false},
		{"«at:time»", moment, true},
		{"«:time»", "2026-01-02", false},
		{"«:any»", "any\nthing", true},
		{"«a»-«a»", "x-y", false},
		{"«b:any»=«b:any»", "x=x", true},
		{"«nonsense:kind»", "x", false},
		{"(«c»)*", "(x)*", true},
		{literal + "c»", "«c»", true},
		{literal + ":any» «c»", "«:any» x", true},
	} {
		if ok := n.Match(test.want, test.got); ok != test.ok {
			t.Errorf("%s matches %s: %t", test.want, test.got, ok)
		}
	}
	if got := n.Sent(`{"a":"«at»","b":"«new:uuid»","c":"«new»","d":"«secret1:any»","e":"«b»\u00ab"}`); got !=
		`{"a":"`+moment+`","b":"`+n["new"]+`","c":"`+n["new"]+`","d":"anysecret1","e":"x\u00ab"}` || !Is("uuid", n["new"]) {
		t.Error(got)
	}
}

func TestCompare(t *testing.T) {
	for _, test := range []struct{ want, got, found string }{
		{`{"a":1,"b":[1,"x"]}`, `{"b":[1,"x"],"a":1}`, ""},
		{`{"a":1}`, `{"a":1.0}`, "a: want 1, got 1.0"},
		{`{"a":{"b":1}}`, `{"a":{"c":1}}`, "a.b: want 1, got nothing\na.c: want nothing, got 1"},
		{`{"a":[1,2]}`, `{"a":[1,3,4]}`, "a[1]: want 2, got 3\na: want 2 elements, got 3"},
		{`{"a":"«:any»"}`, `{"a":{"deep":[null]}}`, ""},
		{`{"a":"«x:any»","b":"«x»"}`, `{"a":"1 2","b":"1 2"}`, ""},
		{`{"a":"«x:any»","b":"«x»"}`, `{"a":"1 2","b":"12"}`, `b: want "«x»", got "12"`},
		{`{"a":"\u00ab:any»"}`, `{"a":"x"}`, `a: want "«:any»", got "x"`},
		{`{"a":"\u00ab:any»"}`, `{"a":"«:any»"}`, ""},
		{`{"a":null}`, `{"a":false}`, "a: want null, got false"},
	} {
		want, err := parseExpected(test.want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseMessage(test.got)
		if err != nil {
			t.Fatal(err)
		}
		if found := strings.Join(Names{}.compare(want.members, got.members), "\n"); found != test.found {
			t.Errorf("%s, %s: %q, want %q", test.want, test.got, found, test.found)
		}
	}
}

// The sender's side of PROTOCOL.md, section 4.
func TestCredit(t *testing.T) {
	var a *account
	// sends checks how many items of these sizes may be sent, one after the other.
	sends := func(what string, n int, sizes ...int) {
		t.Helper()
		allowed := 0
		for _, size := range sizes {
			if a.allows(size) {
				allowed++
				a.sizes = append(a.sizes, a.sent()+size)
			}
		}
		if allowed != n {
			t.Errorf("%s: %d of %v, want %d", what, allowed, sizes, n)
		}
	}
	a = &account{limit: 64, bytes: 65_536}
	sends("one of any size while less than half is outstanding", 1, 100_000, 1)
	a.grant(1, 64, 65_536)
	sends("bytes behind what was taken", 3, 30_000, 30_000, 5_536, 1)
	a = &account{limit: 2, bytes: 100}
	sends("two items", 2, 1, 1, 1)
	a.grant(1, 2, 100)
	sends("items behind those that were taken", 1, 1, 1)
	if a.grant(0, 1, 1); a.limit != 3 || a.bytes != 101 {
		t.Error("an old grant takes something back")
	}
}
