package record

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// What is written of a message is JSON on one line, whatever the message is; without
// secrets and patterns it is the same value, in which nothing looks like a pattern.
func FuzzRewrite(f *testing.F) {
	for _, text := range []string{`{"id":1,"params":{"token":"«x»","deep":[{"password":7}]}}`, `[{"result":"2026-01-01T00:00:00Z"},{}]`, "{\"a\" :\n[ ]}", `{"«:any»":"\u00ab"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if !json.Valid(msg) || strings.IndexAny(strings.TrimSpace(string(msg)), "{[") != 0 {
			return
		}
		out := newRewriter(newHidden(nil), false).message(server, msg)
		if !json.Valid([]byte(out)) || strings.Contains(out, "\n") {
			t.Fatalf("%s: %s", msg, out)
		}
		same := newRewriter(&hidden{members: map[string]bool{}, named: map[string]string{}}, true).message(server, msg)
		if strings.Contains(same, "«") {
			t.Fatalf("%s: %s", msg, same)
		}
		var before, after any
		json.Unmarshal(msg, &before)
		if err := json.Unmarshal([]byte(same), &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("%s: %s, %v", msg, same, err)
		}
	})
}
