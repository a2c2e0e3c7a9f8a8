package chat

import (
	"os"
	"path/filepath"
	"testing"
)

// open opens a file of messages that is closed with the test.
func open(t *testing.T, name string) *File {
	t.Helper()
	s, err := OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// What is in a file when it is closed is there when it is opened, but for a line
// without an end.
func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "messages")
	texts := []string{"one", "two\n<three>", "\u2028"}
	for i, text := range texts {
		s := open(t, name)
		m, err := s.Append(Message{Author: "ann", Text: text})
		if err != nil || m.ID != int64(i)+1 {
			t.Fatal(m, err)
		}
		all, _ := s.After(0, 10)
		if len(all) != i+1 || all[i] != m || all[0].Text != "one" || all[0].Time.IsZero() {
			t.Errorf("opened for the time number %d it has %v", i+1, all)
		}
		s.Close()
		if _, err := s.Append(Message{}); err == nil {
			t.Error("appended to a closed file")
		}
		tear(t, name)
	}
}

// tear leaves in a file what a process that is killed amid a write does.
func tear(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(`{"id":9,"author":"ann","te`)
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
}

// What only looks like a file of messages is not touched.
func TestFileOfSomethingElse(t *testing.T) {
	for text, want := range map[string]string{
		"shopping\nmilk":   "message 1: invalid character 's' looking for beginning of value",
		`{"id":2}` + "\n":  "message 1 has id 2",
		`{"id":1}` + "\n{": "",
	} {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		s, err := OpenFile(name)
		if want == "" {
			s.Close()
			continue
		}
		if err == nil || err.Error() != name+": "+want {
			t.Errorf("%q: %v", text, err)
		}
		if b, _ := os.ReadFile(name); string(b) != text {
			t.Errorf("%q has become %q", text, b)
		}
	}
}
